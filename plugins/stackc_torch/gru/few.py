"""Stepping a few lanes: the whole network in one compiled call, since calls into torch would cost more than the work.

Composed of the kernels of the other route, so that both are one arithmetic.
"""

from __future__ import annotations

import numba
import numpy as np

from stackc.api import kernel_of
from stackc_torch import kernels as K
from stackc_torch.gru import kernels as R

DONE, OUTSIDE, NOT_STARTED = range(3)
"""What `step_few` answers: done; a symbol outside the alphabet; a lane never restarted."""

_T8, _T16, _T32 = numba.int8[:, :, ::1], numba.int16[:, :, ::1], numba.int32[:, :, ::1]
_SIGNATURE = numba.int64(
    K._V64, numba.boolean[::1], _T16, K._M32, K._V64, _T8, _T8, _T32, _T8, K._M32, K._M8, K._V32,
    K._V32, K._V32, K._V32, K._U32,
)  # fmt: skip


@kernel_of(_SIGNATURE)
def step_few(
    symbols, started, h, embed, norms, enter, recall, rules, out, out_shift, head, head_shift,
    sigmoid, tanh, exponential, answer,
):  # fmt: skip
    """`stackc.api.Predictor.step` in all lanes, one after another.

    Args:
        embed .. exponential: `cpu.few_arguments`.
        symbols: int64[L]. started: bool[L], changed. h: int16[layers, L, H], changed. answer: uint32[L, A].

    Returns:
        DONE, or the reason why nothing was changed.
    """
    layers, alphabet, width, units = out.shape[0], head.shape[0], out.shape[1], out.shape[2]
    for n in range(len(symbols)):
        if symbols[n] < -2 or symbols[n] >= alphabet:
            return OUTSIDE
        if symbols[n] >= 0 and not started[n]:
            return NOT_STARTED
    x, y, added = np.empty((1, width), np.int32), np.empty((1, width), np.int8), np.empty((1, width), np.int32)
    wide, operand = np.empty(width, np.int16), np.empty(units, np.int16)
    entering, recalled = np.empty((1, 3 * units), np.int32), np.empty((1, 3 * units), np.int32)
    sums = np.empty((1, alphabet), np.int32)
    for n in range(len(symbols)):
        if symbols[n] == -2:
            continue
        if symbols[n] < 0:
            started[n] = True
            h[:, n] = 0
        x[0] = embed[symbols[n] if symbols[n] >= 0 else alphabet]
        for layer in range(layers):
            state = h[layer, n : n + 1]
            K.norm_rows(x, norms[layer], y)
            wide[:] = y[0]
            R.product_row(enter[layer], wide, entering[0])
            R.operand_row(state[0], operand)
            R.product_row(recall[layer], operand, recalled[0])
            R.remember_rows(entering, recalled, rules[layer], sigmoid, tanh, state)
            R.operand_row(state[0], operand)
            R.product_row(out[layer], operand, added[0])
            K.add_rows(x, added, out_shift[layer])
        K.norm_rows(x, norms[layers], y)
        wide[:] = y[0]
        R.product_row(head, wide, sums[0])
        K.frequency_rows(sums, head_shift, exponential, answer[n : n + 1])
    return DONE
