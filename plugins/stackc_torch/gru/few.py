"""Stepping a few lanes: the whole network in one compiled call, since calls into torch would cost more than the work.

Composed of the kernels of the other route, so that both are one arithmetic. `step_few` is called by Python; `advance`
and `fill` are the same in a loop with a coder's kernels (`stackc.api.CompiledStep`).

The network is a tuple as `cpu.CpuArithmetic` makes it: all that one more symbol needs, then what frequencies need too.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from stackc.api import IDLE, kernel, kernel_of
from stackc_torch.frozen import kernels as K
from stackc_torch.frozen.rules import Array
from stackc_torch.gru import kernels as R

_T8, _T16, _T32 = numba.int8[:, :, ::1], numba.int16[:, :, ::1], numba.int32[:, :, ::1]
_M16 = numba.int16[:, ::1]
_BODY = (K.M32, K.V64, _T8, _T8, _T32, _T8, K.M32, K.V32, K.V32)

BODY = len(_BODY)
"""Members of the network that one more symbol needs. Then come head, its shifts and the exponential."""


@kernel_of(numba.void(numba.int64, numba.int64, _T16, _M16, *_BODY))
def read_symbol(
    symbol: int, lane: int, h: Array, y: Array, embed: Array, norms: Array, enter: Array, recall: Array, rules: Array,
    out: Array, out_shift: Array, sigmoid: Array, tanh: Array,
) -> None:  # fmt: skip
    """One symbol more in a lane: y int16[1, d], the operands of the projection to symbols, held in 16 bits.

    Args:
        symbol: negative where the context is empty.
        h: int16[layers, L, H], changed.
    """
    width, units = out.shape[1], out.shape[2]
    x, narrow, added = np.empty((1, width), np.int32), np.empty((1, width), np.int8), np.empty((1, width), np.int32)
    operand = np.empty((1, units), np.int16)
    entering, recalled = np.empty((1, 3 * units), np.int32), np.empty((1, 3 * units), np.int32)
    if symbol < 0:
        h[:, lane] = 0
    x[0] = embed[symbol if symbol >= 0 else embed.shape[0] - 1]
    for layer in range(out.shape[0]):
        state = h[layer, lane : lane + 1]
        K.norm_rows(x, norms[layer], narrow)
        y[0] = narrow[0]
        K.wide_product_row(enter[layer], y[0], entering[0])
        R.wide_operand_rows(state, operand)
        K.wide_product_row(recall[layer], operand[0], recalled[0])
        R.remember_rows(entering, recalled, rules[layer], sigmoid, tanh, state)
        R.wide_operand_rows(state, operand)
        K.wide_product_row(out[layer], operand[0], added[0])
        K.add_rows(x, added, out_shift[layer])
    K.norm_rows(x, norms[-1], narrow)
    y[0] = narrow[0]


@kernel_of(numba.void(K.V64, K.U32, _T16, *_BODY, K.M8, K.V32, K.V32))
def step_few(
    symbols: Array, answer: Array, h: Array, embed: Array, norms: Array, enter: Array, recall: Array, rules: Array,
    out: Array, out_shift: Array, sigmoid: Array, tanh: Array, head: Array, head_shift: Array, exponential: Array,
) -> None:  # fmt: skip
    """`stackc.api.Predictor.step` in all lanes, one after another.

    Args:
        symbols: int64[L]. answer: uint32[L, A], changed. h: int16[layers, L, H], changed.
    """
    y, sums = np.empty((1, out.shape[1]), np.int16), np.empty((1, head.shape[0]), np.int32)
    for n in range(len(symbols)):
        if symbols[n] == IDLE:
            continue
        read_symbol(symbols[n], n, h, y, embed, norms, enter, recall, rules, out, out_shift, sigmoid, tanh)
        K.wide_product_row(head, y[0], sums[0])
        K.frequency_rows(sums, head_shift, exponential, answer[n : n + 1])


@kernel
def advance(tables: Any, state: Any, lane: int, symbol: int) -> None:
    """`stackc.api.CompiledStep.advance`: the state is (h int16[L, layers, 1, H], y int16[L, d])."""
    h, y = state
    read_symbol(symbol, 0, h[lane], y[lane : lane + 1], *tables[:BODY])


@kernel
def fill(tables: Any, state: Any, lane: int, row: Array) -> None:
    """`stackc.api.CompiledStep.fill`."""
    head, head_shift, exponential = tables[BODY:]
    sums = np.empty((1, len(row)), np.int32)
    K.wide_product_row(head, state[1][lane], sums[0])
    K.frequency_rows(sums, head_shift, exponential, row.reshape((1, len(row))))
