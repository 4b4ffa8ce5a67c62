"""A recurrent network along texts, over what a device does with many rows: how passes and lanes are put together.

n positions in a pass, L lanes, H units.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from stackc_torch.frozen.passes import side_by_side
from stackc_torch.frozen.rules import Array
from stackc_torch.gru.arrays import FrozenGru

PASS, PASS_ELEMENTS = 512, 1 << 21
"""Positions of a pass of scoring: as many as have PASS_ELEMENTS sums of gates, or PASS if that is more. The more runs
there are in a pass, the larger the products over them."""

SIDE_BY_SIDE = 8
"""Runs of a pass that are processed side by side, by matrix products, if there are at least this many."""


class Recurrent(Protocol):
    """The part of an `stackc_torch.frozen.predictor.Arithmetic` that does not depend on the device.

    Memory is the states h[layers, L, H] in Q15.
    """

    frozen: FrozenGru

    @property
    def positions(self) -> int:
        return max(PASS, PASS_ELEMENTS // int(3 * self.frozen.units))

    def embedded(self, inputs: Array) -> Any:
        """The stream x[n, d] of symbols."""

    def normed(self, x: Any, number: int) -> Any:
        """The rows of x by a norm, as operands."""

    def states(self, *shape: int) -> Any:
        """Empty states [*shape, H]."""

    def enter(self, layer: int, x: Any) -> Any:
        """Sums [n, 3H] of a layer's gates from the stream."""

    def remember(self, layer: int, entering: Any, h: Any) -> Any:
        """States [n, H] after one more symbol, from sums [n, 3H] and the states before, which may be overwritten."""

    def recur(self, layer: int, entering: Any, fresh: Array, h: Any) -> Any:
        """States [n, H] after each of n symbols in turn, from h[1, H]; emptied before symbols where fresh bool[n]."""

    def leave(self, layer: int, x: Any, h: Any) -> Any:
        """The stream after the layer's states h[n, H] are projected and added."""

    def start(self, lanes: int) -> Any:
        return self.states(self.frozen.layers, lanes)

    def take(self, memory: Any, lanes: Array, reached: int) -> Any:
        taken = self.start(len(lanes))
        taken[:] = memory[:, lanes]
        return taken

    def reach(self, memory: Any, position: int) -> None:
        return None  # a state has one size, however long its context is

    def step(self, memory: Any, lanes: Array, inputs: Array, positions: Array) -> Any:
        memory[:, lanes[positions == 0]] = 0
        place = side_by_side(lanes)
        where: Any = lanes if place is None else place
        x = self.embedded(inputs)
        for layer in range(self.frozen.layers):
            h = self.remember(layer, self.enter(layer, x), memory[layer, where])
            memory[layer, where] = h
            x = self.leave(layer, x, h)
        return self.normed(x, -1)

    def scorer(self, count: int, positions: int) -> Any:
        return self.start(1)

    def score(self, memory: Any, inputs: Array, starts: Array) -> Any:
        """A layer at a time over the pass; runs between restarts advance side by side."""
        fresh = starts == np.arange(len(starts))
        x = self.embedded(inputs)
        for layer in range(self.frozen.layers):
            h = self._along(layer, self.enter(layer, x), fresh, memory[layer])
            memory[layer] = h[-1:]
            x = self.leave(layer, x, h)
        return self.normed(x, -1)

    def _along(self, layer: int, entering: Any, fresh: Array, before: Any) -> Any:
        """The states [n, H] of one layer along a pass, from the state before it."""
        begins = np.flatnonzero(fresh | (np.arange(len(fresh)) == 0))
        if len(begins) < SIDE_BY_SIDE:
            return self.recur(layer, entering, fresh, before)
        # The longest first: the runs that have not ended are then always the first ones.
        lengths = np.diff(np.append(begins, len(fresh)))
        order = np.argsort(-lengths, kind="stable")
        begins, lengths = begins[order], lengths[order]
        h = self.states(len(begins))
        if not fresh[0]:
            h[int(np.flatnonzero(begins == 0)[0])] = before[0]
        out = self.states(len(fresh))
        for t in range(int(lengths[0])):
            places = begins[: int((lengths > t).sum())] + t
            h = self.remember(layer, entering[places], h[: len(places)])
            out[places] = h
        return out
