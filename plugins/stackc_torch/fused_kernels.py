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
_F1, _F2, _F4 = numba.float32[::1], numba.float32[:, ::1], numba.float32[:, :, :, ::1]
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


@numba.njit(numba.void(_F2, _F1, _F2), cache=True, nogil=True)
def gate_forward(gate_up, scale, hidden):
    """hidden[N, F] = relu(gate) * up, rounded; gate_up[N, 2F]. scale[F], or [0] for none."""
    width = hidden.shape[1]
    rounding = len(scale) > 0
    for n in range(hidden.shape[0]):
        for f in range(width):
            hidden[n, f] = max(gate_up[n, f], _ZERO) * gate_up[n, width + f]
        if rounding:
            for f in range(width):
                rounded = np.floor(hidden[n, f] * scale[f] + _HALF)
                hidden[n, f] = min(max(rounded, -_TOP), _TOP) / scale[f]


@numba.njit(numba.void(_F2, _F2), cache=True, nogil=True)
def gate_backward(d_hidden, gate_up):
    """gate_up[N, 2F] becomes the gradient with respect to itself."""
    width = d_hidden.shape[1]
    for n in range(d_hidden.shape[0]):
        for f in range(width):
            gate = gate_up[n, f]
            up = gate_up[n, width + f]
            upstream = d_hidden[n, f]
            gate_up[n, f] = upstream * up if gate > _ZERO else _ZERO
            gate_up[n, width + f] = upstream * max(gate, _ZERO)


@numba.njit(numba.void(_F2, _F2, _F4, _F4, _F4), cache=True, nogil=True)
def split_heads(qkv, scales, q, k, v):
    """qkv[BT, 3HD] -> q, k, v[B, H, T, D], rounded; q also over sqrt(D). scales[3, H], or [0, 0] for none."""
    rows, heads, length, size = q.shape
    rounding = scales.shape[0] > 0
    shrink = np.float32(1) / math.sqrt(np.float32(size))
    for b in range(rows):
        for part in range(3):
            out = q if part == 0 else (k if part == 1 else v)
            after = shrink if part == 0 else np.float32(1)
            for h in range(heads):
                start = (part * heads + h) * size
                for t in range(length):
                    if rounding:
                        scale = scales[part, h]
                        back = after / scale
                        for i in range(size):
                            rounded = np.floor(qkv[b * length + t, start + i] * scale + _HALF)
                            out[b, h, t, i] = min(max(rounded, -_TOP), _TOP) * back
                    else:
                        for i in range(size):
                            out[b, h, t, i] = qkv[b * length + t, start + i] * after


@numba.njit(numba.void(_F4, _F1, _F2, numba.int64, numba.float32), cache=True, nogil=True)
def merge_heads(x, scales, out, column, factor):
    """x[B, H, T, D] -> out[BT, column : column + HD], times factor, rounded. scales[H], or [0] for none."""
    rows, heads, length, size = x.shape
    rounding = len(scales) > 0
    for b in range(rows):
        for h in range(heads):
            start = column + h * size
            for t in range(length):
                if rounding:
                    scale = scales[h]
                    back = factor / scale
                    for i in range(size):
                        rounded = np.floor(x[b, h, t, i] * scale + _HALF)
                        out[b * length + t, start + i] = min(max(rounded, -_TOP), _TOP) * back
                else:
                    for i in range(size):
                        out[b * length + t, start + i] = x[b, h, t, i] * factor
