"""Freezing a transformer: float weights and scales in, the integer network out."""

from __future__ import annotations

import numpy as np
import torch

from stackc_torch.frozen import rules
from stackc_torch.training.quantise import LOG2_UNITS, Factors, as_integers, frozen_parts
from stackc_torch.training.rows import Weights
from stackc_torch.transformer.arrays import PRODUCT_SHIFT, SCORE_SHIFT, Frozen
from stackc_torch.transformer.calibrate import score_factor
from stackc_torch.transformer.config import Transformer
from stackc_torch.transformer.network import Scales


def factors(config: Transformer, scales: Scales) -> Factors:
    """See `stackc_torch.training.quantise.Factors`."""
    found: Factors = {}
    size, width = config.head_size, config.width
    # What a sum of 1 is worth in the residual stream before its shift: 2^10 in Q12.
    stream = torch.full((width,), 2.0 ** (rules.STREAM_BITS - rules.LIFT))
    for layer in range(config.layers):
        by_head = torch.cat([scales.q[layer], scales.k[layer], scales.v[layer]]).repeat_interleave(size)
        found[f"{layer}.qkv"] = by_head, (1 / scales.attention_in[layer]).expand(width)
        found[f"{layer}.out"] = stream, 1 / scales.v[layer].repeat_interleave(size)
        # Of gate and of up, so that their product shifted right by 16 has the units of the hidden values.
        gates = (scales.hidden[layer] * (1 << PRODUCT_SHIFT)).sqrt()
        found[f"{layer}.gate_up"] = torch.cat([gates, gates]), (1 / scales.mlp_in[layer]).expand(width)
        found[f"{layer}.down"] = stream, 1 / scales.hidden[layer]
    found["head"] = torch.full((1,), LOG2_UNITS), (1 / scales.head_in).expand(width)
    return found


@torch.no_grad()
def freeze(config: Transformer, weights: Weights, scales: Scales) -> Frozen:
    """The integer network of float weights (on the CPU) under `scales`."""
    score = score_factor(scales.q, scales.k, config.head_size).round().clamp(1, 1 << 24)
    bias = torch.stack([weights[f"{layer}.bias"] for layer in range(config.layers)])
    in_products = bias * (LOG2_UNITS * (1 << SCORE_SHIFT)) / score[:, :, None]
    norms = [torch.stack([scales.attention_in, scales.mlp_in], 1).reshape(-1), scales.head_in]
    names = {name: name for name in ("qkv", "out", "gate_up", "down")}
    return Frozen(
        **frozen_parts(weights, factors(config, scales), norms, config.layers, names),
        bias=as_integers(in_products, -(1 << 26), 1 << 26, np.int32),
        score=score.to(torch.int32).numpy(),
        exponential=rules.exponential_table(),
    )
