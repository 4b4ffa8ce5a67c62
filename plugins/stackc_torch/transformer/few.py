"""Stepping a few lanes: the whole network in one compiled call, since calls into torch would cost more than the work.

Composed of the kernels of the other route, so that both are one arithmetic.
"""

from __future__ import annotations

import numba
import numpy as np

from stackc.api import IDLE, kernel_of
from stackc_torch.frozen import kernels as K
from stackc_torch.frozen.rules import Array
from stackc_torch.transformer import kernels as T

_I32 = numba.int32
_SIGNATURE = numba.void(
    K.V64, K.V64, K.U32, numba.int64, numba.int8[:, :, :, :, :, ::1], _I32[:, ::1], K.V64,
    numba.int8[:, :, ::1], _I32[:, :, :, ::1], _I32[:, :, ::1], _I32[:, ::1],
    numba.int8[:, :, ::1], _I32[:, ::1], numba.int8[:, :, ::1], _I32[:, :, ::1],
    numba.int8[:, :, ::1], _I32[:, ::1], K.M8, K.V32, K.V32,
)  # fmt: skip


@kernel_of(_SIGNATURE)
def step_few(
    symbols: Array, positions: Array, answer: Array, context: int, kv: Array, embed: Array, norms: Array,
    qkv: Array, qkv_shift: Array, bias: Array, score: Array, out: Array, out_shift: Array, gate_up: Array,
    gate_up_shift: Array, down: Array, down_shift: Array, head: Array, head_shift: Array, table: Array,
) -> None:  # fmt: skip
    """`stackc.api.Predictor.step` in all lanes, one after another; `frozen.kernels.advance` has moved them.

    Args:
        embed .. table: the network, as `cpu.CpuArithmetic` has it.
        symbols, positions: int64[L]. answer: uint32[L, A], changed. kv: int8[layers, L, S, 2, H, D], changed.
    """
    layers, alphabet, slots = qkv.shape[0], head.shape[0], kv.shape[2]
    heads, size = bias.shape[1], kv.shape[5]
    x = np.empty((1, embed.shape[1]), np.int32)
    y = np.empty((1, embed.shape[1]), np.int8)
    q = np.empty((1, heads, size), np.int8)
    mixed = np.empty((1, heads, size), np.int8)
    hidden = np.empty((1, down.shape[2]), np.int8)
    added = np.empty((1, embed.shape[1]), np.int32)
    heads_sums = np.empty((1, 3, heads, size), np.int32)
    gate_sums = np.empty((1, 2, down.shape[2]), np.int32)
    sums = np.empty((1, alphabet), np.int32)
    lane, slot, first = np.empty(1, np.int64), np.empty(1, np.int64), np.empty(1, np.int64)
    for n in range(len(symbols)):
        if symbols[n] == IDLE:
            continue
        position = positions[n]
        lane[0], slot[0], first[0] = n, position % slots, max(0, position - context + 1)
        x[0] = embed[symbols[n] if symbols[n] >= 0 else alphabet]
        for layer in range(layers):
            K.norm_rows(x, norms[2 * layer], y)
            K.product_row(qkv[layer], y[0], heads_sums.reshape(3 * heads * size))
            T.split_rows(heads_sums, qkv_shift[layer], lane, slot, q, kv[layer])
            T.attend_rows(q, kv[layer], lane, first, positions[n : n + 1], bias[layer], score[layer], table, mixed)
            K.product_row(out[layer], mixed.reshape(heads * size), added[0])
            K.add_rows(x, added, out_shift[layer])
            K.norm_rows(x, norms[2 * layer + 1], y)
            K.product_row(gate_up[layer], y[0], gate_sums.reshape(gate_up.shape[1]))
            T.gate_rows(gate_sums, gate_up_shift[layer], hidden)
            K.product_row(down[layer], hidden[0], added[0])
            K.add_rows(x, added, down_shift[layer])
        K.norm_rows(x, norms[-1], y)
        K.product_row(head, y[0], sums[0])
        K.frequency_rows(sums, head_shift, table, answer[n : n + 1])
