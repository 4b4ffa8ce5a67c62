"""Stepping and scoring with a frozen recurrent network, over the exact arithmetic of a device.

n positions in a pass, L lanes, H units, A alphabet.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import attrs
import numpy as np
import numpy.typing as npt

from stackc.api import IDLE, RESTART, CodingError, Frequencies, Portability, Symbols
from stackc_torch.cpu import pass_inputs
from stackc_torch.gru.integers import FrozenGru
from stackc_torch.integers import Array

PASS = 512
"""Lanes that are stepped together, and positions of a pass of scoring, or more:"""
PASS_ELEMENTS = 1 << 21
"""as many as have so many sums of gates. The more runs there are in a pass, the larger are the products over them."""

SIDE_BY_SIDE = 8
"""Runs in a pass from which on they advance together, by matrix products."""


class Arithmetic(Protocol):
    """The rules of `stackc_torch.gru.twin` over many rows. What its methods pass on is an array type of its own.

    Threads share it: what a method writes to was made in the call, or is handed in.

    Attributes:
        few: lanes up to which `step_few` beats the other methods; 0 where there is none.
    """

    few: int

    def embed(self, inputs: Array) -> Any:
        """The stream x[n, d] of symbols int64[n], A where the context is empty."""

    def states(self, *shape: int) -> Any:
        """Empty states [*shape, H]."""

    def enter(self, layer: int, x: Any) -> Any:
        """Sums [n, 3H] of a layer's gates from the stream."""

    def remember(self, layer: int, entering: Any, h: Any) -> Any:
        """States [n, H] after one more symbol, from sums [n, 3H] and the states before, which may be overwritten."""

    def recur(self, layer: int, entering: Any, fresh: Array, h: Any) -> Any:
        """States [n, H] after each of n symbols in turn, from h[1, H]; emptied before where fresh bool[n]."""

    def leave(self, layer: int, x: Any, h: Any) -> Any:
        """The stream after the layer's states h[n, H] are projected and added."""

    def answers(self, x: Any) -> Iterator[Frequencies]:
        """Frequencies for x[n, d], in blocks."""

    def step_few(self, symbols: Array, started: Array, h: Any, answer: Frequencies) -> None:
        """`GruPredictor.step` of lanes int64[L]; changes the fields of their `State`."""


@attrs.define(kw_only=True)
class State:
    """Lanes in the middle of their texts.

    Attributes:
        started: bool[L], whether a lane was ever restarted.
        h: [layers, L, H], the states in Q15.
        answer: uint32[L, A], reused by every step.
    """

    started: npt.NDArray[np.bool_]
    h: Any
    answer: Frequencies


class GruPredictor:
    """A `stackc.api.Predictor` over a frozen recurrent network. Nothing of it changes.

    Args:
        positions: of a pass of scoring; 0: what suits the network. Tests pass few.
    """

    portability: Portability = "portable"

    def __init__(self, frozen: FrozenGru, arithmetic: Arithmetic, positions: int = 0) -> None:
        self.frozen = frozen
        self.alphabet = frozen.alphabet
        self._do = arithmetic
        self._pass = positions or max(PASS, PASS_ELEMENTS // (3 * frozen.units))

    def start(self, lanes: int) -> State:
        """A state of `lanes` lanes; the first step must restart each."""
        return self._state(np.zeros(lanes, bool), self._do.states(self.frozen.layers, lanes))

    def take(self, state: State, lanes: npt.NDArray[np.int64]) -> State:
        """A new state whose lane i is a copy of lane lanes[i]."""
        h = self._do.states(self.frozen.layers, len(lanes))
        h[:] = state.h[:, lanes]
        return self._state(state.started[lanes], h)

    def step(self, state: State, symbols: npt.NDArray[np.int64]) -> Frequencies:
        """See `stackc.api.Predictor.step`. Raises `CodingError` for a symbol outside the alphabet."""
        symbols = np.ascontiguousarray(symbols, np.int64)
        if len(symbols) <= self._do.few:
            self._do.step_few(symbols, state.started, state.h, state.answer)
            return state.answer
        active = np.flatnonzero(symbols != IDLE)
        inputs = symbols[active]
        if len(inputs) and not RESTART <= int(inputs.min()) <= int(inputs.max()) < self.alphabet:
            raise CodingError(f"a symbol outside the alphabet of {self.alphabet}")
        restarted = inputs == RESTART
        if not state.started[active[~restarted]].all():
            raise CodingError("a lane was stepped before it was restarted")
        state.started[active] = True
        state.h[:, active[restarted]] = 0
        inputs = np.where(restarted, self.alphabet, inputs)
        whole = len(active) == len(symbols)
        for start in range(0, len(active), PASS):
            end = min(start + PASS, len(active))
            # A slice of the lanes is changed where it lies.
            lanes = slice(start, end) if whole else active[start:end]
            x = self._do.embed(inputs[start:end])
            for layer in range(self.frozen.layers):
                h = self._do.remember(layer, self._do.enter(layer, x), state.h[layer, lanes])
                state.h[layer, lanes] = h
                x = self._do.leave(layer, x, h)
            for rows in self._do.answers(x):
                state.answer[active[start : start + len(rows)]] = rows
                start += len(rows)
        return state.answer

    def score(self, segment: Symbols, restarts: npt.NDArray[np.bool_] | None = None) -> Iterator[Frequencies]:
        """See `stackc.api.Predictor`. A layer at a time over a pass; runs between restarts advance side by side."""
        count = len(segment)
        if count and not 0 <= int(segment.min()) <= int(segment.max()) < self.alphabet:
            raise CodingError(f"a symbol outside the alphabet of {self.alphabet}")
        carried = self._do.states(self.frozen.layers, 1)
        for start in range(0, count, self._pass):
            end = min(start + self._pass, count)
            inputs, starts = pass_inputs(segment, restarts, start, end, self.alphabet, 0)
            fresh = starts == np.arange(start, end)
            x = self._do.embed(inputs)
            for layer in range(self.frozen.layers):
                h = self._along(layer, self._do.enter(layer, x), fresh, carried[layer])
                carried[layer] = h[-1:]
                x = self._do.leave(layer, x, h)
            yield from self._do.answers(x)

    def _along(self, layer: int, entering: Any, fresh: Array, before: Any) -> Any:
        """The states [n, H] of one layer along a pass, from the state before it."""
        begins = np.flatnonzero(fresh | (np.arange(len(fresh)) == 0))
        if len(begins) < SIDE_BY_SIDE:
            return self._do.recur(layer, entering, fresh, before)
        # The longest first: those that still run are always the first ones.
        lengths = np.diff(np.append(begins, len(fresh)))
        order = np.argsort(-lengths, kind="stable")
        begins, lengths = begins[order], lengths[order]
        h = self._do.states(len(begins))
        if not fresh[0]:
            h[int(np.flatnonzero(begins == 0)[0])] = before[0]
        out = self._do.states(len(fresh))
        for t in range(int(lengths[0])):
            places = begins[: int((lengths > t).sum())] + t
            h = self._do.remember(layer, entering[places], h[: len(places)])
            out[places] = h
        return out

    def _state(self, started: npt.NDArray[np.bool_], h: Any) -> State:
        return State(started=started, h=h, answer=np.zeros((len(started), self.alphabet), np.uint32))
