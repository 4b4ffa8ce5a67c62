"""The arithmetic of the frozen transformer on CPU: int8 matrix products (torch) and a handful of fused kernels (numba).

n positions in a pass, L lanes, d width, H heads, D head size, F hidden, A alphabet, C context.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import numpy as np

from stackc.api import CompiledStep, Frequencies
from stackc_torch.frozen import kernels as shared
from stackc_torch.frozen.cpu import OnCpu
from stackc_torch.frozen.gemm import Multiply, Product, best_multiply, best_product
from stackc_torch.frozen.rules import Array
from stackc_torch.transformer import kernels
from stackc_torch.transformer.arrays import Frozen
from stackc_torch.transformer.buffers import Buffers
from stackc_torch.transformer.dense import Runs, attend_block, dense_blocks

FIRST_SLOTS = 16
"""Positions that a fresh lane has room for; it grows by doubling up to the context."""


@attrs.define
class Memory:
    """What lanes remember, and the working memory of passes over at most `rows` positions, made by the first of them.

    Attributes:
        kv: int8[layers, L, S, 2, H, D], keys then values; position p of a lane is stored in slot p % S. S is less
            than C only while no lane has come that far.
    """

    kv: Array
    rows: int
    buffers: Buffers | None = None


class CpuArithmetic(OnCpu):
    """See `OnCpu`."""

    frozen: Frozen
    positions = 512
    """A pass: its working memory stays in the second-level cache."""

    def __init__(self, frozen: Frozen, product: Callable[[Array], Product] = best_product) -> None:
        super().__init__(frozen, product)
        f = frozen
        self._qkv = [product(weights) for weights in f.qkv]
        self._out = [product(weights) for weights in f.out]
        self._gate_up = [product(weights) for weights in f.gate_up]
        self._down = [product(weights) for weights in f.down]
        self._qkv_shift = f.qkv_shift.reshape(f.layers, 3, f.heads, f.head_size)
        self._gate_up_shift = f.gate_up_shift.reshape(f.layers, 2, f.hidden)
        # As `few` takes it.
        self._few = (
            f.context, f.embed, f.norms, f.qkv, self._qkv_shift, f.bias, f.score, f.out, f.out_shift,
            f.gate_up, self._gate_up_shift, f.down, f.down_shift, f.exponential, f.head, f.head_shift,
        )  # fmt: skip
        # None: each position attends alone, which tests compare with.
        self._multiply: Multiply | None = best_multiply(f.head_size) if product is best_product else None

    def start(self, lanes: int) -> Memory:
        return self._memory(lanes, min(FIRST_SLOTS, self.frozen.context))

    def take(self, memory: Memory, lanes: Array, reached: int) -> Memory:
        have = memory.kv.shape[2]
        slots = min(have, max(reached + 1, FIRST_SLOTS), self.frozen.context)
        taken = self._memory(len(lanes), slots)
        np.take(memory.kv[:, :, :slots], lanes, axis=1, out=taken.kv, mode="clip")
        return taken

    def reach(self, memory: Memory, position: int) -> None:
        # Until every lane has room for the whole context, no ring has wrapped: slots keep their places.
        have = memory.kv.shape[2]
        if have <= position and have < self.frozen.context:
            grown = self._memory(memory.rows, min(max(position + 1, 2 * have), self.frozen.context)).kv
            grown[:, :, :have] = memory.kv
            memory.kv = grown

    def step(self, memory: Memory, lanes: Array, inputs: Array, positions: Array) -> Array:
        first = np.maximum(positions - self.frozen.context + 1, 0)
        slots = positions % memory.kv.shape[2]
        return self._body(memory, inputs, lanes, slots, first, positions, [])

    def step_few(self, memory: Memory, symbols: Array, positions: Array, answer: Frequencies) -> None:
        # Imported here: it takes seconds to compile, once per machine, and building a stack does without it.
        from stackc_torch.transformer.few import step_few

        step_few(symbols, positions, answer, memory.kv, *self._few)

    @property
    def lane_bytes(self) -> int:
        f = self.frozen
        return int(2 * f.layers * f.context * f.inner + f.width + 8)

    def compiled(self) -> CompiledStep:
        from stackc_torch.transformer import few

        return CompiledStep(
            advance=few.advance, fill=few.fill, tables=self._few, start=self._start_compiled, most_lanes=self.few
        )

    def _start_compiled(self, lanes: int) -> tuple[Array, ...]:
        f = self.frozen
        kv = np.zeros((lanes, f.layers, 1, f.context, 2, f.heads, f.head_size), np.int8)
        return np.full(lanes, -1, np.int64), kv, np.zeros((lanes, f.width), np.int8)

    def scorer(self, count: int, positions: int) -> Memory:
        # One lane without a ring: what came before a pass is stored below the slots of its positions.
        return self._memory(1, min(self.frozen.context - 1, count) + positions, positions)

    def score(self, memory: Memory, inputs: Array, starts: Array) -> Array:
        count, history = len(inputs), memory.kv.shape[2] - memory.rows
        at = history + np.arange(count, dtype=np.int64)
        first = np.maximum(starts + history, at - self.frozen.context + 1)
        blocks = dense_blocks(first, at) if self._multiply else []
        y = self._body(memory, inputs, np.zeros_like(at), at, first, at, blocks)
        memory.kv[:, 0, :history] = memory.kv[:, 0, count : count + history].copy()
        return y

    def _body(
        self, memory: Memory, inputs: Array, lanes: Array, slots: Array, first: Array, last: Array, blocks: Runs
    ) -> Array:
        """All but the projection to symbols: int8[n, d].

        Args:
            inputs: int64[n], the symbol before each position, A where its context is empty.
            lanes, slots: int64[n], where each position's key and value are written.
            first, last: int64[n]; position n sees its lane's positions first .. last.
            blocks: runs of positions that attend by matrix products.
        """
        if memory.buffers is None:
            memory.buffers = Buffers(self.frozen, min(self.lanes, memory.rows))
        frozen, kv, b = self.frozen, memory.kv, memory.buffers.of(len(inputs))
        np.take(frozen.embed, inputs, axis=0, out=b.x, mode="clip")
        for layer in range(frozen.layers):
            shared.norm_rows(b.x, self._norms[2 * layer], b.y)
            self._qkv[layer](b.y_t, b.qkv_t)
            kernels.split_rows(b.qkv_heads, self._qkv_shift[layer], lanes, slots, b.q, kv[layer])
            self._attend(layer, b, kv[layer], lanes, first, last, blocks)
            self._out[layer](b.mixed_t, b.added_t)
            shared.add_rows(b.x, b.added, frozen.out_shift[layer])
            shared.norm_rows(b.x, self._norms[2 * layer + 1], b.y)
            self._gate_up[layer](b.y_t, b.gate_up_t)
            kernels.gate_rows(b.gate_up_pair, self._gate_up_shift[layer], b.hidden)
            self._down[layer](b.hidden_t, b.added_t)
            shared.add_rows(b.x, b.added, frozen.down_shift[layer])
        return self.normed(b.x, -1)

    def _attend(self, layer: int, b: Any, kv: Array, lanes: Array, first: Array, last: Array, blocks: Runs) -> None:
        """Attention of one layer: `blocks` by matrix products, and the positions between them one by one."""
        frozen, done = self.frozen, 0
        rules = frozen.bias[layer], frozen.score[layer], frozen.exponential
        for start, end in [*blocks, (len(first), len(first))]:
            if done < start:
                part = slice(done, start)
                kernels.attend_rows(b.q[part], kv, lanes[part], first[part], last[part], *rules, b.mixed_heads[part])
            if start < end:
                part = slice(start, end)
                assert self._multiply is not None
                attend_block(b.q[part], kv[0], first[part], last[part], *rules, b.mixed[part], self._multiply)
            done = end

    def _memory(self, lanes: int, slots: int, rows: int = 0) -> Memory:
        f = self.frozen
        return Memory(np.zeros((f.layers, lanes, slots, 2, f.heads, f.head_size), np.int8), rows or lanes)
