"""Freezing: float weights and scales in, the integer network out."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from stackc_torch import integers as I
from stackc_torch.calibrate import score_factor
from stackc_torch.config import Transformer
from stackc_torch.integers import Array, Frozen
from stackc_torch.network import Scales, Weights
from stackc_torch.quantise import LOG2_UNITS, factors, rounded_rows


@torch.no_grad()
def freeze(weights: Weights, scales: Scales, config: Transformer) -> Frozen:
    """The integer network of float weights (on the CPU) under `scales`."""
    matrices: dict[str, Array] = {}
    shifts: dict[str, Array] = {}
    for name, (rows, columns) in factors(config, scales).items():
        integers, shift = rounded_rows(weights[name], rows, columns)
        matrices[name] = integers.to(torch.int8).numpy()
        shifts[name] = shift.to(torch.int32).numpy()

    def stacked(source: dict[str, Array], name: str) -> Array:
        return np.stack([source[f"{layer}.{name}"] for layer in range(config.layers)])

    score = score_factor(scales.q, scales.k, config.head_size).round().clamp(1, 1 << 24)
    bias = torch.stack([weights[f"{layer}.bias"] for layer in range(config.layers)])
    in_products = bias * (LOG2_UNITS * (1 << I.SCORE_SHIFT)) / score[:, :, None]
    norms = [torch.stack([scales.attention_in, scales.mlp_in], 1).reshape(-1), scales.head_in]
    return Frozen(
        embed=as_integers(weights["embed"] * (1 << I.STREAM_BITS), -I.STREAM_TOP, I.STREAM_TOP, np.int32),
        norms=as_integers(torch.cat(norms).double() * (1 << I.NORM_BITS), 1, I.TOP << I.NORM_BITS, np.int64),
        qkv=stacked(matrices, "qkv"),
        qkv_shift=stacked(shifts, "qkv"),
        bias=as_integers(in_products, -(1 << 26), 1 << 26, np.int32),
        score=score.to(torch.int32).numpy(),
        out=stacked(matrices, "out"),
        out_shift=stacked(shifts, "out"),
        gate_up=stacked(matrices, "gate_up"),
        gate_up_shift=stacked(shifts, "gate_up"),
        down=stacked(matrices, "down"),
        down_shift=stacked(shifts, "down"),
        head=matrices["head"],
        head_shift=shifts["head"],
        exponential=I.exponential_table(),
    )


def as_integers(x: Tensor, low: int, high: int, kind: type) -> Array:
    """x rounded half up, in low .. high. In float64, which holds all of these exactly."""
    return np.clip(np.floor(x.double().numpy() + 0.5), low, high).astype(kind)
