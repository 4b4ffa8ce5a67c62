"""The float transformer in plain torch operations: what runs on CUDA, and what the fused CPU path is tested against.

Shapes: B rows, T positions, d width, H heads, D head size, F hidden, A alphabet, C context. `weights` maps
the names of `Transformer.shapes` to tensors.
"""

from __future__ import annotations

import math
from typing import Any

import attrs
import torch
from torch import Tensor
from torch.nn import functional as F

from stackc_torch.training.architecture import initial_weights, normed
from stackc_torch.training.quantise import round_to
from stackc_torch.training.rows import Rows, Weights
from stackc_torch.transformer.config import Transformer


@attrs.frozen(kw_only=True, eq=False)
class Scales:
    """Integer units per 1.0 of everything that the frozen network holds in 8 bits; see `calibrate`.

    Attributes:
        attention_in, mlp_in: float32[L], the norms' outputs.
        head_in: float32[1], the last norm's.
        q, k, v: float32[L, H].
        hidden: float32[L, F], the gated product.
    """

    attention_in: Tensor
    mlp_in: Tensor
    head_in: Tensor
    q: Tensor
    k: Tensor
    v: Tensor
    hidden: Tensor


def initial(config: Transformer, alphabet: int, seed: int) -> Weights:
    """Starting weights: what is added to the residual stream starts smaller the more layers add to it."""
    smaller = dict.fromkeys(("out", "down"), math.sqrt(2 * config.layers))
    slopes = [distance_slopes(config, number) for number in range(config.layers)]
    return initial_weights(config.shapes(alphabet), seed, lambda name: slopes[int(name.split(".")[0])], smaller)


def distance_slopes(config: Transformer, layer: int) -> Tensor:
    """Starting biases float32[H, C]: each head looks back at another range, from a few symbols to the whole context.

    Press, Smith, Lewis (2022): Train short, test long. Slopes run geometrically from 1 to 1/128 over the
    heads of all layers together, so that two heads never start alike.
    """
    heads, layers = config.heads, config.layers
    ranks = torch.arange(heads) * layers + layer
    slopes = 2.0 ** (-7.0 * ranks / max(1, heads * layers - 1))
    return -slopes[:, None] * torch.arange(config.context)


def gated(gate_up: Tensor, scale: Tensor | None) -> Tensor:
    """[..., 2F] -> [..., F]: relu(gate) * up."""
    gate, up = gate_up.chunk(2, -1)
    hidden = F.relu(gate) * up
    return hidden if scale is None else round_to(hidden, scale)


def attention_bias(bias: Tensor, queries: Tensor, keys: Tensor, first: Tensor | None) -> Tensor:
    """The bias that is added to scores, -inf where a query must not look: [1 or B, H, queries, keys].

    Args:
        bias: [H, C], by distance.
        queries, keys: int64 positions.
        first: int64[B, queries], the first position each query sees; None: no limit but the context.
    """
    distance = queries[:, None] - keys[None, :]
    context = bias.shape[1]
    added = bias[:, distance.clamp(0, context - 1)]
    added = added.masked_fill((distance < 0) | (distance >= context), -math.inf)[None]
    if first is None:
        return added
    return added.masked_fill((keys < first[..., None])[:, None], -math.inf)


def attend(qkv: Tensor, config: Transformer, bias: Tensor, first: Tensor | None, scales: tuple[Any, ...]) -> Tensor:
    """[B, T, 3HD] -> [B, T, HD]: softmax over the positions that each position may see."""
    rows, length, _ = qkv.shape
    heads, size = config.heads, config.head_size
    q, k, v = qkv.view(rows, length, 3, heads, size).permute(2, 0, 3, 1, 4)
    if scales:
        q, k, v = (round_to(x, scale[:, None, None]) for x, scale in zip((q, k, v), scales, strict=True))
    positions = torch.arange(length, device=qkv.device)
    added = attention_bias(bias, positions, positions, first).to(q.dtype)
    mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=added.expand(rows, -1, -1, -1))
    if scales:
        mixed = round_to(mixed, scales[2][:, None, None])
    return mixed.transpose(1, 2).reshape(rows, length, heads * size)


def layer(
    config: Transformer, weights: Weights, number: int, x: Tensor, rows: Rows, scales: Scales | None = None
) -> Tensor:
    """The stream [B, T, d] after one layer. With `scales`, rounded as the frozen network rounds."""
    y = normed(x, scales and scales.attention_in[number])
    qkv = F.linear(y, weights[f"{number}.qkv"])
    by_head = (scales.q[number], scales.k[number], scales.v[number]) if scales else ()
    mixed = attend(qkv, config, weights[f"{number}.bias"].float(), rows.first, by_head)
    x = x + F.linear(mixed, weights[f"{number}.out"])
    y = normed(x, scales and scales.mlp_in[number])
    hidden = gated(F.linear(y, weights[f"{number}.gate_up"]), scales and scales.hidden[number])
    return x + F.linear(hidden, weights[f"{number}.down"])
