"""Element-wise work of training on CPU, fused (numba). Floats: these decide no bit of what is coded.

N positions in all, d width, F hidden, H heads, D head size; a block of B rows of T positions. A scale of 0
means no rounding; otherwise values are put on the grid -127 .. 127 over the scale, and the backward kernels
let gradients pass as if that had not happened (straight-through).

`_SUMS` lets the compiler keep several partial sums: a fixed order, so that the same build gives the same
bytes. Kernels that round go without it: it would let floor(x + 0.5) be rewritten.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

from stackc.api import kernel_of
from stackc_torch.frozen.rules import Array

_SUMS = {"reassoc", "contract", "nsz"}
_F1, _F2, _F3 = numba.float32[::1], numba.float32[:, ::1], numba.float32[:, :, ::1]
_F4, _F5 = numba.float32[:, :, :, ::1], numba.float32[:, :, :, :, ::1]
_HALF = np.float32(0.5)
_TOP = np.float32(127)
_ZERO = np.float32(0)


@kernel_of(numba.void(_F2, _F1), fastmath=_SUMS)
def inverse_rms(x: Array, rinv: Array) -> None:
    """rinv[n] = 1 / sqrt(mean(x[n]^2) + 1e-6)."""
    for n in range(x.shape[0]):
        total = _ZERO
        for i in range(x.shape[1]):
            total += x[n, i] * x[n, i]
        rinv[n] = np.float32(1) / math.sqrt(total / np.float32(x.shape[1]) + np.float32(1e-6))


@kernel_of(numba.void(_F2, _F1, numba.float32, _F2))
def scale_rows(x: Array, rinv: Array, scale: Any, y: Array) -> None:
    """y = x * rinv, rounded."""
    for n in range(x.shape[0]):
        if scale > 0:
            factor = rinv[n] * scale
            back = np.float32(1) / scale
            for i in range(x.shape[1]):
                rounded = np.floor(x[n, i] * factor + _HALF)
                y[n, i] = min(max(rounded, -_TOP), _TOP) * back
        else:
            for i in range(x.shape[1]):
                y[n, i] = x[n, i] * rinv[n]


@kernel_of(numba.void(_F2, _F2, _F1, _F2), fastmath=_SUMS)
def norm_backward(d_y: Array, x: Array, rinv: Array, d_x: Array) -> None:
    """d_x += the gradient of x * rinv(x) for d_y."""
    width = np.float32(x.shape[1])
    for n in range(x.shape[0]):
        total = _ZERO
        for i in range(x.shape[1]):
            total += d_y[n, i] * x[n, i]
        along = total * rinv[n] * rinv[n] / width
        for i in range(x.shape[1]):
            d_x[n, i] += rinv[n] * (d_y[n, i] - x[n, i] * along)


@kernel_of(numba.void(_F3, _F1, _F2))
def gate_forward(gate_up: Array, scale: Array, hidden: Array) -> None:
    """hidden[N, F] = relu(gate) * up, rounded; gate_up[N, 2, F]. scale[F], or [0] for none."""
    rounding = len(scale) > 0
    for n in range(hidden.shape[0]):
        for f in range(hidden.shape[1]):
            hidden[n, f] = max(gate_up[n, 0, f], _ZERO) * gate_up[n, 1, f]
        if rounding:
            for f in range(hidden.shape[1]):
                rounded = np.floor(hidden[n, f] * scale[f] + _HALF)
                hidden[n, f] = min(max(rounded, -_TOP), _TOP) / scale[f]


@kernel_of(numba.void(_F2, _F3))
def gate_backward(d_hidden: Array, gate_up: Array) -> None:
    """gate_up[N, 2, F] becomes the gradient with respect to itself. Row by row: a row stays in the
    first-level cache, and short loops become vector code, in half the time of one loop over all."""
    width = d_hidden.shape[1]
    upstream, d_up = np.empty(width, np.float32), np.empty(width, np.float32)
    for n in range(d_hidden.shape[0]):
        for f in range(width):
            upstream[f] = d_hidden[n, f] if gate_up[n, 0, f] > _ZERO else _ZERO
        for f in range(width):
            d_up[f] = upstream[f] * gate_up[n, 0, f]
        for f in range(width):
            gate_up[n, 0, f] = upstream[f] * gate_up[n, 1, f]
        for f in range(width):
            gate_up[n, 1, f] = d_up[f]


@kernel_of(numba.void(_F5, _F2, _F4, _F4, _F4))
def split_heads(qkv: Array, scales: Array, q: Array, k: Array, v: Array) -> None:
    """qkv[B, T, 3, H, D] -> q, k, v[B, H, T, D], rounded; q also over sqrt(D). scales[3, H], or [0, 0] for none."""
    rows, heads, length, size = q.shape
    rounding = scales.shape[0] > 0
    shrink = np.float32(1) / math.sqrt(np.float32(size))
    for b in range(rows):
        for part in range(3):
            out = q if part == 0 else (k if part == 1 else v)
            after = shrink if part == 0 else np.float32(1)
            for h in range(heads):
                for t in range(length):
                    if rounding:
                        scale = scales[part, h]
                        back = after / scale
                        for i in range(size):
                            rounded = np.floor(qkv[b, t, part, h, i] * scale + _HALF)
                            out[b, h, t, i] = min(max(rounded, -_TOP), _TOP) * back
                    else:
                        for i in range(size):
                            out[b, h, t, i] = qkv[b, t, part, h, i] * after


@kernel_of(numba.void(_F4, _F1, _F5, numba.int64, numba.float32))
def merge_heads(x: Array, scales: Array, out: Array, part: int, factor: Any) -> None:
    """x[B, H, T, D] -> out[B, T, part, H, D], times factor, rounded. scales[H], or [0] for none."""
    rows, heads, length, size = x.shape
    rounding = len(scales) > 0
    part = max(part, 0)
    for b in range(rows):
        for t in range(length):
            for h in range(heads):
                if rounding:
                    scale = scales[h]
                    back = factor / scale
                    for i in range(size):
                        rounded = np.floor(x[b, h, t, i] * scale + _HALF)
                        out[b, t, part, h, i] = min(max(rounded, -_TOP), _TOP) * back
                else:
                    for i in range(size):
                        out[b, t, part, h, i] = x[b, h, t, i] * factor


@kernel_of(numba.void(_F2, numba.int64, numba.int64[:, ::1], _F4))
def bias_forward(bias: Array, start: int, first: Array, scores: Array) -> None:
    """scores[B, H, m, keys] = bias[H, C] by distance, -inf for keys that are not seen; query 0 is position `start`.

    first: int64[B, T], the first position that each one sees; [0, 0]: no limit but the context.
    """
    rows, heads, queries, keys = scores.shape
    context = bias.shape[1]
    # Read backwards, the biases of a query's keys lie side by side.
    far_first = np.ascontiguousarray(bias[:, ::-1])
    for b in range(rows):
        for h in range(heads):
            for i in range(queries):
                at = start + i
                low = max(0, at + 1 - context)
                if len(first):
                    low = max(low, first[b, at])
                row, end = scores[b, h, i], min(at + 1, keys)
                row[:low] = -np.inf
                row[low:end] = far_first[h, context - 1 - at + low : context - 1 - at + end]
                row[end:] = -np.inf


@kernel_of(numba.void(_F4, numba.int64, _F2))
def bias_backward(d_scores: Array, start: int, d_bias: Array) -> None:
    """Add d_scores[B, H, m, keys], query 0 being position `start`, to d_bias[H, C] by distance; others are masked."""
    rows, heads, queries, keys = d_scores.shape
    context = d_bias.shape[1]
    far_first = np.zeros(context, np.float32)
    for h in range(heads):
        far_first[:] = 0
        for b in range(rows):
            for i in range(queries):
                at = start + i
                low, end = max(0, at + 1 - context), min(at + 1, keys)
                row = d_scores[b, h, i, low:end]
                mine = far_first[context - 1 - at + low : context - 1 - at + end]
                for j in range(len(row)):
                    mine[j] += row[j]
        for distance in range(context):
            d_bias[h, distance] += far_first[context - 1 - distance]


@kernel_of(numba.void(numba.int64[::1], _F2, _F2))
def embed_backward(inputs: Array, d_x: Array, d_embed: Array) -> None:
    """d_embed[inputs[n]] += d_x[n]."""
    for n in range(len(inputs)):
        row = max(inputs[n], 0)
        for i in range(d_x.shape[1]):
            d_embed[row, i] += d_x[n, i]


_I1 = numba.int64[::1]


@kernel_of(numba.void(_I1, _I1, _I1, numba.float32, _F2, _F2))
def add_features(inputs: Array, features: Array, offsets: Array, gain: Any, table: Array, x: Array) -> None:
    """x[n] += gain * the sum of the table's rows ``features[offsets[i]:offsets[i + 1]]`` of i = inputs[n]."""
    for n in range(len(inputs)):
        symbol = max(inputs[n], 0)
        for at in range(offsets[symbol], offsets[symbol + 1]):
            row = features[at]
            for i in range(x.shape[1]):
                x[n, i] += gain * table[row, i]


