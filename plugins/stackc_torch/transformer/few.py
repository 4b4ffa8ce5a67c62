"""Stepping a few lanes: the whole network in one compiled call, since calls into torch would cost more than the work.

Composed of the kernels of the other route, so that both are one arithmetic. `step_few` is called by Python; `advance`
and `fill` are the same in a loop with a coder's kernels (`stackc.api.CompiledStep`).

The network is a tuple as `cpu.CpuArithmetic` makes it: all that one more symbol needs, then what frequencies need too.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from stackc.api import IDLE, RESTART, kernel, kernel_of
from stackc_torch.frozen import kernels as K
from stackc_torch.frozen.rules import Array
from stackc_torch.transformer import kernels as T

_I32 = numba.int32
_KV = numba.int8[:, :, :, :, :, ::1]
_BODY = (
    numba.int64, _I32[:, ::1], K.V64, numba.int8[:, :, ::1], _I32[:, :, :, ::1], _I32[:, :, ::1], _I32[:, ::1],
    numba.int8[:, :, ::1], _I32[:, ::1], numba.int8[:, :, ::1], _I32[:, :, ::1], numba.int8[:, :, ::1], _I32[:, ::1],
    K.V32,
)  # fmt: skip

BODY = len(_BODY)
"""Members of the network that one more symbol needs."""
ANSWER = BODY - 1
"""The exponential, the last of them. Then come head and its shifts: what frequencies need."""


@kernel_of(numba.void(numba.int64, numba.int64, numba.int64, _KV, K.M8, *_BODY))
def read_symbol(
    symbol: int, position: int, lane: int, kv: Array, y: Array, context: int, embed: Array, norms: Array, qkv: Array,
    qkv_shift: Array, bias: Array, score: Array, out: Array, out_shift: Array, gate_up: Array, gate_up_shift: Array,
    down: Array, down_shift: Array, table: Array,
) -> None:  # fmt: skip
    """One symbol more in a lane: y int8[1, d], the operands of the projection to symbols.

    Args:
        symbol: negative where the context is empty.
        position: where the lane is now; 0 right after a restart.
        kv: int8[layers, L, S, 2, H, D], changed.
    """
    heads, size, slots = bias.shape[1], kv.shape[5], kv.shape[2]
    x = np.empty((1, embed.shape[1]), np.int32)
    q = np.empty((1, heads, size), np.int8)
    mixed = np.empty((1, heads, size), np.int8)
    hidden = np.empty((1, down.shape[2]), np.int8)
    added = np.empty((1, embed.shape[1]), np.int32)
    heads_sums = np.empty((1, 3, heads, size), np.int32)
    gate_sums = np.empty((1, 2, down.shape[2]), np.int32)
    lanes, places = np.empty(1, np.int64), np.empty(1, np.int64)
    first, last = np.empty(1, np.int64), np.empty(1, np.int64)
    lanes[0], places[0], first[0], last[0] = lane, position % slots, max(0, position - context + 1), position
    x[0] = embed[symbol if symbol >= 0 else embed.shape[0] - 1]
    for layer in range(qkv.shape[0]):
        K.norm_rows(x, norms[2 * layer], y)
        K.product_row(qkv[layer], y[0], heads_sums.reshape(3 * heads * size))
        T.split_rows(heads_sums, qkv_shift[layer], lanes, places, q, kv[layer])
        T.attend_rows(q, kv[layer], lanes, first, last, bias[layer], score[layer], table, mixed)
        K.product_row(out[layer], mixed.reshape(heads * size), added[0])
        K.add_rows(x, added, out_shift[layer])
        K.norm_rows(x, norms[2 * layer + 1], y)
        K.product_row(gate_up[layer], y[0], gate_sums.reshape(gate_up.shape[1]))
        T.gate_rows(gate_sums, gate_up_shift[layer], hidden)
        K.product_row(down[layer], hidden[0], added[0])
        K.add_rows(x, added, down_shift[layer])
    K.norm_rows(x, norms[-1], y)


@kernel_of(numba.void(K.V64, K.V64, K.U32, _KV, *_BODY, K.M8, K.V32))
def step_few(
    symbols: Array, positions: Array, answer: Array, kv: Array, context: int, embed: Array, norms: Array, qkv: Array,
    qkv_shift: Array, bias: Array, score: Array, out: Array, out_shift: Array, gate_up: Array, gate_up_shift: Array,
    down: Array, down_shift: Array, table: Array, head: Array, head_shift: Array,
) -> None:  # fmt: skip
    """`stackc.api.Predictor.step` in all lanes, one after another; `frozen.kernels.advance` has moved them.

    Args:
        symbols, positions: int64[L]. answer: uint32[L, A], changed. kv: int8[layers, L, S, 2, H, D], changed.
    """
    y, sums = np.empty((1, embed.shape[1]), np.int8), np.empty((1, head.shape[0]), np.int32)
    for n in range(len(symbols)):
        if symbols[n] == IDLE:
            continue
        read_symbol(
            symbols[n], positions[n], n, kv, y, context, embed, norms, qkv, qkv_shift, bias, score, out, out_shift,
            gate_up, gate_up_shift, down, down_shift, table,
        )  # fmt: skip
        K.product_row(head, y[0], sums[0])
        K.frequency_rows(sums, head_shift, table, answer[n : n + 1])


@kernel
def advance(tables: Any, state: Any, lane: int, symbol: int) -> None:
    """`stackc.api.CompiledStep.advance`: the state is (positions int64[L], kv int8[L, layers, 1, C, 2, H, D], y)."""
    positions, kv, y = state
    positions[lane] = 0 if symbol == RESTART else positions[lane] + 1
    read_symbol(symbol, positions[lane], 0, kv[lane], y[lane : lane + 1], *tables[:BODY])


@kernel
def fill(tables: Any, state: Any, lane: int, row: Array) -> None:
    """`stackc.api.CompiledStep.fill`."""
    table, head, head_shift = tables[ANSWER:]
    sums = np.empty((1, len(row)), np.int32)
    K.product_row(head, state[2][lane], sums[0])
    K.frequency_rows(sums, head_shift, table, row.reshape((1, len(row))))
