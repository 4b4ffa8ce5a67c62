"""Stepping a few lanes: the whole network in one compiled call, since calls into torch would cost more than the work.

Composed of the kernels of the other route, so that both are one arithmetic.
"""

from __future__ import annotations

import numba
import numpy as np

from stackc.api import IDLE, kernel_of
from stackc_torch.frozen import kernels as K
from stackc_torch.frozen.rules import Array
from stackc_torch.gru import kernels as R

_T8, _T16, _T32 = numba.int8[:, :, ::1], numba.int16[:, :, ::1], numba.int32[:, :, ::1]
_SIGNATURE = numba.void(
    K.V64, K.V64, K.U32, _T16, K.M32, K.V64, _T8, _T8, _T32, _T8, K.M32, K.M8, K.V32, K.V32, K.V32, K.V32,
)  # fmt: skip


@kernel_of(_SIGNATURE)
def step_few(
    symbols: Array, positions: Array, answer: Array, h: Array, embed: Array, norms: Array, enter: Array, recall: Array,
    rules: Array, out: Array, out_shift: Array, head: Array, head_shift: Array,
    sigmoid: Array, tanh: Array, exponential: Array,
) -> None:  # fmt: skip
    """`stackc.api.Predictor.step` in all lanes, one after another; `frozen.kernels.advance` has moved them.

    Args:
        embed .. exponential: the network, as `cpu.CpuArithmetic` has it.
        symbols, positions: int64[L]. answer: uint32[L, A], changed. h: int16[layers, L, H], changed.
    """
    layers, alphabet, width, units = out.shape[0], head.shape[0], out.shape[1], out.shape[2]
    x, y, added = np.empty((1, width), np.int32), np.empty((1, width), np.int8), np.empty((1, width), np.int32)
    wide, operand = np.empty(width, np.int16), np.empty((1, units), np.int16)
    entering, recalled = np.empty((1, 3 * units), np.int32), np.empty((1, 3 * units), np.int32)
    sums = np.empty((1, alphabet), np.int32)
    for n in range(len(symbols)):
        if symbols[n] == IDLE:
            continue
        if positions[n] == 0:
            h[:, n] = 0
        x[0] = embed[symbols[n] if symbols[n] >= 0 else alphabet]
        for layer in range(layers):
            state = h[layer, n : n + 1]
            K.norm_rows(x, norms[layer], y)
            wide[:] = y[0]
            K.wide_product_row(enter[layer], wide, entering[0])
            R.wide_operand_rows(state, operand)
            K.wide_product_row(recall[layer], operand[0], recalled[0])
            R.remember_rows(entering, recalled, rules[layer], sigmoid, tanh, state)
            R.wide_operand_rows(state, operand)
            K.wide_product_row(out[layer], operand[0], added[0])
            K.add_rows(x, added, out_shift[layer])
        K.norm_rows(x, norms[layers], y)
        wide[:] = y[0]
        K.wide_product_row(head, wide, sums[0])
        K.frequency_rows(sums, head_shift, exponential, answer[n : n + 1])
