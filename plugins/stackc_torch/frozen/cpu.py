"""What the arithmetics of all networks on CPU share: operands made by numba, products by torch, frequencies by both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from stackc.api import Frequencies
from stackc_torch.frozen import kernels
from stackc_torch.frozen.arrays import FrozenArrays
from stackc_torch.frozen.gemm import Product, best_product
from stackc_torch.frozen.rules import Array, exponential_table

ANSWER_ELEMENTS = 1 << 18
ANSWER_ROWS = 32
"""Frequencies that are made at once: what the cache holds, but at least 32 rows a pass over the weights."""


class OnCpu:
    """An `stackc_torch.frozen.predictor.Arithmetic`, but for the network itself.

    Args:
        frozen: the integers.
        product: makes the exact product of a weight matrix; tests pass `gemm.float_product`.
    """

    few = 4
    lanes = 512

    def __init__(self, frozen: Any, product: Callable[[Array], Product] = best_product) -> None:
        self.frozen: FrozenArrays = frozen
        self.rows = max(ANSWER_ROWS, ANSWER_ELEMENTS // frozen.alphabet)
        self._head, self._head_shift = product(frozen.head), frozen.head_shift
        self._norms = [int(multiplier) for multiplier in frozen.norms]

    def answer(self, memory: Any, y: Array, out: Frequencies) -> None:
        sums = self.product(self._head, y, self.frozen.alphabet)
        kernels.frequency_rows(sums, self._head_shift, exponential_table(), out)

    @staticmethod
    def product(product: Product, a: Array, rows: int) -> Array:
        """The product by a matrix of `rows` rows, in new memory."""
        out = np.empty((len(a), rows), np.int32)
        product(torch.from_numpy(a), torch.from_numpy(out))
        return out

    def embedded(self, inputs: Array) -> Array:
        """The stream x[n, d] of symbols."""
        return np.take(self.frozen.embed, inputs, axis=0)

    def normed(self, x: Array, number: int) -> Array:
        """The rows of x by a norm, as operands."""
        y = np.empty(x.shape, np.int8)
        kernels.norm_rows(x, self._norms[number], y)
        return y
