"""From float weights to integers: one rule, used by freezing and by training with the rounding in the loop.

Every row of a matrix has its own shift, so that a row of small weights keeps all its bits, and a power of two, not
a float scale, so that the frozen network needs no more than a shift, which every machine computes alike.
"""

from __future__ import annotations

import math
from typing import Any

import attrs
import numpy as np
import torch
from torch import Tensor

from stackc_torch.frozen import rules
from stackc_torch.frozen.rules import Array
from stackc_torch.training.rows import Weights

LOG2_UNITS = 256 * math.log2(math.e)
"""Units of 2^-8 bits in one nat."""

Factors = dict[str, tuple[Tensor, Tensor]]
"""For every matrix, float32[rows] and float32[columns] that its weights are multiplied by before rounding.

A product then comes out in its row's units: the units wanted of the outcome over the units of the operands.
"""

_CLIPS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)


def best_scale(x: Tensor) -> Tensor:
    """Units per 1.0 for each row of x[R, n]: of some shares of the largest value, the clip of least squared error."""
    largest = x.abs().amax(1).clamp(min=1e-4)
    errors = []
    for share in _CLIPS:
        scale = (rules.TOP / (largest * share))[:, None]
        errors.append((torch.floor(x * scale + 0.5).clamp(-rules.TOP, rules.TOP) / scale - x).square().sum(1))
    share = torch.tensor(_CLIPS, device=x.device)[torch.stack(errors).argmin(0)]
    return rules.TOP / (largest * share)


def round_to(x: Tensor, scale: Tensor) -> Tensor:
    """x on the grid of integers -127 .. 127 over `scale`; gradients pass straight through."""
    rounded = torch.floor(x.detach() * scale + 0.5).clamp_(-127, 127) / scale
    return x + (rounded - x.detach())


def rounded_rows(weights: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    """Integers (held in float32) of a matrix, and its rows' shifts.

    Each row is scaled by the largest power of two, 2^0 .. 2^30, that keeps it in -127 .. 127; a row of zeros
    by 2^0. Values above 127 without a scale saturate.

    Returns:
        float32[R, K] of integers, float32[R] of shifts 0 .. 30.
    """
    scaled = weights * rows[:, None] * columns[None, :]
    largest = scaled.abs().amax(1)
    # 127 / largest = mantissa * 2^exponent with mantissa in [1/2, 1): the floor of its log2 is exponent - 1.
    shift = torch.frexp(rules.TOP / largest.clamp(min=1e-30)).exponent.clamp(1, 31) - 1
    shift = shift.to(torch.float32).masked_fill_(largest == 0, 0)
    integers = torch.floor(scaled.mul_(torch.exp2(shift)[:, None]).add_(0.5)).clamp_(-rules.TOP, rules.TOP)
    return integers, shift


def rounded_weights(weights: Weights, found: Factors, out: Weights) -> None:
    """The weights as the frozen network will hold them, as floats again, into `out`; only its matrices are rounded."""
    for name, (rows, columns) in found.items():
        integers, shift = rounded_rows(weights[name], rows, columns)
        back = torch.exp2(-shift) / rows
        torch.mul(integers.mul_(back[:, None]), (1 / columns)[None, :], out=out[name])


def moved(scales: Any, device: torch.device) -> Any:
    """The same scales on another device."""
    return type(scales)(**{name: tensor.to(device) for name, tensor in attrs.asdict(scales).items()})


def as_integers(x: Tensor, low: int, high: int, kind: type) -> Array:
    """x rounded half up, in low .. high. In float64, which holds all of these exactly."""
    return np.asarray(np.clip(np.floor(x.double().numpy() + 0.5), low, high), kind)


def frozen_parts(
    weights: Weights, found: Factors, norms: list[Tensor], layers: int, names: dict[str, str]
) -> dict[str, Array]:
    """The arrays that frozen networks have in common: the embedding, the norms, and every matrix with its shifts.

    Args:
        norms: int8 units per 1.0 after each norm.
        names: of the layers' matrices: in the weights, and in the frozen network.
    """
    rounded = {name: rounded_rows(weights[name], *pair) for name, pair in found.items()}
    pairs = {stored: [rounded[f"{layer}.{name}"] for layer in range(layers)] for name, stored in names.items()}
    units = torch.cat(norms).double() * (1 << rules.NORM_BITS)
    top = rules.STREAM_TOP
    return {
        "embed": as_integers(weights["embed"] * (1 << rules.STREAM_BITS), -top, top, np.int32),
        "norms": as_integers(units, 1, rules.TOP << rules.NORM_BITS, np.int64),
        **{name: np.stack([one.numpy() for one, _ in group]).astype(np.int8) for name, group in pairs.items()},
        **{f"{name}_shift": np.stack([s.numpy() for _, s in group]).astype(np.int32) for name, group in pairs.items()},
        "head": rounded["head"][0].numpy().astype(np.int8),
        "head_shift": rounded["head"][1].numpy().astype(np.int32),
    }
