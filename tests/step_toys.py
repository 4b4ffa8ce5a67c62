"""A model and a coder with kernels, small enough to be compiled in seconds, that can break each rule on request."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from stackc.api import (
    IDLE,
    RESTART,
    CompiledLanes,
    CompiledStep,
    Frequencies,
    Int64,
    Portability,
    Window,
    kernel,
)
from toys import ToyPredictor

Row = Any


@kernel
def advance(tables: tuple[Row], state: Row, lane: int, symbol: int) -> None:
    state[lane] = 0 if symbol == RESTART else symbol + 1


@kernel
def fill(tables: tuple[Row], state: Row, lane: int, row: Row) -> None:
    row[:] = tables[0][state[lane]]


class KernelModel:
    """Rows that depend on the last symbol: a table, looked up by numpy in `step` and by kernels otherwise.

    Args:
        wrong: a row of the table that only the kernels find, with this frequency of symbol 0.
    """

    portability: Portability = "portable"

    def __init__(self, alphabet: int, wrong: int | None = None) -> None:
        toy = ToyPredictor(alphabet, order=1)
        self.alphabet = alphabet
        self.rows = np.array([toy.row(()), *(toy.row((symbol,)) for symbol in range(alphabet))])
        self.spoilt = self.rows.copy()
        if wrong is not None:
            self.spoilt[3, 0] = wrong

    def start(self, lanes: int) -> Int64:
        return np.zeros(lanes, np.int64)

    def step(self, state: Int64, symbols: Int64) -> Frequencies:
        state[symbols != IDLE] = np.where(symbols == RESTART, 0, symbols + 1)[symbols != IDLE]
        return self.rows[state]

    def compiled(self) -> CompiledStep:
        return CompiledStep(advance=advance, fill=fill, tables=(self.spoilt,))


@kernel
def advance_own(tables: tuple[Row], state: tuple[Row, Row], lane: int, symbol: int) -> None:
    state[0][lane, 0] = 0 if symbol == RESTART else symbol + 1
    state[1][lane] += 1


@kernel
def fill_own(tables: tuple[Row], state: tuple[Row, Row], lane: int, row: Row) -> None:
    row[:] = tables[0][state[0][lane, 0]]


class FewLanes(KernelModel):
    """The same with a state of its own for the kernels, which are for two lanes at most.

    Attributes:
        looped: the lanes of each state that was made for the kernels; stepped: of each other one.
    """

    def __init__(self, alphabet: int) -> None:
        super().__init__(alphabet)
        self.looped: list[int] = []
        self.stepped: list[int] = []

    def start(self, lanes: int) -> Int64:
        self.stepped.append(lanes)
        return super().start(lanes)

    def score(self, segment: Row, restarts: Row = None) -> Any:
        fresh = np.zeros(len(segment), np.bool_) if restarts is None else np.array(restarts)
        fresh[:1] = True
        yield self.rows[np.where(fresh, 0, np.roll(segment.astype(np.int64), 1) + 1)]

    def compiled(self) -> CompiledStep:
        def start(lanes: int) -> tuple[Row, Row]:
            self.looped.append(lanes)
            return np.zeros((lanes, 1), np.int64), np.zeros(lanes, np.int32)

        return CompiledStep(advance=advance_own, fill=fill_own, tables=(self.rows,), start=start, most_lanes=2)


class Steps(KernelModel):
    """The same without its kernels."""

    @property
    def compiled(self) -> Any:  # type: ignore[override]
        raise AttributeError("compiled")


REFUSES_FIRST, REFUSES_FOURTH, OUTSIDE, USES_NOTHING, USES_MORE = range(1, 6)
"""What a `Copying` coder does wrong."""

COUNT, PLACE = 0, 1


@kernel
def add(params: Row, state: Row, lane: int, row: Row, symbol: int) -> bool:
    mine = state[lane]
    if (params[0] == 1 and mine[COUNT] == 0) or (params[0] == 2 and mine[COUNT] == 3):
        return False
    mine[COUNT] += 1
    mine[mine[COUNT]] = symbol
    return True


@kernel
def close(params: Row, state: Row, lane: int, full: bool, out: Row, at: int) -> int:
    mine = state[lane]
    for i in range(mine[COUNT] + 1):
        out[at + i] = mine[i]
    end = at + mine[COUNT] + 1
    mine[COUNT] = 0
    return end


@kernel
def begin(params: Row, state: Row, lane: int, tokens: Row, start: int, end: int) -> None:
    state[lane, COUNT] = 0
    state[lane, PLACE] = start


@kernel
def following(params: Row, state: Row, lane: int, tokens: Row, row: Row) -> int:
    mine = state[lane]
    if mine[COUNT] == np.int64(tokens[mine[PLACE]]):
        return -1
    mine[COUNT] += 1
    return 99 if params[0] == 3 else np.int64(tokens[mine[PLACE] + mine[COUNT]])


@kernel
def used(params: Row, state: Row, lane: int, full: bool) -> int:
    if params[0] >= 4:
        return 0 if params[0] == 4 else 1000
    return state[lane, COUNT] + 1


class Copying:
    """A window is its number of symbols, and the symbols, a token each. It has kernels and nothing else.

    Args:
        wrong: what it does wrong; 0: nothing.
    """

    budget: ClassVar[bool] = False
    ends: ClassVar[bool] = True
    total: ClassVar[bool] = False
    needs_model: ClassVar[bool] = True

    def __init__(self, wrong: int = 0) -> None:
        self.wrong = wrong

    def compiled(self, window: Window) -> CompiledLanes:
        return CompiledLanes(
            add=add,
            close=close,
            open=begin,
            next=following,
            used=used,
            params=(self.wrong,),
            encoder=lambda lanes, symbols: np.zeros((lanes, symbols + 1), np.int64),
            decoder=lambda lanes: np.zeros((lanes, 2), np.int64),
            most_tokens=(1, 1),
        )
