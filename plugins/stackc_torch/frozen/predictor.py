"""Stepping and scoring with a frozen network, over the exact arithmetic of a device.

n positions in a pass, L lanes, d width, A alphabet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import attrs
import numpy as np
import numpy.typing as npt

from stackc.api import IDLE, RESTART, CodingError, CompiledStep, Device, Frequencies, Portability, Symbols
from stackc_torch.frozen import kernels, numerics
from stackc_torch.frozen.arrays import FrozenArrays
from stackc_torch.frozen.passes import pass_inputs, side_by_side
from stackc_torch.frozen.rules import Array


class Arithmetic(Protocol):
    """The rules of a network's twin over many rows. Its methods pass arrays of its own type to each other.

    Threads share it: a method writes only to what was made in the call, or is handed in. Hence `memory` holds, besides
    what lanes remember, all working memory that is kept from call to call.

    Attributes:
        few: lanes up to which `step_few` is faster than the other methods; 0 if it has none.
        lanes: lanes that are stepped together; more are taken in turn.
        positions: of a pass of scoring.
        rows: positions that frequencies are made for at once.
    """

    few: int
    lanes: int
    rows: int

    @property
    def frozen(self) -> FrozenArrays: ...

    @property
    def positions(self) -> int: ...

    def start(self, lanes: int) -> Any:
        """The memory of fresh lanes."""

    def take(self, memory: Any, lanes: Array, reached: int) -> Any:
        """New memory whose lane i is a copy of lane lanes[i]; none of them is beyond position `reached`."""

    def reach(self, memory: Any, position: int) -> None:
        """Make room for lanes at this position."""

    def step(self, memory: Any, lanes: Array, inputs: Array, positions: Array) -> Any:
        """One symbol more in some lanes: y int8[n, d], the operands of the projection to symbols.

        Args:
            lanes: int64[n], ascending.
            inputs: int64[n], A where the context is empty.
            positions: int64[n], where each lane is now; 0 right after a restart.
        """

    def step_few(self, memory: Any, symbols: Array, positions: Array, answer: Frequencies) -> None:
        """The same for all lanes, IDLE or not, frequencies included, in one compiled call."""

    def scorer(self, count: int, positions: int) -> Any:
        """The memory of one lane that reads `count` symbols in passes of at most `positions`."""

    def score(self, memory: Any, inputs: Array, starts: Array) -> Any:
        """One pass: y int8[n, d]. `starts` says where each position's context starts, from the pass's first one on."""

    def answer(self, memory: Any, y: Any, out: Frequencies) -> None:
        """Frequencies out[n, A] for y[n, d], at most `rows` of them."""


LOOP_BYTES = 1 << 26
"""Memory of the lanes of a compiled loop, at most. It is made for a whole context at once, whatever the text; and in a
larger network calls of Python take no time that counts."""


class KernelArithmetic(Arithmetic, Protocol):
    """One on CPU.

    Attributes:
        lane_bytes: what the state of `compiled` has for each lane, at most.
    """

    @property
    def lane_bytes(self) -> int: ...

    def compiled(self) -> CompiledStep:
        """Kernels that step a few lanes, whose state has the lanes first in each array."""


@attrs.define(kw_only=True)
class State:
    """Lanes in the middle of their texts.

    Attributes:
        positions: int64[L]; the position last taken in since the restart, -1 before the first one.
        memory: what the arithmetic keeps.
        answer: uint32[L, A], reused by every step.
    """

    positions: npt.NDArray[np.int64]
    memory: Any
    answer: Frequencies


class FrozenPredictor:
    """A `stackc.api.Predictor` over a frozen network. It never changes: working memory belongs to the state.

    Args:
        positions: of a pass of scoring; 0: what suits the network. Tests pass few.
    """

    portability: Portability = "portable"

    def __init__(self, arithmetic: Arithmetic, positions: int = 0) -> None:
        self.frozen = arithmetic.frozen
        self.alphabet = arithmetic.frozen.alphabet
        self._do = arithmetic
        self._pass = positions or arithmetic.positions

    def start(self, lanes: int) -> State:
        """A state of `lanes` lanes; the first step must restart each."""
        return self._state(np.full(lanes, -1, np.int64), self._do.start(lanes))

    def take(self, state: State, lanes: npt.NDArray[np.int64]) -> State:
        """A new state whose lane i is a copy of lane lanes[i]."""
        positions = state.positions[lanes]
        return self._state(positions, self._do.take(state.memory, lanes, int(positions.max(initial=-1))))

    def step(self, state: State, symbols: npt.NDArray[np.int64]) -> Frequencies:
        """See `stackc.api.Predictor.step`. Raises `CodingError` for a symbol outside the alphabet."""
        symbols = np.ascontiguousarray(symbols, np.int64)
        reached = kernels.advance(symbols, state.positions, self.alphabet)
        if reached == kernels.NOT_STARTED:
            raise CodingError("a lane was stepped before it was restarted")
        if reached == kernels.OUTSIDE:
            raise self._outside()
        self._do.reach(state.memory, reached)
        if 0 < len(symbols) <= self._do.few:
            self._do.step_few(state.memory, symbols, state.positions, state.answer)
            return state.answer
        active = np.flatnonzero(symbols != IDLE)
        for start in range(0, len(active), self._do.lanes):
            lanes = active[start : start + self._do.lanes]
            inputs = np.where(symbols[lanes] == RESTART, self.alphabet, symbols[lanes])
            y = self._do.step(state.memory, lanes, inputs, state.positions[lanes])
            for begin in range(0, len(lanes), self._do.rows):
                rows, chosen = y[begin : begin + self._do.rows], lanes[begin : begin + self._do.rows]
                place = side_by_side(chosen)
                if place is not None:
                    self._do.answer(state.memory, rows, state.answer[place])
                else:
                    state.answer[chosen] = self._answered(state.memory, rows)
        return state.answer

    def score(self, segment: Symbols, restarts: npt.NDArray[np.bool_] | None = None) -> Iterator[Frequencies]:
        """See `stackc.api.Predictor`: memory is bounded by a pass and the context, not by the segment."""
        count = len(segment)
        if count and not 0 <= int(segment.min()) <= int(segment.max()) < self.alphabet:
            raise self._outside()
        memory = self._do.scorer(count, min(self._pass, count))
        restart = 0
        for start in range(0, count, self._pass):
            end = min(start + self._pass, count)
            inputs, starts = pass_inputs(segment, restarts, start, end, self.alphabet, restart)
            restart = int(starts[-1])
            y = self._do.score(memory, inputs, starts - start)
            for begin in range(0, len(inputs), self._do.rows):
                yield self._answered(memory, y[begin : begin + self._do.rows])

    def _answered(self, memory: Any, y: Any) -> Frequencies:
        out = np.empty((len(y), self.alphabet), np.uint32)
        self._do.answer(memory, y, out)
        return out

    def _outside(self) -> CodingError:
        return CodingError(f"a symbol outside the alphabet of {self.alphabet}")

    def _state(self, positions: npt.NDArray[np.int64], memory: Any) -> State:
        return State(positions=positions, memory=memory, answer=np.zeros((len(positions), self.alphabet), np.uint32))


class KernelPredictor(FrozenPredictor):
    """One that offers its step as kernels too."""

    def __init__(self, arithmetic: KernelArithmetic, positions: int = 0) -> None:
        super().__init__(arithmetic, positions)
        self._compiled = arithmetic.compiled

    def compiled(self) -> CompiledStep:
        """See `stackc.api.Predictor`."""
        return self._compiled()


def fastest(
    frozen: Any, device: Device, on_cpu: Callable[[Any], KernelArithmetic], on_device: Callable[[Any, Any], Arithmetic]
) -> FrozenPredictor:
    """The predictor over the arithmetic for a device. All arithmetics of a network give the same bits."""
    target = numerics.pick(device)
    if target.type != "cpu":
        return FrozenPredictor(on_device(frozen, target))
    arithmetic = on_cpu(frozen)
    looped = arithmetic.few * arithmetic.lane_bytes <= LOOP_BYTES
    return KernelPredictor(arithmetic) if looped else FrozenPredictor(arithmetic)