@kernel_of(numba.void(_I1, _I1, _I1, numba.float32, _F2, _F2))
def features_backward(inputs: Array, features: Array, offsets: Array, gain: Any, d_x: Array, d_table: Array) -> None:
    """d_table += the gradient of the table for d_x; see `add_features`."""
    for n in range(len(inputs)):
        symbol = max(inputs[n], 0)
        for at in range(offsets[symbol], offsets[symbol + 1]):
            row = features[at]
            for i in range(d_x.shape[1]):
                d_table[row, i] += gain * d_x[n, i]


@kernel_of(numba.void(_F2, numba.int64[::1], _F1, numba.float32, numba.float32, _F1))
def loss_backward(p: Array, targets: Array, logits: Array, z_loss: float, scale: float, nats: Array) -> None:
    """Probabilities p[N, A] become the gradient of the logits; nats[N] what each target costs.

    Args:
        logits: of the targets. z_loss, scale: as in `training.loss.head_loss`.
    """
    for n in range(p.shape[0]):
        target = targets[n]
        nats[n] = -math.log(max(p[n, target], np.float32(1e-38)))
        # log Z = logit - log p, of any symbol. d(log Z)^2 = 2 log Z * p.
        factor = scale * (np.float32(2) * z_loss * (logits[n] + nats[n]) + np.float32(1))
        for a in range(p.shape[1]):
            p[n, a] *= factor
        p[n, target] -= scale
