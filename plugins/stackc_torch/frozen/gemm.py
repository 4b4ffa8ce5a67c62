"""Exact products of int8 matrices on CPU, by torch: its int8 kernel where that is exact and fast, else float32.

Both give the same sums, so which one is used decides no bit. Tried on this machine and not looked up in a list of
processors: whether sums saturate, and whether the kernel is more than a plain loop, depends on the instructions, the
build of torch and the shape. With VNNI instructions int8 is about twice as fast as float32; without them, on a
processor with AVX2, it took up to 28 times as long.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

import numpy as np
import torch

from stackc_torch.frozen.rules import TOP, Array

FLOAT_INNER = 1040
"""127 * 127 * 1040 < 2^24: up to here every partial sum of a float32 product is exact."""

PLAIN = 1 << 14
"""Multiplications up to which a plain loop in int8 is as fast as float32, with its four calls of torch."""

TRIED = 32, 256, 256
"""Rows, outputs and inputs of the products by which `int8_is_fast` measures."""

Product = Callable[[torch.Tensor, torch.Tensor], None]
"""(a int8[m, K], out int32[m, R]): out becomes a times the transposed weights."""

Multiply = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], None]
"""(a int8[m, K], b int8[K, R], out int32[m, R]): out becomes a times b."""


def int8_multiply(a: torch.Tensor, b: torch.Tensor, out: torch.Tensor) -> None:
    """out int32[m, R] = a int8[m, K] times b int8[K, R], in int8. Exact only if `int8_is_exact`."""
    torch._int_mm(a, b, out=out)


def float_multiply(a: torch.Tensor, b: torch.Tensor, out: torch.Tensor) -> None:
    """The same in float32, over at most 1,040 inputs at a time: exact in any order, everywhere."""
    one, other = a.to(torch.float32), b.to(torch.float32)
    out.copy_(_multiplied(one[:, :FLOAT_INNER], other[:FLOAT_INNER]))
    for start in range(FLOAT_INNER, len(b), FLOAT_INNER):
        end = start + FLOAT_INNER
        out += _multiplied(one[:, start:end], other[start:end]).to(torch.int32)


def _multiplied(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Their product. Given `out`, torch makes it in float32 even under a caller's `torch.autocast`."""
    return torch.mm(a, b, out=a.new_empty((len(a), b.shape[1])))


def int8_product(weights: Array) -> Product:
    """Products by weights[R, K] in int8. Exact only if `int8_is_exact`."""
    w = torch.from_numpy(weights).T

    def product(a: torch.Tensor, out: torch.Tensor) -> None:
        torch._int_mm(a, w, out=out)

    return product


def float_product(weights: Array) -> Product:
    """The same in float32, with the weights converted once: exact everywhere, see `float_multiply`."""
    starts = range(0, weights.shape[1], FLOAT_INNER)
    first, *more = [torch.from_numpy(weights[:, start : start + FLOAT_INNER]).to(torch.float32).T for start in starts]

    def product(a: torch.Tensor, out: torch.Tensor) -> None:
        floats = a.to(torch.float32)
        if not more:  # calls of torch are half the time of small products
            out.copy_(_multiplied(floats, first))
            return
        out.copy_(_multiplied(floats[:, :FLOAT_INNER], first))
        for start, part in zip(starts[1:], more, strict=True):
            out += _multiplied(floats[:, start : start + FLOAT_INNER], part).to(torch.int32)

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


@functools.cache
def int8_is_fast() -> bool:
    """Whether torch's int8 product takes less than twice the time of float32 on this machine.

    Time of this thread's processor: on a busy machine, time on the clock once chose the slower product.
    """
    rows, outputs, inner = TRIED
    a, w = torch.ones(rows, inner, dtype=torch.int8), np.ones((outputs, inner), np.int8)
    out = torch.empty(rows, outputs, dtype=torch.int32)
    least = []
    for product in (int8_product(w), float_product(w)):
        product(a, out)
        turns = []
        for _ in range(5):
            begun = time.thread_time()
            product(a, out)
            turns.append(time.thread_time() - begun)
        least.append(min(turns))
    return least[0] < 2 * least[1]


def best_product(weights: Array) -> Product:
    """The fastest exact product for these weights on this machine."""
    if not int8_is_exact(*weights.shape):
        return float_product(weights)
    plain = int8_product(weights)
    if int8_is_fast():
        return plain
    floats = float_product(weights)

    def product(a: torch.Tensor, out: torch.Tensor) -> None:
        (plain if len(a) * weights.size <= PLAIN else floats)(a, out)

    return product


def best_multiply(inner: int) -> Multiply:
    """The fastest exact product of two matrices that change, of `inner` inputs at least, on this machine."""
    return int8_multiply if int8_is_exact(37, inner) and int8_is_fast() else float_multiply
