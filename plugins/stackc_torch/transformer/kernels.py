"""The element-wise work of the frozen transformer on CPU (numba). Every line here decides bits; `twin` says which.

The rules of `stackc_torch.frozen.kernels` hold here too. n positions, H heads, D head size, F hidden, C context,
S slots.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

from stackc.api import kernel_of
from stackc_torch.frozen.kernels import INT, LOWEST, M8, M32, V32, V64
from stackc_torch.frozen.rules import EXPONENTIAL_TOP, GATE_TOP, TOP, Array
from stackc_torch.transformer.arrays import PRODUCT_SHIFT, SCORE_SHIFT, WEIGHT_SHIFT, WEIGHT_TOP

Q = numba.int8[:, :, ::1]
KV = numba.int8[:, :, :, :, ::1]

PRODUCT_HALF = 1 << (PRODUCT_SHIFT - 1)
SCORE_HALF = 1 << (SCORE_SHIFT - 1)
WEIGHT_HALF = 1 << (WEIGHT_SHIFT - 1)
FLUSH = 512
"""Keys summed in 32 bits: 512 * 16,383 * 127 < 2^31."""


@kernel_of(numba.void(numba.int32[:, :, :, ::1], numba.int32[:, :, ::1], V64, V64, Q, KV))
def split_rows(sums: Array, shift: Array, lanes: Array, slots: Array, q: Array, kv: Array) -> None:
    """sums[n, 3, H, D] to int8: queries to q[n, H, D], keys and values to kv[lanes[n], slots[n], 2, H, D]."""
    heads, size = q.shape[1], q.shape[2]
    half = (np.int32(1) << shift) >> np.int32(1)
    for n in range(sums.shape[0]):
        lane, slot = lanes[n], slots[n]
        for part in range(3):
            for h in range(heads):
                out = q[n, h] if part == 0 else kv[lane, slot, part - 1, h]
                for i in range(size):
                    value = np.int32(np.int32(sums[n, part, h, i] + half[part, h, i]) >> shift[part, h, i])
                    out[i] = np.int8(min(max(value, np.int32(-TOP)), np.int32(TOP)))


@kernel_of(numba.void(numba.int32[:, :, ::1], M32, M8))
def gate_rows(sums: Array, shift: Array, hidden: Array) -> None:
    """sums[n, 2, F] to hidden[n, F]: relu(gate) * up. 32-bit throughout: a vector then holds 16 of them."""
    width = hidden.shape[1]
    half = (np.int32(1) << shift) >> np.int32(1)
    for n in range(sums.shape[0]):
        for i in range(width):
            gate = np.int32(np.int32(sums[n, 0, i] + half[0, i]) >> shift[0, i])
            up = np.int32(np.int32(sums[n, 1, i] + half[1, i]) >> shift[1, i])
            gate = min(max(gate, np.int32(0)), np.int32(GATE_TOP))
            up = min(max(up, np.int32(-GATE_TOP)), np.int32(GATE_TOP))
            value = np.int32(np.int32(np.int32(gate * up) + np.int32(PRODUCT_HALF)) >> np.int32(PRODUCT_SHIFT))
            hidden[n, i] = np.int8(min(max(value, np.int32(-TOP)), np.int32(TOP)))


@kernel_of(INT(V32, INT, numba.int32, numba.int32, V32))
def weigh(scores: Array, count: int, best: Any, score: Any, table: Array) -> Any:
    """scores[:count] become weights relative to the best; their sum."""
    limit = np.int32((EXPONENTIAL_TOP << SCORE_SHIFT) // np.int64(score) + 1)
    for j in range(count):
        # Clamped first: limit * score <= 6401 * 2^14 + 2^24 fits in 32 bits.
        difference = min(np.int32(best - scores[j]), limit)
        index = np.int32(np.int32(difference * score + np.int32(SCORE_HALF)) >> np.int32(SCORE_SHIFT))
        scores[j] = min(index, np.int32(EXPONENTIAL_TOP))
    for j in range(count):
        scores[j] = table[np.uint32(scores[j])]
    total = np.int64(0)
    for j in range(count):
        rounded = np.int32(np.int32(scores[j] + np.int32(WEIGHT_HALF)) >> np.int32(WEIGHT_SHIFT))
        weight = min(rounded, np.int32(WEIGHT_TOP))
        scores[j] = weight
        total += weight
    return total


@numba.njit(inline="always")
def _products(q: Array, kv: Array, h: int, rows: Array, count: int, products: Array) -> None:
    """products[:count] = q[D] times the keys of one head, four at a time, so that q is loaded once for four."""
    size = len(q)
    for j in range(0, count, 4):
        r0, r1, r2, r3 = rows[j], rows[j + 1], rows[j + 2], rows[j + 3]
        d0, d1, d2, d3 = np.int32(0), np.int32(0), np.int32(0), np.int32(0)
        for i in range(size):
            x = np.int32(q[i])
            d0 = np.int32(d0 + x * np.int32(kv[r0, 0, h, i]))
            d1 = np.int32(d1 + x * np.int32(kv[r1, 0, h, i]))
            d2 = np.int32(d2 + x * np.int32(kv[r2, 0, h, i]))
            d3 = np.int32(d3 + x * np.int32(kv[r3, 0, h, i]))
        products[j], products[j + 1], products[j + 2], products[j + 3] = d0, d1, d2, d3


@kernel_of(numba.void(Q, KV, V64, V64, V64, M32, V32, V32, Q))
def attend_rows(
    q: Array, kv: Array, lanes: Array, firsts: Array, lasts: Array, bias: Array, score: Array, table: Array, out: Array
) -> None:
    """Every position's attention over its own run of keys and values.

    Args:
        q: [n, H, D]. kv: [*, S, 2, H, D], keys then values; position p of a lane is stored in slot p % S.
        lanes: int64[n], whose keys each position reads.
        firsts, lasts: int64[n]; position n sees positions first .. last, itself being the last.
        bias: [H, C] by distance. score: int32[H], multipliers. table: the exponential.
        out: [n, H, D].
    """
    heads, size, slots = q.shape[1], q.shape[2], kv.shape[1]
    most = 1
    for n in range(q.shape[0]):
        most = max(most, lasts[n] - firsts[n] + 1)
    weights = np.empty(most + 3, np.int32)
    rows = np.empty(most + 3, np.int64)
    partial = np.empty(size, np.int32)
    sums = np.empty(size, np.int64)
    for n in range(q.shape[0]):
        lane = lanes[n]
        count = lasts[n] - firsts[n] + 1
        begin = firsts[n] % slots
        for j in range(count + 3):
            # The last key stands in for the up to three beyond the end; it weighs nothing there.
            slot = begin + min(j, count - 1)
            rows[j] = slot - slots if slot >= slots else slot
        for h in range(heads):
            _products(q[n, h], kv[lane], h, rows, count, weights)
            best = np.int32(LOWEST)
            for j in range(count):
                value = np.int32(weights[j] + bias[h, count - 1 - j])
                weights[j] = value
                best = max(best, value)
            total = weigh(weights, count, best, score[h], table)
            for j in range(count, count + 3):
                weights[j] = 0
            sums[:] = 0
            for start in range(0, count, FLUSH):
                partial[:] = 0
                for j in range(start, min(start + FLUSH, count), 4):
                    r0, r1, r2, r3 = rows[j], rows[j + 1], rows[j + 2], rows[j + 3]
                    w0, w1, w2, w3 = weights[j], weights[j + 1], weights[j + 2], weights[j + 3]
                    for i in range(size):
                        near = np.int32(w0 * np.int32(kv[lane, r0, 1, h, i]) + w1 * np.int32(kv[lane, r1, 1, h, i]))
                        far = np.int32(w2 * np.int32(kv[lane, r2, 1, h, i]) + w3 * np.int32(kv[lane, r3, 1, h, i]))
                        partial[i] += np.int32(near + far)
                for i in range(size):
                    sums[i] += partial[i]
            # The floor of v = sum / total + 1/2, without a division: |v| <= 128, so the result is off by less
            # than 2^-44. v is a multiple of 1 / (2 total), total < 2^31: raised by half of that, 2^-33 or more,
            # it is in error on neither side of an integer.
            factor = np.float64(1) / np.float64(total)
            raised = np.float64(0.5) + np.float64(0.25) * factor
            for i in range(size):
                out[n, h, i] = np.int8(math.floor(np.float64(sums[i]) * factor + raised))


@kernel_of(numba.void(M32, V64, V64, INT, V32, numba.int32, V32, numba.int8[:, :, ::1], V64))
def weigh_block(
    scores: Array,
    firsts: Array,
    lasts: Array,
    begin: int,
    bias: Array,
    score: Any,
    table: Array,
    halves: Array,
    totals: Array,
) -> None:
    """A block's products q . k to attention weights in two halves of 7 bits, w = 128 high + low.

    Args:
        scores: [m, K], changed; column j is the key of position begin + j.
        firsts, lasts: int64[m], as in `attend_rows`.
        bias: int32[C] of one head. score: its multiplier.
        halves: int8[2, m, K], high and low. totals: int64[m], the sums of weights.
    """
    keys = scores.shape[1]
    line = np.empty(keys, np.int32)
    for n in range(scores.shape[0]):
        low, high = firsts[n] - begin, lasts[n] - begin
        count = high - low + 1
        best = np.int32(LOWEST)
        mine = scores[n, low : high + 1]
        for j in range(count):
            value = np.int32(mine[j] + bias[count - 1 - j])
            line[j] = value
            best = max(best, value)
        totals[n] = weigh(line, count, best, score, table)
        halves[:, n, :low] = 0
        halves[:, n, high + 1 :] = 0
        upper, lower = halves[0, n, low : high + 1], halves[1, n, low : high + 1]
        for j in range(count):
            upper[j] = np.int8(line[j] >> 7)
            lower[j] = np.int8(line[j] & 127)


@kernel_of(numba.void(numba.int32[:, :, ::1], V64, numba.int8[:, ::1], INT))
def mix_block(sums: Array, totals: Array, out: Array, column: int) -> None:
    """sums[2, m, D] of the two halves to out[m, column : column + D]: 128 high + low over the totals."""
    for n in range(sums.shape[1]):
        divisor = np.float64(2 * totals[n])
        mine = out[n, column : column + sums.shape[2]]
        for i in range(sums.shape[2]):
            value = 128 * np.int64(sums[0, n, i]) + np.int64(sums[1, n, i])
            mine[i] = np.int8(math.floor(np.float64(2 * value + totals[n]) / divisor))
