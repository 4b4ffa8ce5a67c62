"""The arithmetic of the recurrent network on CPU: numpy arrays, int8 products by torch, the rest by numba."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from stackc.api import CompiledStep, Frequencies
from stackc_torch.frozen import kernels
from stackc_torch.frozen.cpu import OnCpu
from stackc_torch.frozen.gemm import Product, best_product
from stackc_torch.frozen.rules import Array, exponential_table
from stackc_torch.gru.arithmetic import Recurrent
from stackc_torch.gru.arrays import FrozenGru, tables
from stackc_torch.gru.kernels import operand_rows, recur_rows, remember_rows, rules


class CpuArithmetic(OnCpu, Recurrent):
    """See `OnCpu`: x int32[n, d], sums int32, states int16."""

    frozen: FrozenGru

    def __init__(self, frozen: FrozenGru, product: Callable[[Array], Product] = best_product) -> None:
        super().__init__(frozen, product)
        self._enter = [product(weights) for weights in frozen.enter]
        self._recall = [product(weights) for weights in frozen.recall]
        self._out = [product(weights) for weights in frozen.out]
        f = frozen
        self._rules = np.stack([rules(f.enter_shift[i], f.recall_shift[i], f.bias[i]) for i in range(f.layers)])
        # As `few` takes it.
        self._few = (
            f.embed, f.norms, f.enter, f.recall, self._rules, f.out, f.out_shift, *tables(), f.head, f.head_shift,
            exponential_table(),
        )  # fmt: skip

    def states(self, *shape: int) -> Array:
        return np.zeros((*shape, self.frozen.units), np.int16)

    def enter(self, layer: int, x: Array) -> Array:
        return self.product(self._enter[layer], self.normed(x, layer), 3 * self.frozen.units)

    def remember(self, layer: int, entering: Array, h: Array) -> Array:
        recalled = self.product(self._recall[layer], operand(h), 3 * self.frozen.units)
        after = np.ascontiguousarray(h)
        remember_rows(np.ascontiguousarray(entering), recalled, self._rules[layer], *tables(), after)
        return after

    def recur(self, layer: int, entering: Array, fresh: Array, h: Array) -> Array:
        out = np.empty((len(entering), self.frozen.units), np.int16)
        recall = self.frozen.recall[layer]
        recur_rows(entering, recall, self._rules[layer], *tables(), fresh, np.array(h, order="C"), out)
        return out

    def leave(self, layer: int, x: Array, h: Array) -> Array:
        sums = self.product(self._out[layer], operand(h), self.frozen.width)
        kernels.add_rows(x, sums, self.frozen.out_shift[layer])
        return x

    def step_few(self, memory: Array, symbols: Array, positions: Array, answer: Frequencies) -> None:
        # Imported here: it takes seconds to compile, once per machine, and building a stack does without it.
        from stackc_torch.gru.few import step_few

        step_few(symbols, answer, memory, *self._few)

    @property
    def lane_bytes(self) -> int:
        return int(2 * self.frozen.layers * self.frozen.units + 2 * self.frozen.width)

    def compiled(self) -> CompiledStep:
        from stackc_torch.gru import few

        return CompiledStep(
            advance=few.advance, fill=few.fill, tables=self._few, start=self._start_compiled, most_lanes=self.few
        )

    def _start_compiled(self, lanes: int) -> tuple[Array, ...]:
        f = self.frozen
        return np.zeros((lanes, f.layers, 1, f.units), np.int16), np.zeros((lanes, f.width), np.int16)


def operand(h: Array) -> Array:
    """States int16[n, H] as int8."""
    out = np.empty(h.shape, np.int8)
    operand_rows(np.ascontiguousarray(h), out)
    return out
