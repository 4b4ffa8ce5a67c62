"""The element-wise work of the frozen network on CPU (numba). Every line here decides bits; `twin` says which.

No fastmath, signed 64-bit integers wherever 32 might not do, float64 only where it is exact. n positions,
d width, H heads, D head size, F hidden, C context, A alphabet.

Ranges (checked when a network is loaded): operands in -127 .. 127, sums of products below 2^29, shifts 0 .. 30,
the residual stream within 2^23 - 1.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from stackc_torch import integers as I

_I8 = numba.int8[:, ::1]
_I32 = numba.int32[:, ::1]
_V32 = numba.int32[::1]
_V64 = numba.int64[::1]
_U32 = numba.uint32[:, ::1]
_INT = numba.int64

TOP = I.TOP
STREAM_TOP = I.STREAM_TOP
NORM_BITS = I.NORM_BITS
NORM_HALF = 1 << (I.NORM_BITS - 1)
LIFT = I.LIFT
GATE_TOP = I.GATE_TOP
PRODUCT_SHIFT = I.PRODUCT_SHIFT
PRODUCT_HALF = 1 << (I.PRODUCT_SHIFT - 1)
SCORE_SHIFT = I.SCORE_SHIFT
SCORE_HALF = 1 << (I.SCORE_SHIFT - 1)
EXPONENTIAL_TOP = I.EXPONENTIAL_TOP
WEIGHT_SHIFT = I.WEIGHT_SHIFT
WEIGHT_HALF = 1 << (I.WEIGHT_SHIFT - 1)
WEIGHT_TOP = I.WEIGHT_TOP
TOTAL = float(1 << 24)
FLUSH = 256
"""Keys summed in 32 bits: 256 * 32,767 * 127 < 2^31."""


@numba.njit(_INT(_V32, _INT), nogil=True, cache=True)
def norm_factor(x, multiplier):
    """rdiv(multiplier, the root mean square of x[d])."""
    squares = np.int64(0)
    for i in range(len(x)):
        squares += np.int64(x[i]) * np.int64(x[i])
    # The floored mean is below 2^46: its correctly rounded root, floored, is the integer root.
    rms = max(np.int64(1), np.int64(math.sqrt(np.float64(squares // len(x)))))
    return (2 * multiplier + rms) // (2 * rms)


@numba.njit(numba.void(_I32, _INT, _I8), nogil=True, cache=True)
def norm_rows(x, multiplier, y):
    """y[n, d]: the rows of x over their root mean squares."""
    for n in range(x.shape[0]):
        factor = norm_factor(x[n], multiplier)
        for i in range(x.shape[1]):
            value = (np.int64(x[n, i]) * factor + NORM_HALF) >> NORM_BITS
            y[n, i] = np.int8(min(max(value, -TOP), TOP))


@numba.njit(numba.void(_I32, _I32, _V32), nogil=True, cache=True)
def add_rows(x, sums, shift):
    """x += sums * 2^10 shifted right, saturated."""
    for n in range(x.shape[0]):
        for i in range(x.shape[1]):
            half = (np.int64(1) << np.int64(shift[i])) >> 1
            value = x[n, i] + (((np.int64(sums[n, i]) << LIFT) + half) >> np.int64(shift[i]))
            x[n, i] = np.int32(min(max(value, -STREAM_TOP), STREAM_TOP))


@numba.njit(numba.void(_I32, _V32, _V64, _I8, _I8), nogil=True, cache=True)
def split_rows(sums, shift, slots, q, kv):
    """sums[n, 3HD] to int8: queries to q[n, HD], keys and values to rows `slots` of kv[slots, 2HD]."""
    inner = q.shape[1]
    for n in range(sums.shape[0]):
        row = slots[n]
        for i in range(3 * inner):
            half = (np.int32(1) << shift[i]) >> 1
            value = np.int8(min(max((sums[n, i] + half) >> shift[i], -TOP), TOP))
            if i < inner:
                q[n, i] = value
            else:
                kv[row, i - inner] = value


@numba.njit(numba.void(_I32, _V32, _I8), nogil=True, cache=True)
def gate_rows(sums, shift, hidden):
    """sums[n, 2F] to hidden[n, F]: relu(gate) * up."""
    width = hidden.shape[1]
    for n in range(sums.shape[0]):
        for i in range(width):
            s, t = shift[i], shift[width + i]
            gate = (sums[n, i] + ((np.int32(1) << s) >> 1)) >> s
            up = (sums[n, width + i] + ((np.int32(1) << t) >> 1)) >> t
            gate = min(max(gate, 0), GATE_TOP)
            up = min(max(up, -GATE_TOP), GATE_TOP)
            value = (gate * up + PRODUCT_HALF) >> PRODUCT_SHIFT
            hidden[n, i] = np.int8(min(max(value, -TOP), TOP))


@numba.njit(
    numba.void(_I8, _I8, _V64, _INT, _V64, _V64, _I32, _V32, _V32, _I8), nogil=True, cache=True
)
def attend_rows(q, kv, bases, slots, firsts, lasts, bias, score, table, out):
    """Every position's attention over its own run of keys and values.

    Args:
        q: [n, HD]. kv: [*, 2HD], keys then values.
        bases: int64[n], the row of kv where each position's ring begins.
        slots: rows in a ring: position p lies in row base + p % slots.
        firsts, lasts: int64[n]; position n sees positions first .. last, itself being the last.
        bias: [H, C] by distance. score: int32[H], multipliers. table: the exponential.
        out: [n, HD].
    """
    inner = q.shape[1]
    heads = bias.shape[0]
    size = inner // heads
    most = 1
    for n in range(q.shape[0]):
        most = max(most, lasts[n] - firsts[n] + 1)
    weights = np.empty(most, np.int32)
    sums32 = np.empty(size, np.int32)
    sums = np.empty(size, np.int64)
    for n in range(q.shape[0]):
        count = lasts[n] - firsts[n] + 1
        begin = firsts[n] % slots
        straight = min(count, slots - begin)
        for h in range(heads):
            column = h * size
            best = np.int32(-(1 << 30))
            for j in range(count):
                row = bases[n] + (begin + j if j < straight else j - straight)
                dot = np.int32(0)
                for i in range(size):
                    dot += np.int32(q[n, column + i]) * np.int32(kv[row, column + i])
                value = np.int32(dot + bias[h, count - 1 - j])
                weights[j] = value
                best = max(best, value)
            limit = np.int32((EXPONENTIAL_TOP << SCORE_SHIFT) // np.int64(score[h]) + 1)
            total = np.int64(0)
            for j in range(count):
                # limit * score <= 6401 * 2^14 + 2^24: 32 bits do.
                difference = min(np.int32(best - weights[j]), limit)
                index = min((difference * score[h] + SCORE_HALF) >> SCORE_SHIFT, EXPONENTIAL_TOP)
                weight = min((table[index] + WEIGHT_HALF) >> WEIGHT_SHIFT, WEIGHT_TOP)
                weights[j] = np.int32(weight)
                total += weight
            sums[:] = 0
            for start in range(0, count, FLUSH):
                sums32[:] = 0
                for j in range(start, min(start + FLUSH, count)):
                    row = bases[n] + (begin + j if j < straight else j - straight)
                    weight = weights[j]
                    for i in range(size):
                        sums32[i] += weight * np.int32(kv[row, inner + column + i])
                for i in range(size):
                    sums[i] += sums32[i]
            for i in range(size):
                out[n, column + i] = np.int8((2 * sums[i] + total) // (2 * total))


@numba.njit(numba.void(_I32, _V32, _V32, _U32), nogil=True, cache=True)
def frequency_rows(sums, shift, table, out):
    """sums[n, A] of the last product to frequencies out[n, A]; see `stackc.api.normalise`."""
    alphabet = sums.shape[1]
    scale = TOTAL - alphabet
    counts = np.empty(alphabet, np.float64)
    logits = np.empty(alphabet, np.int32)
    for n in range(sums.shape[0]):
        best = np.int32(-(1 << 30))
        for a in range(alphabet):
            value = np.int32((sums[n, a] + ((np.int32(1) << shift[a]) >> 1)) >> shift[a])
            logits[a] = value
            best = max(best, value)
        whole = np.int64(0)
        for a in range(alphabet):
            count = table[min(np.int32(best - logits[a]), np.int32(EXPONENTIAL_TOP))]
            whole += count
            counts[a] = count
        # Counts are at most 2^24, so count * scale < 2^48 is exact. The quotient of integers a / b below
        # 2^53, correctly rounded, never reaches an integer from below: it is at least 1 / b away from it
        # and moves by less than (a / b) 2^-53 < 1 / b. So its floor is the floor of the true quotient.
        divisor = np.float64(whole)
        given = np.int64(0)
        for a in range(alphabet):
            share = np.int32(counts[a] * scale / divisor) + np.int32(1)
            out[n, a] = np.uint32(share)
            given += share
        best_at = 0
        for a in range(1, alphabet):
            if out[n, a] > out[n, best_at]:
                best_at = a
        out[n, best_at] += np.uint32((1 << 24) - given)
