"""Element-wise work of training on CPU, fused (numba). Floats: these decide no bit of what is coded.

N positions in all, d width, F hidden, H heads, D head size; a block of B rows of T positions. A scale of 0
means no rounding; otherwise values are put on the grid -127 .. 127 over the scale, and the backward kernels
let gradients pass as if that had not happened (straight-through).

`_SUMS` lets the compiler keep several partial sums: a fixed order, so that the same build gives the same
bytes. Kernels that round go without it: it would let floor(x + 0.5) be rewritten.
"""

from __future__ import annotations

import math

import numba
import numpy as np

_SUMS = {"reassoc", "contract", "nsz"}
_F1, _F2, _F3 = numba.float32[::1], numba.float32[:, ::1], numba.float32[:, :, ::1]
_F4, _F5 = numba.float32[:, :, :, ::1], numba.float32[:, :, :, :, ::1]
_HALF = np.float32(0.5)
_TOP = np.float32(127)
_ZERO = np.float32(0)


@numba.njit(numba.void(_F2, _F1), cache=True, nogil=True, fastmath=_SUMS)
def inverse_rms(x, rinv):
    """rinv[n] = 1 / sqrt(mean(x[n]^2) + 1e-6)."""
    for n in range(x.shape[0]):
        total = _ZERO
        for i in range(x.shape[1]):
            total += x[n, i] * x[n, i]
        rinv[n] = np.float32(1) / math.sqrt(total / np.float32(x.shape[1]) + np.float32(1e-6))


@numba.njit(numba.void(_F2, _F1, numba.float32, _F2), cache=True, nogil=True)
def scale_rows(x, rinv, scale, y):
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


@numba.njit(numba.void(_F2, _F2, _F1, _F2), cache=True, nogil=True, fastmath=_SUMS)
def norm_backward(d_y, x, rinv, d_x):
    """d_x += the gradient of x * rinv(x) for d_y."""
    width = np.float32(x.shape[1])
    for n in range(x.shape[0]):
        total = _ZERO
        for i in range(x.shape[1]):
            total += d_y[n, i] * x[n, i]
        along = total * rinv[n] * rinv[n] / width
        for i in range(x.shape[1]):
            d_x[n, i] += rinv[n] * (d_y[n, i] - x[n, i] * along)


@numba.njit(numba.void(_F3, _F1, _F2), cache=True, nogil=True)
def gate_forward(gate_up, scale, hidden):
    """hidden[N, F] = relu(gate) * up, rounded; gate_up[N, 2, F]. scale[F], or [0] for none."""
    rounding = len(scale) > 0
    for n in range(hidden.shape[0]):
        for f in range(hidden.shape[1]):
            hidden[n, f] = max(gate_up[n, 0, f], _ZERO) * gate_up[n, 1, f]
        if rounding:
            for f in range(hidden.shape[1]):
                rounded = np.floor(hidden[n, f] * scale[f] + _HALF)
                hidden[n, f] = min(max(rounded, -_TOP), _TOP) / scale[f]


@numba.njit(numba.void(_F2, _F3), cache=True, nogil=True)
def gate_backward(d_hidden, gate_up):
    """gate_up[N, 2, F] becomes the gradient with respect to itself."""
    for n in range(d_hidden.shape[0]):
        for f in range(d_hidden.shape[1]):
            gate = gate_up[n, 0, f]
            open_gate = np.float32(1) if gate > _ZERO else _ZERO
            upstream = d_hidden[n, f] * open_gate
            gate_up[n, 0, f] = upstream * gate_up[n, 1, f]
            gate_up[n, 1, f] = upstream * gate


@numba.njit(numba.void(_F5, _F2, _F4, _F4, _F4), cache=True, nogil=True)
def split_heads(qkv, scales, q, k, v):
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


@numba.njit(numba.void(_F4, _F1, _F5, numba.int64, numba.float32), cache=True, nogil=True)
def merge_heads(x, scales, out, part, factor):
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


@numba.njit(numba.void(_F2, numba.int64, numba.int64[:, ::1], _F4), cache=True, nogil=True)
def bias_forward(bias, start, first, scores):
    """scores[B, H, m, keys] = bias[H, C] by distance, -inf where not seen; query 0 is position `start`.

    first: int64[B, T], the first position that each one sees; [0, 0]: no limit but the context.
    """
    rows, heads, queries, keys = scores.shape
    for b in range(rows):
        for h in range(heads):
            for i in range(queries):
                at = start + i
                low = max(0, at + 1 - bias.shape[1])
                if len(first):
                    low = max(low, first[b, at])
                for j in range(low):
                    scores[b, h, i, j] = -np.inf
                for j in range(low, min(at + 1, keys)):
                    scores[b, h, i, j] = bias[h, at - j]
                for j in range(at + 1, keys):
                    scores[b, h, i, j] = -np.inf


@numba.njit(numba.void(_F4, numba.int64, _F2), cache=True, nogil=True)
def bias_backward(d_scores, start, d_bias):
    """Add d_scores[B, H, m, keys], query 0 being position `start`, to d_bias[H, C] by distance; others are masked."""
    rows, heads, queries, keys = d_scores.shape
    for b in range(rows):
        for h in range(heads):
            for i in range(queries):
                at = start + i
                nearest = min(at + 1, keys)
                for j in range(max(0, at + 1 - d_bias.shape[1]), nearest):
                    d_bias[h, at - j] += d_scores[b, h, i, j]


@numba.njit(numba.void(numba.int64[::1], _F2, _F2), cache=True, nogil=True)
def embed_backward(inputs, d_x, d_embed):
    """d_embed[inputs[n]] += d_x[n]."""
    for n in range(len(inputs)):
        row = max(inputs[n], 0)
        for i in range(d_x.shape[1]):
            d_embed[row, i] += d_x[n, i]
