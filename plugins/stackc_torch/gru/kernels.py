"""The element-wise work of the recurrent network on CPU (numba). Every line decides bits; `twin` says which."""

from __future__ import annotations

import numba
import numpy as np

from stackc.api import kernel_of
from stackc_torch import kernels as K
from stackc_torch.gru import integers as G

GATE_TOP = G.GATE_TOP
STEP_SHIFT = G.STEP_SHIFT
STEP_HALF = 1 << (G.STEP_SHIFT - 1)
ONE = G.ONE
STATE_SHIFT = G.STATE_SHIFT
STATE_HALF = 1 << (G.STATE_SHIFT - 1)
_M16 = numba.int16[:, ::1]


@numba.njit(inline="always")
def _gate(total, shift):
    """A product's row in Q12."""
    half = (np.int64(1) << np.int64(shift)) >> 1
    value = ((np.int64(total) << K.LIFT) + half) >> np.int64(shift)
    return min(max(value, -GATE_TOP), GATE_TOP)


@numba.njit(inline="always")
def _sigmoid(value, table):
    a = min(max(value, -GATE_TOP), GATE_TOP)
    found = np.int64(table[(abs(a) + STEP_HALF) >> STEP_SHIFT])
    return found if a >= 0 else ONE - found


@numba.njit(inline="always")
def _tanh(value, table):
    a = min(max(value, -GATE_TOP), GATE_TOP)
    found = np.int64(table[(abs(a) + STEP_HALF) >> STEP_SHIFT])
    return found if a >= 0 else -found


@kernel_of(numba.void(K._M32, K._M32, K._V32, K._V32, K._V32, K._V32, K._V32, _M16))
def remember_rows(entering, recalled, enter_shift, recall_shift, bias, sigmoid, tanh, h):
    """h[n, H], changed: the states after one more symbol, from sums entering[n, 3H] and recalled[n, 3H]."""
    units = h.shape[1]
    for n in range(h.shape[0]):
        for i in range(units):
            k, c = units + i, 2 * units + i
            reset = _gate(entering[n, i], enter_shift[i]) + bias[i] + _gate(recalled[n, i], recall_shift[i])
            keep = _gate(entering[n, k], enter_shift[k]) + bias[k] + _gate(recalled[n, k], recall_shift[k])
            r, z = _sigmoid(reset, sigmoid), _sigmoid(keep, sigmoid)
            again = (r * _gate(recalled[n, c], recall_shift[c]) + ONE // 2) >> 15
            candidate = _tanh(_gate(entering[n, c], enter_shift[c]) + bias[c] + again, tanh)
            h[n, i] = np.int16(candidate + ((z * (np.int64(h[n, i]) - candidate) + ONE // 2) >> 15))


@kernel_of(
    numba.void(K._M32, K._M8, K._V32, K._V32, K._V32, K._V32, K._V32, numba.boolean[::1], _M16, _M16),
)
def recur_rows(entering, recall, enter_shift, recall_shift, bias, sigmoid, tanh, fresh, h, out):
    """One lane along n symbols: out[n, H] from entering[n, 3H] and h[1, H], emptied before where fresh[n]."""
    units = h.shape[1]
    operand = np.empty(units, np.int8)
    recalled = np.empty((1, 3 * units), np.int32)
    for n in range(out.shape[0]):
        for i in range(units):
            if fresh[n]:
                h[0, i] = 0
            operand[i] = np.int8(min(max((np.int64(h[0, i]) + STATE_HALF) >> STATE_SHIFT, -K.TOP), K.TOP))
        K.product_row(recall, operand, recalled[0])
        remember_rows(entering[n : n + 1], recalled, enter_shift, recall_shift, bias, sigmoid, tanh, h)
        out[n] = h[0]
