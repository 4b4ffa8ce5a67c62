"""The fast route on CPU: int8 matrix products (torch) and a handful of fused kernels (numba).

n positions in a pass, L lanes, d width, HD heads' width, F hidden, A alphabet, C context.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import torch

from stackc.api import IDLE, RESTART, CodingError, Frequencies, Portability, Symbols
from stackc_torch import kernels
from stackc_torch.dense import attend_block, dense_blocks
from stackc_torch.gemm import Product, best_product, int8_is_exact
from stackc_torch.integers import Array, Frozen

PASS = 512
"""Positions of a pass: its buffers stay in the second-level cache."""

ANSWER_ELEMENTS = 1 << 20
"""Frequencies that are made at once: large alphabets are answered in smaller blocks."""

FIRST_SLOTS = 16
"""Positions that a fresh lane has room for; it grows by doubling up to the context."""


@attrs.define(kw_only=True)
class State:
    """Lanes in the middle of their texts.

    Attributes:
        positions: int64[L]; the position last taken in since the restart, -1 before the first.
        slots: positions a lane has room for; position p lies in row p % slots. Less than C only while no
            lane has come that far.
        kv: for each layer int8[L, slots, 2, H, D], keys then values.
        answer: uint32[L, A], reused by every step.
    """

    positions: npt.NDArray[np.int64]
    slots: int
    kv: list[Array]
    answer: Array


class CpuPredictor:
    """A `stackc.api.Predictor` over a frozen network.

    Args:
        frozen: the integers.
        product: makes the exact product of a weight matrix; tests pass `gemm.float_product`.
    """

    portability: Portability = "portable"

    def __init__(self, frozen: Frozen, product: Any = best_product) -> None:
        self.frozen = frozen
        self.alphabet = frozen.alphabet
        layers = range(frozen.layers)
        self._qkv: list[Product] = [product(frozen.qkv[layer]) for layer in layers]
        self._out: list[Product] = [product(frozen.out[layer]) for layer in layers]
        self._gate_up: list[Product] = [product(frozen.gate_up[layer]) for layer in layers]
        self._down: list[Product] = [product(frozen.down[layer]) for layer in layers]
        self._head: Product = product(frozen.head)
        self._norms = [int(multiplier) for multiplier in frozen.norms]
        by_head = (frozen.layers, 3, frozen.heads, frozen.head_size)
        self._qkv_shift = frozen.qkv_shift.reshape(by_head)
        self._gate_up_shift = frozen.gate_up_shift.reshape(frozen.layers, 2, frozen.hidden)
        self._dense = product is best_product and int8_is_exact(37, frozen.head_size)
        self._answer_rows = max(1, min(PASS, ANSWER_ELEMENTS // self.alphabet))
        self._buffers = _Buffers(frozen, self._answer_rows)

    def start(self, lanes: int) -> State:
        """A state of `lanes` lanes; the first step must restart each."""
        return self._state(np.full(lanes, -1, np.int64), min(FIRST_SLOTS, self.frozen.context))

    def step(self, state: State, symbols: npt.NDArray[np.int64]) -> Frequencies:
        """See `stackc.api.Predictor.step`. Raises `CodingError` for a symbol outside the alphabet."""
        lanes = np.flatnonzero(symbols != IDLE)
        if not len(lanes):
            return state.answer
        whole = len(lanes) == len(symbols)
        inputs = symbols if whole else symbols[lanes]
        positions = self._advance(state, lanes, inputs)
        inputs = np.where(inputs == RESTART, self.alphabet, inputs)
        for start in range(0, len(lanes), PASS):
            part = slice(start, start + PASS)
            at = positions[part]
            first = np.maximum(at - self.frozen.context + 1, 0)
            y = self._body(inputs[part], state.kv, lanes[part], at % state.slots, first, at)
            for begin in range(0, len(y), self._answer_rows):
                rows = y[begin : begin + self._answer_rows]
                chosen = lanes[part][begin : begin + self._answer_rows]
                if whole:
                    self._answer(rows, state.answer[chosen[0] : chosen[-1] + 1])
                else:
                    state.answer[chosen] = self._answer(rows, np.empty((len(rows), self.alphabet), np.uint32))
        return state.answer

    def take(self, state: State, lanes: npt.NDArray[np.int64]) -> State:
        """A new state whose lane i is a copy of lane lanes[i]."""
        positions = state.positions[lanes]
        reached = int(positions.max(initial=-1)) + 1
        slots = state.slots if reached > state.slots else self._room(reached, FIRST_SLOTS)
        taken = self._state(positions.copy(), min(slots, state.slots))
        for mine, theirs in zip(taken.kv, state.kv, strict=True):
            np.take(theirs[:, : taken.slots], lanes, axis=0, out=mine, mode="clip")
        return taken

    def score(self, segment: Symbols, restarts: npt.NDArray[np.bool_] | None = None) -> Iterator[Frequencies]:
        """See `stackc.api.Predictor`: memory is bounded by a pass and the context, not by the segment."""
        frozen, count = self.frozen, len(segment)
        if count and not 0 <= int(segment.min()) <= int(segment.max()) < self.alphabet:
            raise CodingError(f"a symbol outside the alphabet of {self.alphabet}")
        size = min(PASS, count)
        history = min(frozen.context - 1, count)
        shape = (1, history + size, 2, frozen.heads, frozen.head_size)
        kv = [np.empty(shape, np.int8) for _ in range(frozen.layers)]
        restart = 0
        for start in range(0, count, size):
            inputs, starts = pass_inputs(segment, restarts, start, min(start + size, count), self.alphabet, restart)
            restart = int(starts[-1])
            # Row `history` of the buffers is position `start`; what came before lies above it.
            at = history + np.arange(len(inputs), dtype=np.int64)
            first = np.maximum(starts + (history - start), at - frozen.context + 1)
            y = self._body(inputs, kv, np.zeros_like(at), at, first, at)
            for begin in range(0, len(y), self._answer_rows):
                rows = y[begin : begin + self._answer_rows]
                yield self._answer(rows, np.empty((len(rows), self.alphabet), np.uint32))
            for layer in kv:
                layer[0, :history] = layer[0, len(inputs) : len(inputs) + history].copy()

    def _body(self, inputs: Array, kv: list[Array], lanes: Array, slots: Array, first: Array, last: Array) -> torch.Tensor:
        """All but the projection to symbols: int8[n, d]. Position n is written to kv[lanes[n], slots[n]]."""
        frozen, b = self.frozen, self._buffers.of(len(inputs))
        np.take(frozen.embed, inputs, axis=0, out=b.x, mode="clip")
        blocks = dense_blocks(first, last) if self._dense and len(kv[0]) == 1 and len(inputs) > 1 else []
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
        """Attention of one layer: runs of positions that share most of their keys by matrix products, the rest alone."""
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

    def _answer(self, y: torch.Tensor, out: Frequencies) -> Frequencies:
        """The last product and its frequencies, for up to `_answer_rows` positions."""
        sums = self._buffers.head[: len(y)]
        self._head(y, sums)
        kernels.frequency_rows(sums.numpy(), self.frozen.head_shift, self.frozen.exponential, out)
        return out

    def _advance(self, state: State, lanes: Array, inputs: Array) -> Array:
        """Move the given lanes on by one position, making room where needed; their positions."""
        low, high = int(inputs.min()), int(inputs.max())
        if low < RESTART or high >= self.alphabet:
            raise CodingError(f"symbol {low if low < RESTART else high} outside the alphabet of {self.alphabet}")
        before = state.positions[lanes]
        restarted = inputs == RESTART
        if (before[~restarted] < 0).any():
            raise CodingError("a lane was stepped before it was restarted")
        positions = np.where(restarted, 0, before + 1)
        state.positions[lanes] = positions
        needed = int(positions.max()) + 1
        if needed > state.slots < self.frozen.context:
            slots = self._room(needed, 2 * state.slots)
            grown = [np.zeros((len(layer), slots, *layer.shape[2:]), np.int8) for layer in state.kv]
            for new, old in zip(grown, state.kv, strict=True):
                new[:, : state.slots] = old
            state.kv, state.slots = grown, slots
        return positions

    def _room(self, needed: int, least: int) -> int:
        """Slots for `needed` positions: at least `least`, at most the context."""
        return min(max(needed, least), self.frozen.context)

    def _state(self, positions: Array, slots: int) -> State:
        shape = (len(positions), slots, 2, self.frozen.heads, self.frozen.head_size)
        return State(
            positions=positions,
            slots=slots,
            kv=[np.zeros(shape, np.int8) for _ in range(self.frozen.layers)],
            answer=np.zeros((len(positions), self.alphabet), np.uint32),
        )


def pass_inputs(
    segment: Symbols, restarts: npt.NDArray[np.bool_] | None, start: int, end: int, empty: int, restart: int
) -> tuple[Array, Array]:
    """What positions start .. end - 1 read, and where each one's context starts, counted from the segment's start."""
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


class _Views:
    """The first n rows of every buffer, as numpy and (ending in _t) as torch."""

    def __init__(self, frozen: Frozen, held: dict[str, torch.Tensor], count: int) -> None:
        for name, tensor in held.items():
            setattr(self, f"{name}_t", tensor[:count])
            setattr(self, name, tensor[:count].numpy())
        by_head = (count, frozen.heads, frozen.head_size)
        self.q = self.q.reshape(by_head)
        self.mixed_heads = self.mixed.reshape(by_head)
        self.qkv_heads = self.qkv.reshape(count, 3, *by_head[1:])
        self.gate_up_pair = self.gate_up.reshape(count, 2, frozen.hidden)


class _Buffers:
    """Working memory of a pass, allocated once; views of the sizes last asked for are kept."""

    def __init__(self, frozen: Frozen, answer_rows: int) -> None:
        d, inner, hidden = frozen.width, frozen.inner, frozen.hidden
        columns = {"y": d, "q": inner, "mixed": inner, "hidden": hidden}
        wide = {"x": d, "qkv": 3 * inner, "added": d, "gate_up": 2 * hidden}
        self._frozen = frozen
        self._held = {name: torch.empty(PASS, size, dtype=torch.int8) for name, size in columns.items()}
        self._held |= {name: torch.empty(PASS, size, dtype=torch.int32) for name, size in wide.items()}
        self.head = torch.empty(answer_rows, frozen.alphabet, dtype=torch.int32)
        self._views: dict[int, Any] = {}

    def of(self, count: int) -> Any:
        """Views of `count` rows."""
        if count not in self._views:
            if len(self._views) > 64:
                self._views.clear()
            self._views[count] = _Views(self._frozen, self._held, count)
        return self._views[count]
