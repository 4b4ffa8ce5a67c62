"""The fast route on CPU: int8 matrix products (torch) and a handful of fused kernels (numba).

n positions in a pass, L lanes, d width, H heads, D head size, F hidden, A alphabet, C context.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import torch

from stackc.api import IDLE, RESTART, CodingError, Frequencies, Portability, Symbols
from stackc_torch import kernels
from stackc_torch.buffers import Buffers
from stackc_torch.dense import attend_block, dense_blocks
from stackc_torch.gemm import Product, best_product, int8_is_exact
from stackc_torch.integers import Array, Frozen

PASS = 512
"""Positions of a pass: its buffers stay in the second-level cache."""

ANSWER_ELEMENTS = 1 << 18
ANSWER_ROWS = 32
"""Frequencies that are made at once: what the cache holds, but at least 32 rows a pass over the weights."""

FEW = 4
"""Lanes up to which one product after another beats a matrix product."""

FIRST_SLOTS = 16
"""Positions that a fresh lane has room for; it grows by doubling up to the context."""


@attrs.define(kw_only=True)
class State:
    """Lanes in the middle of their texts.

    Attributes:
        positions: int64[L]; the position last taken in since the restart, -1 before the first.
        kv: int8[layers, L, S, 2, H, D], keys then values; position p of a lane lies in slot p % S. S is less
            than C only while no lane has come that far.
        answer: uint32[L, A], reused by every step.
        buffers: the working memory of matrix products; made by the first step that has any.
    """

    positions: npt.NDArray[np.int64]
    kv: Array
    answer: Frequencies
    buffers: Buffers | None = None

    @property
    def slots(self) -> int:
        """S, the positions that a lane has room for."""
        return int(self.kv.shape[2])


class CpuPredictor:
    """A `stackc.api.Predictor` over a frozen network. Nothing of it changes: working memory is the state's.

    Args:
        frozen: the integers.
        product: makes the exact product of a weight matrix; tests pass `gemm.float_product`.
    """

    portability: Portability = "portable"

    def __init__(self, frozen: Frozen, product: Callable[[Array], Product] = best_product) -> None:
        self.frozen = frozen
        self.alphabet = frozen.alphabet
        layers = range(frozen.layers)
        self._qkv = [product(frozen.qkv[layer]) for layer in layers]
        self._out = [product(frozen.out[layer]) for layer in layers]
        self._gate_up = [product(frozen.gate_up[layer]) for layer in layers]
        self._down = [product(frozen.down[layer]) for layer in layers]
        self._head = product(frozen.head)
        self._norms = [int(multiplier) for multiplier in frozen.norms]
        self._qkv_shift = frozen.qkv_shift.reshape(frozen.layers, 3, frozen.heads, frozen.head_size)
        self._gate_up_shift = frozen.gate_up_shift.reshape(frozen.layers, 2, frozen.hidden)
        self._few = few_arguments(frozen)
        self._dense = product is best_product and int8_is_exact(37, frozen.head_size)
        self._answer_rows = min(PASS, max(ANSWER_ROWS, ANSWER_ELEMENTS // self.alphabet))

    def start(self, lanes: int) -> State:
        """A state of `lanes` lanes; the first step must restart each."""
        return self._state(np.full(lanes, -1, np.int64), min(FIRST_SLOTS, self.frozen.context))

    def step(self, state: State, symbols: npt.NDArray[np.int64]) -> Frequencies:
        """See `stackc.api.Predictor.step`. Raises `CodingError` for a symbol outside the alphabet."""
        if len(symbols) <= FEW:
            return self._step_few(state, np.ascontiguousarray(symbols, np.int64))
        lanes = np.flatnonzero(symbols != IDLE)
        if not len(lanes):
            return state.answer
        whole = len(lanes) == len(symbols)
        inputs = symbols if whole else symbols[lanes]
        positions = self._advance(state, lanes, inputs)
        inputs = np.where(inputs == RESTART, self.alphabet, inputs)
        if state.buffers is None:
            state.buffers = self._buffers(len(symbols))
        buffers = state.buffers
        for start in range(0, len(lanes), PASS):
            part = slice(start, start + PASS)
            at = positions[part]
            first = np.maximum(at - self.frozen.context + 1, 0)
            y = self._body(buffers, inputs[part], state.kv, lanes[part], at % state.slots, first, at, [])
            for begin in range(0, len(y), self._answer_rows):
                rows = y[begin : begin + self._answer_rows]
                chosen = lanes[part][begin : begin + self._answer_rows]
                if whole:
                    self._answer(buffers, rows, state.answer[chosen[0] : chosen[-1] + 1])
                else:
                    answer = np.empty((len(rows), self.alphabet), np.uint32)
                    state.answer[chosen] = self._answer(buffers, rows, answer)
        return state.answer

    def take(self, state: State, lanes: npt.NDArray[np.int64]) -> State:
        """A new state whose lane i is a copy of lane lanes[i]."""
        positions = state.positions[lanes]
        reached = int(positions.max(initial=-1)) + 1
        slots = min(_room(reached, FIRST_SLOTS, self.frozen.context), state.slots)
        taken = self._state(positions, slots)
        np.take(state.kv[:, :, :slots], lanes, axis=1, out=taken.kv, mode="clip")
        return taken

    def score(self, segment: Symbols, restarts: npt.NDArray[np.bool_] | None = None) -> Iterator[Frequencies]:
        """See `stackc.api.Predictor`: memory is bounded by a pass and the context, not by the segment."""
        frozen, count = self.frozen, len(segment)
        if not count:
            return
        if not 0 <= int(segment.min()) <= int(segment.max()) < self.alphabet:
            raise CodingError(f"a symbol outside the alphabet of {self.alphabet}")
        size = min(PASS, count)
        buffers = self._buffers(size)
        history = min(frozen.context - 1, count)
        # One lane without a ring: slot `history` is a pass's first position, what came before lies below it.
        kv = self._state(np.zeros(1, np.int64), history + size).kv
        restart = 0
        for start in range(0, count, size):
            inputs, starts = pass_inputs(segment, restarts, start, min(start + size, count), self.alphabet, restart)
            restart = int(starts[-1])
            at = history + np.arange(len(inputs), dtype=np.int64)
            first = np.maximum(starts + (history - start), at - frozen.context + 1)
            blocks = dense_blocks(first, at) if self._dense else []
            y = self._body(buffers, inputs, kv, np.zeros_like(at), at, first, at, blocks)
            for begin in range(0, len(y), self._answer_rows):
                rows = y[begin : begin + self._answer_rows]
                yield self._answer(buffers, rows, np.empty((len(rows), self.alphabet), np.uint32))
            kv[:, 0, :history] = kv[:, 0, len(inputs) : len(inputs) + history].copy()

    def _step_few(self, state: State, symbols: npt.NDArray[np.int64]) -> Frequencies:
        """`step` of a few lanes."""
        # Imported here: it takes seconds to compile, once a machine, and building a stack does without it.
        from stackc_torch import few

        while True:
            outcome = few.step_few(symbols, state.positions, self.frozen.context, state.kv, *self._few, state.answer)
            if outcome == few.DONE:
                return state.answer
            if outcome == few.OUTSIDE:
                raise CodingError(f"a symbol outside the alphabet of {self.alphabet}")
            if outcome == few.NOT_STARTED:
                raise CodingError("a lane was stepped before it was restarted")
            self._grow(state, 2 * state.slots)

    def _buffers(self, rows: int) -> Buffers:
        """Working memory for passes over at most so many positions."""
        return Buffers(self.frozen, min(PASS, rows), min(self._answer_rows, rows))

    def _body(
        self,
        buffers: Buffers,
        inputs: Array,
        kv: Array,
        lanes: Array,
        slots: Array,
        first: Array,
        last: Array,
        blocks: list[tuple[int, int]],
    ) -> torch.Tensor:
        """All but the projection to symbols: int8[n, d].

        Args:
            buffers: of at least n rows; the answer lies in them.
            inputs: int64[n], the symbol before each position, A where its context is empty.
            kv: as in `State`; position n is written to slot slots[n] of lane lanes[n].
            first, last: int64[n]; position n sees its lane's positions first .. last.
            blocks: runs of positions that attend by matrix products.
        """
        frozen, b = self.frozen, buffers.of(len(inputs))
        np.take(frozen.embed, inputs, axis=0, out=b.x, mode="clip")
        for layer in range(frozen.layers):
            kernels.norm_rows(b.x, self._norms[2 * layer], b.y)
            self._qkv[layer](b.y_t, b.qkv_t)
            kernels.split_rows(b.qkv_heads, self._qkv_shift[layer], lanes, slots, b.q, kv[layer])
            self._attend(layer, b, kv[layer], lanes, first, last, blocks)
            self._out[layer](b.mixed_t, b.added_t)
            kernels.add_rows(b.x, b.added, frozen.out_shift[layer])
            kernels.norm_rows(b.x, self._norms[2 * layer + 1], b.y)
            self._gate_up[layer](b.y_t, b.gate_up_t)
            kernels.gate_rows(b.gate_up_pair, self._gate_up_shift[layer], b.hidden)
            self._down[layer](b.hidden_t, b.added_t)
            kernels.add_rows(b.x, b.added, frozen.down_shift[layer])
        kernels.norm_rows(b.x, self._norms[-1], b.y)
        return b.y_t

    def _attend(
        self, layer: int, b: Any, kv: Array, lanes: Array, first: Array, last: Array, blocks: list[tuple[int, int]]
    ) -> None:
        """Attention of one layer: `blocks` by matrix products, the positions between them one by one."""
        frozen, done = self.frozen, 0
        bias, score, table = frozen.bias[layer], frozen.score[layer], frozen.exponential
        for start, end in [*blocks, (len(first), len(first))]:
            if done < start:
                part = slice(done, start)
                kernels.attend_rows(
                    b.q[part], kv, lanes[part], first[part], last[part], bias, score, table, b.mixed_heads[part]
                )
            if start < end:
                part = slice(start, end)
                attend_block(b.q[part], kv[0], first[part], last[part], bias, score, table, b.mixed[part])
            done = end

    def _answer(self, buffers: Buffers, y: torch.Tensor, out: Frequencies) -> Frequencies:
        """The last product and its frequencies, for up to `_answer_rows` positions."""
        sums = buffers.head[: len(y)]
        self._head(y, sums)
        kernels.frequency_rows(sums.numpy(), self.frozen.head_shift, self.frozen.exponential, out)
        return out

    def _advance(self, state: State, lanes: Array, inputs: Array) -> Array:
        """Move the given lanes on by one position, making room where needed; their positions."""
        if int(inputs.min()) < RESTART or int(inputs.max()) >= self.alphabet:
            raise CodingError(f"a symbol outside the alphabet of {self.alphabet}")
        before = state.positions[lanes]
        restarted = inputs == RESTART
        if (before[~restarted] < 0).any():
            raise CodingError("a lane was stepped before it was restarted")
        positions = np.where(restarted, 0, before + 1)
        state.positions[lanes] = positions
        needed = int(positions.max()) + 1
        if needed > state.slots < self.frozen.context:
            self._grow(state, needed)
        return positions

    def _grow(self, state: State, needed: int) -> None:
        """Give every lane room for at least `needed` positions, or the whole context. No ring has wrapped yet."""
        slots = _room(needed, 2 * state.slots, self.frozen.context)
        grown = self._state(state.positions, slots).kv
        grown[:, :, : state.slots] = state.kv
        state.kv = grown

    def _state(self, positions: Array, slots: int) -> State:
        frozen, lanes = self.frozen, len(positions)
        return State(
            positions=positions,
            kv=np.zeros((frozen.layers, lanes, slots, 2, frozen.heads, frozen.head_size), np.int8),
            answer=np.zeros((lanes, self.alphabet), np.uint32),
        )


def few_arguments(frozen: Frozen) -> tuple[Array, ...]:
    """The network's part of the arguments of `few.step_few`."""
    f = frozen
    return (
        f.embed, f.norms,
        f.qkv, f.qkv_shift.reshape(f.layers, 3, f.heads, f.head_size), f.bias, f.score,
        f.out, f.out_shift, f.gate_up, f.gate_up_shift.reshape(f.layers, 2, f.hidden),
        f.down, f.down_shift, f.head, f.head_shift, f.exponential,
    )  # fmt: skip


def _room(needed: int, least: int, context: int) -> int:
    """Slots for `needed` positions: at least `least`, at most the context."""
    return min(max(needed, least), context)


def pass_inputs(
    segment: Symbols, restarts: npt.NDArray[np.bool_] | None, start: int, end: int, empty: int, restart: int
) -> tuple[Array, Array]:
    """What positions start .. end - 1 read, and where each one's context starts, counted from the segment's start.

    Args:
        restarts: bool[n] of the segment; position 0 restarts in any case.
        empty: stands for the empty context.
        restart: where the context of position start - 1 starts.
    """
    inputs = np.empty(end - start, np.int64)
    inputs[0] = segment[start - 1] if start else empty
    inputs[1:] = segment[start : end - 1]
    starts = np.full(end - start, restart, np.int64)
    if restarts is not None:
        fresh = np.asarray(restarts[start:end], bool)
        inputs[fresh] = empty
        starts[fresh] = start + np.flatnonzero(fresh)
        starts = np.maximum.accumulate(starts)
    return inputs, starts
