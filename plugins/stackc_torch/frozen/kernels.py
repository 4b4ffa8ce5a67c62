"""The element-wise work that frozen networks share on CPU (numba). Every line here decides bits; `twin` says which.

No fastmath, signed integers only, float64 only where it is exact. n positions, d width, A alphabet. Indices of inner
loops are plain loop variables, and of tables unsigned: numba then leaves out its check for negative indices, and the
loops become vector code.

Ranges (checked when a network is loaded): operands in -127 .. 127, sums of products below 2^29, shifts 0 .. 30,
the residual stream within 2^23 - 1.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

from stackc.api import IDLE, RESTART, TOTAL, kernel_of
from stackc_torch.frozen.rules import EXPONENTIAL_TOP, LIFT, NORM_BITS, STREAM_TOP, TOP, Array

INT = numba.int64
V8 = numba.int8[::1]
V32 = numba.int32[::1]
V64 = numba.int64[::1]
V16 = numba.int16[::1]
M8 = numba.int8[:, ::1]
M32 = numba.int32[:, ::1]
U32 = numba.uint32[:, ::1]

NORM_HALF = 1 << (NORM_BITS - 1)
WHOLE = float(TOTAL)
LOWEST = -(1 << 30)
RUN = 64
"""Values that a search compares at once."""

OUTSIDE, NOT_STARTED = -1, -2
"""What `advance` refuses: a symbol outside the alphabet; a lane that was never restarted."""


@kernel_of(INT(V64, V64, INT))
def advance(symbols: Array, positions: Array, alphabet: int) -> int:
    """Move lanes on by one symbol each: positions int64[L], 0 after a restart, -1 before the first one.

    Compiled, because a few lanes take less time than the numpy calls that check them.

    Returns:
        The largest position reached; negative: why nothing was changed.
    """
    for n in range(len(symbols)):
        if symbols[n] < IDLE or symbols[n] >= alphabet:
            return OUTSIDE
        if symbols[n] >= 0 and positions[n] < 0:
            return NOT_STARTED
    reached = 0
    for n in range(len(symbols)):
        if symbols[n] != IDLE:
            positions[n] = positions[n] + 1 if symbols[n] != RESTART else 0
            reached = max(reached, positions[n])
    return reached


@kernel_of(numba.void(M32, INT, M8))
def norm_rows(x: Array, multiplier: Any, y: Array) -> None:
    """y[n, d]: the rows of x over their root mean squares."""
    width = x.shape[1]
    for n in range(x.shape[0]):
        squares = np.int64(0)
        for i in range(width):
            squares += np.int64(x[n, i]) * np.int64(x[n, i])
        # The floored mean is below 2^46: its correctly rounded root, floored, is the integer root.
        rms = max(np.int64(1), np.int64(math.sqrt(np.float64(squares // width))))
        factor = (2 * multiplier + rms) // (2 * rms)
        for i in range(width):
            value = (np.int64(x[n, i]) * factor + NORM_HALF) >> NORM_BITS
            y[n, i] = np.int8(min(max(value, -TOP), TOP))


@kernel_of(numba.void(M32, M32, V32))
def add_rows(x: Array, sums: Array, shift: Array) -> None:
    """x += sums * 2^10 shifted right, saturated."""
    for n in range(x.shape[0]):
        for i in range(x.shape[1]):
            half = (np.int64(1) << np.int64(shift[i])) >> 1
            value = x[n, i] + (((np.int64(sums[n, i]) << LIFT) + half) >> np.int64(shift[i]))
            x[n, i] = np.int32(min(max(value, -STREAM_TOP), STREAM_TOP))


@kernel_of(INT(V32, numba.int32))
def _first_equal(values: Array, wanted: Any) -> int:
    """Index of the first of the values that is `wanted`; there is one. Whole runs are passed over at once."""
    at = 0
    while at + RUN <= len(values):
        seen = np.int32(0)
        for i in range(at, at + RUN):
            seen = np.int32(seen | np.int32(values[np.uint64(i)] == wanted))
        if seen:
            break
        at += RUN
    while values[at] != wanted:
        at += 1
    return at


@kernel_of(numba.void(M32, V32, V32, U32))
def frequency_rows(sums: Array, shift: Array, table: Array, out: Array) -> None:
    """sums[n, A] of the last product to frequencies out[n, A]; see `stackc.api.normalise`.

    One short loop after another: each becomes its own vector code.
    """
    alphabet = sums.shape[1]
    scale = WHOLE - alphabet
    counts = np.empty(alphabet, np.int32)
    half = (np.int32(1) << shift) >> np.int32(1)
    for n in range(sums.shape[0]):
        best = np.int32(LOWEST)
        for a in range(alphabet):
            value = np.int32(np.int32(sums[n, a] + half[a]) >> shift[a])
            counts[a] = value
            best = max(best, value)
        for a in range(alphabet):
            counts[a] = min(np.int32(best - counts[a]), np.int32(EXPONENTIAL_TOP))
        for a in range(alphabet):
            counts[a] = table[np.uint32(counts[a])]
        whole = np.int64(0)
        for a in range(alphabet):
            whole += np.int64(counts[a])
        # The floor of v = count * scale / whole, without a division: factor and product are off by less than
        # v 2^-52 each, and v < 2^48 / whole, so by less than 1 / (8 whole) together. v is a multiple of
        # 1 / whole: raised by half of that, it is in error on neither side of an integer.
        factor = scale / np.float64(whole)
        nudge = 0.5 / np.float64(whole)
        given = np.int32(0)
        for a in range(alphabet):
            share = np.int32(np.int32(np.float64(counts[a]) * factor + nudge) + np.int32(1))
            counts[a] = share
            given = np.int32(given + share)
        for a in range(alphabet):
            out[n, a] = np.uint32(counts[a])
        # The best symbol's count is table[0] = 2^24.
        most = np.int32(np.int32(WHOLE * factor + nudge) + np.int32(1))
        out[n, _first_equal(counts, most)] += np.uint32((1 << 24) - given)


def _product_row(weights: Array, x: Array, out: Array) -> None:
    """out[R] = weights[R, K] times x[K]."""
    for r in range(weights.shape[0]):
        total = np.int32(0)
        for k in range(weights.shape[1]):
            total = np.int32(total + np.int32(x[k]) * np.int32(weights[r, k]))
        out[r] = total


product_row = kernel_of(numba.void(M8, V8, V32))(_product_row)
wide_product_row = kernel_of(numba.void(M8, V16, V32))(_product_row)
"""With x[K] in 16 bits: pairs of 16-bit products are one instruction, which 8-bit ones have not."""
