"""Choosing the 8-bit scales, from the activations of the float network on a fixed sample of the training text.

The scales are floats of the trained model, stored next to its weights, so that freezing needs no text.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from stackc_torch.training.architecture import normed
from stackc_torch.training.quantise import LOG2_UNITS, best_scale
from stackc_torch.training.rows import Rows, Weights
from stackc_torch.transformer.arrays import SCORE_SHIFT
from stackc_torch.transformer.config import Transformer
from stackc_torch.transformer.network import Scales, attention_bias, gated

MIN_SCORE = 256
"""Least multiplier of score differences: its own rounding then stays below 0.2 %."""

CHANNEL_RANGE = 4
"""How much finer than its layer's a hidden channel's scale may be."""


Seen = dict[str, list[Tensor]]
"""Scales by what they are of, one per layer."""


def hidden_scale(x: Tensor) -> Tensor:
    """Units per 1.0 for each column of x[n, F]: products of gate and up have long tails, of another length each.

    At most four times the common scale: a column that was small in the sample may be larger elsewhere.
    """
    return torch.minimum(best_scale(x.T), CHANNEL_RANGE * best_scale(x.reshape(1, -1)))


@torch.no_grad()
def calibrate(config: Transformer, weights: Weights, blocks: list[Rows]) -> Scales:
    """The scales of a float network, from its own activations on `blocks` (a few thousand symbols)."""
    seen: Seen = {name: [] for name in ("attention_in", "q", "k", "v", "mlp_in", "hidden")}
    streams = [weights["embed"][rows.inputs] for rows in blocks]
    for layer in range(config.layers):
        streams = _layer(config, weights, layer, blocks, streams, seen)
    head_in = best_scale(torch.cat([normed(x, None).reshape(-1) for x in streams])[None])
    found = {name: torch.stack(values).cpu() for name, values in seen.items()}
    q, k = exact_scores(found.pop("q"), found.pop("k"), config.head_size)
    ins = {name: found.pop(name)[:, 0] for name in ("attention_in", "mlp_in")}
    return Scales(head_in=head_in.cpu(), q=q, k=k, **ins, **found)


def _layer(
    config: Transformer, weights: Weights, layer: int, blocks: list[Rows], streams: list[Tensor], seen: Seen
) -> list[Tensor]:
    """One layer over all blocks, collecting the scales of all that is rounded when frozen."""
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
    """The factor from a product of an int8 query and key to 2^-8 bits, times 2^14: the exact score multiplier."""
    return LOG2_UNITS * (1 << SCORE_SHIFT) / (math.sqrt(size) * q * k)


def exact_scores(q: Tensor, k: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Scales of queries and keys moved a little, so that the score multiplier is an integer of at least `MIN_SCORE`."""
    factor = score_factor(q, k, size)
    ease = (factor / MIN_SCORE).clamp(max=1.0).sqrt()
    q, k = q * ease, k * ease
    factor = score_factor(q, k, size)
    return q * (factor / factor.round().clamp(MIN_SCORE, 1 << 24)), k
