"""The arithmetic of the recurrent network on CPU: numpy arrays, int8 products by torch, the rest by numba."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch

from stackc.api import CodingError, Frequencies
from stackc_torch import integers as I
from stackc_torch import kernels
from stackc_torch.gemm import Product, best_product
from stackc_torch.gru import integers as G
from stackc_torch.gru.integers import FrozenGru
from stackc_torch.gru.kernels import operand_rows, recur_rows, remember_rows, rules
from stackc_torch.integers import Array

ANSWER_ELEMENTS = 1 << 18
"""Frequencies that are made at once: what the cache holds, but at least 32 rows a pass over the weights."""


class CpuArithmetic:
    """An `stackc_torch.gru.predictor.Arithmetic`: x int32[n, d], sums int32, states int16.

    Args:
        frozen: the integers.
        product: makes the exact product of a weight matrix; tests pass `gemm.float_product`.
    """

    few: int = 4

    def __init__(self, frozen: FrozenGru, product: Callable[[Array], Product] = best_product) -> None:
        self.frozen = frozen
        self._enter = [product(weights) for weights in frozen.enter]
        self._recall = [product(weights) for weights in frozen.recall]
        self._out = [product(weights) for weights in frozen.out]
        self._head = product(frozen.head)
        self._norms = [int(multiplier) for multiplier in frozen.norms]
        self._rules = [
            rules(frozen.enter_shift[layer], frozen.recall_shift[layer], frozen.bias[layer])
            for layer in range(frozen.layers)
        ]
        self._tables = G.tables()
        self._few = few_arguments(frozen)
        self._answer_rows = max(32, ANSWER_ELEMENTS // frozen.alphabet)

    def embed(self, inputs: Array) -> Array:
        return self.frozen.embed[inputs]

    def states(self, *shape: int) -> Array:
        return np.zeros((*shape, self.frozen.units), np.int16)

    def enter(self, layer: int, x: Array) -> Array:
        return self._product(self._enter[layer], self._normed(x, layer), 3 * self.frozen.units)

    def remember(self, layer: int, entering: Array, h: Array) -> Array:
        recalled = self._product(self._recall[layer], operand(h), 3 * self.frozen.units)
        after = np.ascontiguousarray(h)
        remember_rows(np.ascontiguousarray(entering), recalled, self._rules[layer], *self._tables, after)
        return after

    def recur(self, layer: int, entering: Array, fresh: Array, h: Array) -> Array:
        out = np.empty((len(entering), self.frozen.units), np.int16)
        recall = self.frozen.recall[layer]
        recur_rows(entering, recall, self._rules[layer], *self._tables, fresh, np.array(h, order="C"), out)
        return out

    def leave(self, layer: int, x: Array, h: Array) -> Array:
        sums = self._product(self._out[layer], operand(h), self.frozen.width)
        kernels.add_rows(x, sums, self.frozen.out_shift[layer])
        return x

    def answers(self, x: Array) -> Iterator[Frequencies]:
        y = self._normed(x, -1)
        for start in range(0, len(y), self._answer_rows):
            sums = self._product(self._head, y[start : start + self._answer_rows], self.frozen.alphabet)
            rows = np.empty(sums.shape, np.uint32)
            kernels.frequency_rows(sums, self.frozen.head_shift, I.exponential_table(), rows)
            yield rows

    def step_few(self, symbols: Array, started: Array, h: Array, answer: Frequencies) -> None:
        # Imported here: it takes seconds to compile, once a machine, and building a stack does without it.
        from stackc_torch.gru import few

        outcome = few.step_few(symbols, started, h, *self._few, answer)
        if outcome == few.OUTSIDE:
            raise CodingError(f"a symbol outside the alphabet of {self.frozen.alphabet}")
        if outcome == few.NOT_STARTED:
            raise CodingError("a lane was stepped before it was restarted")

    def _normed(self, x: Array, number: int) -> Array:
        y = np.empty(x.shape, np.int8)
        kernels.norm_rows(x, self._norms[number], y)
        return y

    @staticmethod
    def _product(product: Product, a: Array, rows: int) -> Array:
        out = torch.empty((len(a), rows), dtype=torch.int32)
        product(torch.from_numpy(a), out)
        return out.numpy()


def few_arguments(frozen: FrozenGru) -> tuple[Array, ...]:
    """The network's part of the arguments of `few.step_few`."""
    f = frozen
    layers = [rules(f.enter_shift[i], f.recall_shift[i], f.bias[i]) for i in range(f.layers)]
    return (
        f.embed, f.norms, f.enter, f.recall, np.stack(layers), f.out, f.out_shift, f.head, f.head_shift,
        *G.tables(), I.exponential_table(),
    )  # fmt: skip


def operand(h: Array) -> Array:
    """States int16[n, H] as int8."""
    out = np.empty(h.shape, np.int8)
    operand_rows(np.ascontiguousarray(h), out)
    return out
