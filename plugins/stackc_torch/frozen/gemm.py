"""Exact products of int8 matrices on CPU: torch's int8 kernel if it proves exact on this machine, else float32.

Tried with worst-case operands and not looked up in a list of processors: whether sums saturate depends on the
instructions, the build of torch and the shape. Float32 is about half as fast, and exact in any order of the sums.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import torch

from stackc_torch.frozen.rules import TOP, Array

FLOAT_INNER = 1040
"""127 * 127 * 1040 < 2^24: up to here every partial sum of a float32 product is exact."""

Product = Callable[[torch.Tensor, torch.Tensor], None]
"""(a int8[m, K], out int32[m, R]): out becomes a times the transposed weights."""


def int8_product(weights: Array) -> Product:
    """Products by weights[R, K] in int8. Exact only if `int8_is_exact`."""
    w = torch.from_numpy(weights).T

    def product(a: torch.Tensor, out: torch.Tensor) -> None:
        torch._int_mm(a, w, out=out)

    return product


def float_product(weights: Array) -> Product:
    """Products by weights[R, K] in float32, over at most 1,040 inputs at a time: exact in any order, everywhere."""
    starts = range(0, weights.shape[1], FLOAT_INNER)
    parts = [torch.from_numpy(weights[:, start : start + FLOAT_INNER]).to(torch.float32).T for start in starts]

    def product(a: torch.Tensor, out: torch.Tensor) -> None:
        floats = a.to(torch.float32)
        out.copy_(floats[:, :FLOAT_INNER] @ parts[0])
        for start, part in zip(starts[1:], parts[1:], strict=True):
            out += (floats[:, start : start + FLOAT_INNER] @ part).to(torch.int32)

    return product


@functools.lru_cache(maxsize=64)
def int8_is_exact(outputs: int, inner: int) -> bool:
    """Whether torch's int8 product gives right sums of this shape on this machine.

    Without the VNNI instructions it may saturate pairs of products at 16 bits, without an error: rows of +127
    and -127 show it.
    """
    w = np.full((outputs, inner), TOP, np.int8)
    w[1::2] = -TOP
    w[2::3, ::2] = -TOP
    a = np.full((37, inner), TOP, np.int8)
    a[1::2, 1::2] = -TOP
    a[5::3] = -TOP
    # Float64 holds these sums exactly.
    expected = a.astype(np.float64) @ w.T.astype(np.float64)
    # The same operands with gaps between rows, as in attention.
    gaps = [np.zeros((len(x), 2, inner), np.int8) for x in (a, w)]
    gaps[0][:, 1], gaps[1][:, 1] = a, w
    apart_a, apart_w = (torch.from_numpy(x)[:, 1] for x in gaps)
    try:
        for rows in (1, 2, 16, 37):
            out = torch.empty(rows, outputs, dtype=torch.int32)
            int8_product(w)(torch.from_numpy(a[:rows]), out)
            apart = torch._int_mm(apart_a[:rows], apart_w.T)
            if not (np.array_equal(out.numpy(), expected[:rows]) and torch.equal(apart, out)):
                return False
    except RuntimeError:  # no int8 kernel in this build, or not for this shape
        return False
    return True


def best_product(weights: Array) -> Product:
    """The fastest exact product for these weights on this machine."""
    return int8_product(weights) if int8_is_exact(*weights.shape) else float_product(weights)
