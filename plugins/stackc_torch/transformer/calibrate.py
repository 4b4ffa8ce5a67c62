"""Choosing the 8-bit scales: from what a fixed sample of training text makes of the float network.

The scales are floats of the trained model, stored beside its weights, so that freezing needs no text.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from stackc_torch import integers as I
from stackc_torch.config import Transformer
from stackc_torch.network import Rows, Scales, Weights, attention_bias, gated, normed
from stackc_torch.quantise import LOG2_UNITS

MIN_SCORE = 256
"""Least multiplier of score differences: its own rounding then stays below 0.2 %."""

CHANNEL_RANGE = 4
"""How much finer than its layer's a hidden channel's scale may be."""

_CLIPS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)


def best_scale(x: Tensor) -> Tensor:
    """Units per 1.0 for each row of x[R, n]: of some shares of the largest value, the clip of least squared error."""
    largest = x.abs().amax(1).clamp(min=1e-4)
    errors = []
    for share in _CLIPS:
        scale = (I.TOP / (largest * share))[:, None]
        errors.append((torch.floor(x * scale + 0.5).clamp(-I.TOP, I.TOP) / scale - x).square().sum(1))
    share = torch.tensor(_CLIPS, device=x.device)[torch.stack(errors).argmin(0)]
    return I.TOP / (largest * share)


def hidden_scale(x: Tensor) -> Tensor:
    """Units per 1.0 for each column of x[n, F]: products of gate and up have long tails, of another length each.

    At most four times the common scale: a column that was small in the sample may be larger elsewhere.
    """
    return torch.minimum(best_scale(x.T), CHANNEL_RANGE * best_scale(x.reshape(1, -1)))


@torch.no_grad()
def calibrate(weights: Weights, config: Transformer, blocks: list[Rows]) -> Scales:
    """The scales of a float network, from its own activations on `blocks` (a few thousand symbols)."""
    seen: dict[str, list[Tensor]] = {name: [] for name in ("attention_in", "q", "k", "v", "mlp_in", "hidden")}
    streams = [weights["embed"][rows.inputs] for rows in blocks]
    for layer in range(config.layers):
        streams = _layer(weights, config, layer, blocks, streams, seen)
    head_in = best_scale(torch.cat([normed(x, None).reshape(-1) for x in streams])[None])
    scales = {name: torch.stack(values).cpu() for name, values in seen.items()}
    scales["attention_in"], scales["mlp_in"] = scales["attention_in"][:, 0], scales["mlp_in"][:, 0]
    q, k = exact_scores(scales["q"], scales["k"], config.head_size)
    return Scales(
        attention_in=scales["attention_in"],
        mlp_in=scales["mlp_in"],
        head_in=head_in.cpu(),
        q=q,
        k=k,
        v=scales["v"],
        hidden=scales["hidden"],
    )


def _layer(
    weights: Weights,
    config: Transformer,
    layer: int,
    blocks: list[Rows],
    streams: list[Tensor],
    seen: dict[str, list[Tensor]],
) -> list[Tensor]:
    """One layer over all blocks, noting the scales of what would be rounded."""
    heads, size = config.heads, config.head_size
    ys = [normed(x, None) for x in streams]
    seen["attention_in"].append(best_scale(torch.cat([y.reshape(-1) for y in ys])[None]))
    qkvs = [(y @ weights[f"{layer}.qkv"].T).unflatten(-1, (3, heads, size)) for y in ys]
    for part, name in enumerate("qkv"):
        by_head = torch.cat([qkv[:, :, part].reshape(-1, heads, size) for qkv in qkvs]).transpose(0, 1)
        seen[name].append(best_scale(by_head.reshape(heads, -1)))
    after = []
    for x, qkv, rows in zip(streams, qkvs, blocks, strict=True):
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        positions = torch.arange(x.shape[1], device=x.device)
        scores = q @ k.transpose(2, 3) / math.sqrt(size)
        scores += attention_bias(weights[f"{layer}.bias"], positions, positions, rows.first)
        mixed = (torch.softmax(scores, -1) @ v).transpose(1, 2).flatten(2)
        after.append(x + mixed @ weights[f"{layer}.out"].T)
    ys = [normed(x, None) for x in after]
    seen["mlp_in"].append(best_scale(torch.cat([y.reshape(-1) for y in ys])[None]))
    hiddens = [gated(y @ weights[f"{layer}.gate_up"].T, None) for y in ys]
    seen["hidden"].append(hidden_scale(torch.cat([hidden.reshape(-1, config.hidden) for hidden in hiddens])))
    return [x + hidden @ weights[f"{layer}.down"].T for x, hidden in zip(after, hiddens, strict=True)]


def score_factor(q: Tensor, k: Tensor, size: int) -> Tensor:
    """What turns a product of an int8 query and key into 2^-8 bits, times 2^14: the exact score multiplier."""
    return LOG2_UNITS * (1 << I.SCORE_SHIFT) / (math.sqrt(size) * q * k)


def exact_scores(q: Tensor, k: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Scales of queries and keys moved a little, so that the score multiplier is an integer of at least `MIN_SCORE`."""
    factor = score_factor(q, k, size)
    ease = (factor / MIN_SCORE).clamp(max=1.0).sqrt()
    q, k = q * ease, k * ease
    factor = score_factor(q, k, size)
    return q * (factor / factor.round().clamp(MIN_SCORE, 1 << 24)), k
