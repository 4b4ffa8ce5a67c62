"""From float weights to integers: one rule, used by freezing and by training with the rounding in the loop."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from stackc_torch import integers as I
from stackc_torch.config import Transformer
from stackc_torch.network import Scales, Weights

LOG2_UNITS = 256 * math.log2(math.e)
"""Units of 2^-8 bits in one nat."""

Factors = dict[str, tuple[Tensor, Tensor]]


def gate_scale(hidden: Tensor) -> Tensor:
    """Units per 1.0 of gate and of up, so that their product shifted right by 16 has `hidden` units per 1.0."""
    return (hidden * (1 << I.PRODUCT_SHIFT)).sqrt()


def factors(config: Transformer, scales: Scales) -> Factors:
    """For every matrix, float32[rows] and float32[columns] that its weights are multiplied by before rounding.

    A product then comes out in its row's units: those wanted of the outcome over those of what enters.
    """
    found: Factors = {}
    size, width = config.head_size, config.width
    # What a sum of 1 is worth in the residual stream before its shift: 2^10 in Q12.
    stream = torch.full((width,), 2.0 ** (I.STREAM_BITS - I.LIFT))
    for layer in range(config.layers):
        by_head = torch.cat([scales.q[layer], scales.k[layer], scales.v[layer]]).repeat_interleave(size)
        found[f"{layer}.qkv"] = by_head, (1 / scales.attention_in[layer]).expand(width)
        found[f"{layer}.out"] = stream, 1 / scales.v[layer].repeat_interleave(size)
        gates = gate_scale(scales.hidden[layer])
        found[f"{layer}.gate_up"] = torch.cat([gates, gates]), (1 / scales.mlp_in[layer]).expand(width)
        found[f"{layer}.down"] = stream, 1 / scales.hidden[layer]
    found["head"] = torch.full((1,), LOG2_UNITS), (1 / scales.head_in).expand(width)
    return found


def rounded_rows(weights: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    """Integers (held in float32) of a matrix, and its rows' shifts.

    Each row is scaled by the largest power of two, 2^0 .. 2^30, that keeps it in -127 .. 127; a row of zeros
    by 2^0. What is larger than 127 unscaled saturates.

    Returns:
        float32[R, K] of integers, float32[R] of shifts 0 .. 30.
    """
    scaled = weights * rows[:, None] * columns[None, :]
    largest = scaled.abs().amax(1)
    # 127 / largest = mantissa * 2^exponent with mantissa in [1/2, 1): the floor of its log2 is exponent - 1.
    shift = torch.frexp(I.TOP / largest.clamp(min=1e-30)).exponent.clamp(1, 31) - 1
    shift = shift.to(torch.float32).masked_fill_(largest == 0, 0)
    integers = torch.floor(scaled.mul_(torch.exp2(shift)[:, None]).add_(0.5)).clamp_(-I.TOP, I.TOP)
    return integers, shift


def rounded_weights(weights: Weights, found: Factors, out: Weights) -> None:
    """The weights as the frozen network will hold them, as floats again, into `out`; only its matrices are rounded."""
    for name, (rows, columns) in found.items():
        integers, shift = rounded_rows(weights[name], rows, columns)
        back = torch.exp2(-shift) / rows
        torch.mul(integers.mul_(back[:, None]), (1 / columns)[None, :], out=out[name])
