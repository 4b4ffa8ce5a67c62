"""The element-wise work of the recurrent network on CPU (numba). Every line decides bits; `twin` says which.

32-bit throughout, one short loop after another: each becomes vector code of its own (`stackc_torch.frozen.kernels`).
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from stackc.api import kernel_of
from stackc_torch.frozen import kernels as K
from stackc_torch.frozen import rules as F
from stackc_torch.frozen.rules import Array
from stackc_torch.gru import arrays as G

TOP = np.int32(F.TOP)
GATE_TOP = np.int32(F.GATE_TOP)
STEP_SHIFT = np.int32(G.STEP_SHIFT)
STEP_HALF = np.int32(1 << (G.STEP_SHIFT - 1))
ONE = np.int32(G.ONE)
ONE_SHIFT = np.int32(G.ONE.bit_length() - 1)
HALF = np.int32(G.ONE // 2)
STATE_SHIFT = np.int32(G.STATE_SHIFT)
STATE_HALF = np.int32(1 << (G.STATE_SHIFT - 1))
M16 = numba.int16[:, ::1]


def rules(enter_shift: Array, recall_shift: Array, bias: Array) -> Array:
    """int32[7, 3H] of one layer: what `_gate` needs of the shifts of both products, and the bias last.

    A sum times 2^LIFT, shifted right by s and rounded, is the sum shifted right by s - LIFT, or left by LIFT - s;
    saturated before the left shift, it stays in 32 bits.
    """
    rows = []
    for shift in (enter_shift, recall_shift):
        right = np.maximum(shift - F.LIFT, 0)
        rows += [right, (1 << right) >> 1, np.maximum(F.LIFT - shift, 0)]
    return np.stack([*rows, bias]).astype(np.int32)


@numba.njit(inline="always")
def _saturated(value: Any, top: Any) -> Any:
    return min(max(value, np.int32(-top)), top)


@numba.njit(inline="always")
def _gate(total: Any, right: Any, half: Any, left: Any) -> Any:
    """A product's row in Q12."""
    value = _saturated(np.int32(np.int32(total + half) >> right), GATE_TOP)
    return _saturated(np.int32(value << left), GATE_TOP)


@numba.njit(inline="always")
def _place(value: Any) -> Any:
    """Where a saturated sum in Q12 is looked up."""
    return np.int32(np.int32(abs(value) + STEP_HALF) >> STEP_SHIFT)


@numba.njit(inline="always")
def _remember(
    entering: Array, recalled: Array, rules: Array, sigmoid: Array, tanh: Array, sums: Array, found: Array, h: Array
) -> None:
    """h[H], changed, from sums entering[3H] and recalled[3H]; sums[3H] and found[2H] are working memory.

    |z (h - n)| <= 2^15 * 65,534, and half a unit more is still below 2^31.
    """
    units = len(h)
    for i in range(3 * units):
        sums[i] = np.int32(_gate(entering[i], rules[0, i], rules[1, i], rules[2, i]) + rules[6, i])
    for i in range(2 * units):
        again = _gate(recalled[i], rules[3, i], rules[4, i], rules[5, i])
        sums[i] = _saturated(np.int32(sums[i] + again), GATE_TOP)
        found[i] = _place(sums[i])
    for i in range(2 * units):
        found[i] = sigmoid[np.uint32(found[i])]
    for i in range(2 * units):
        found[i] = found[i] if sums[i] >= 0 else np.int32(ONE - found[i])
    candidates, keep = sums[2 * units :], found[units:]
    for i in range(units):
        k = 2 * units + i
        again = np.int32(found[i] * _gate(recalled[k], rules[3, k], rules[4, k], rules[5, k]))
        again = np.int32(np.int32(again + HALF) >> ONE_SHIFT)
        candidates[i] = _saturated(np.int32(candidates[i] + again), GATE_TOP)
        found[i] = _place(candidates[i])
    for i in range(units):
        found[i] = tanh[np.uint32(found[i])]
    for i in range(units):
        n = found[i] if candidates[i] >= 0 else np.int32(-found[i])
        kept = np.int32(keep[i] * np.int32(np.int32(h[i]) - n))
        h[i] = np.int16(np.int32(n + np.int32(np.int32(kept + HALF) >> ONE_SHIFT)))


@kernel_of(numba.void(K.M32, K.M32, K.M32, K.V32, K.V32, M16))
def remember_rows(entering: Array, recalled: Array, rules: Array, sigmoid: Array, tanh: Array, h: Array) -> None:
    """h[n, H], changed: the states after one more symbol, from sums entering[n, 3H] and recalled[n, 3H]."""
    sums, found = np.empty(entering.shape[1], np.int32), np.empty(2 * h.shape[1], np.int32)
    for n in range(h.shape[0]):
        _remember(entering[n], recalled[n], rules, sigmoid, tanh, sums, found, h[n])


def _operand_rows(h: Array, out: Array) -> None:
    """States h[n, H] as operands out[n, H]."""
    for n in range(h.shape[0]):
        for i in range(h.shape[1]):
            rounded = np.int32(np.int32(np.int32(h[n, i]) + STATE_HALF) >> STATE_SHIFT)
            out[n, i] = _saturated(rounded, TOP)


operand_rows = kernel_of(numba.void(M16, K.M8))(_operand_rows)
wide_operand_rows = kernel_of(numba.void(M16, M16))(_operand_rows)
"""Operands held in 16 bits, for `wide_product_row`."""


@kernel_of(numba.void(K.M32, K.M8, K.M32, K.V32, K.V32, numba.boolean[::1], M16, M16))
def recur_rows(
    entering: Array, recall: Array, rules: Array, sigmoid: Array, tanh: Array, fresh: Array, h: Array, out: Array
) -> None:
    """One lane along n symbols: out[n, H] from entering[n, 3H] and h[1, H], emptied before where fresh[n]."""
    units = h.shape[1]
    operand = np.empty((1, units), np.int16)
    recalled = np.empty(3 * units, np.int32)
    sums, found = np.empty(3 * units, np.int32), np.empty(2 * units, np.int32)
    for n in range(out.shape[0]):
        if fresh[n]:
            h[0] = 0
        wide_operand_rows(h, operand)
        K.wide_product_row(recall, operand[0], recalled)
        _remember(entering[n], recalled, rules, sigmoid, tanh, sums, found, h[0])
        out[n] = h[0]
