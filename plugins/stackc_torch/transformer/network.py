"""The float network in plain torch operations: what runs on CUDA, and what the fused CPU path is tested against.

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

from stackc_torch.config import Transformer

NORM_EPSILON = 1e-6
LOSS_ELEMENTS = 1 << 21
"""Logits that are held at once: large alphabets are projected in chunks of positions."""

Weights = dict[str, Tensor]


@attrs.frozen(kw_only=True)
class Rows:
    """A block of training rows of one length.

    Attributes:
        inputs: int64[B, T]; the symbol before each position, A where the context is empty.
        targets: int64[B, T]; the symbol at each position.
        first: int64[B, T]; where in its row each position's context starts; None: at 0 throughout.
        idle: another rank's rows, to take part in what all ranks compute together; they count for nothing.
    """

    inputs: Tensor
    targets: Tensor
    first: Tensor | None
    idle: bool = False

    def to(self, device: torch.device) -> Rows:
        """The same on another device."""
        first = None if self.first is None else self.first.to(device, non_blocking=True)
        return attrs.evolve(self, inputs=self.inputs.to(device), targets=self.targets.to(device), first=first)


@attrs.frozen(kw_only=True, eq=False)
class Scales:
    """Integer units per 1.0 of everything that the frozen network holds in 8 bits; see `stackc_torch.calibrate`.

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

    def to(self, device: torch.device) -> Scales:
        """The same on another device."""
        return Scales(**{name: tensor.to(device) for name, tensor in attrs.asdict(self).items()})


def initial_weights(config: Transformer, alphabet: int, seed: int) -> Weights:
    """Starting weights, a function of the seed alone (drawn on the CPU, in float32).

    The projection to symbols starts small, so that the first loss is that of the uniform distribution, and
    what is added to the residual stream starts smaller the more layers add to it.
    """
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, shape in config.shapes(alphabet).items():
        kind = name.split(".")[-1]
        if kind == "bias":
            weights[name] = distance_slopes(config, int(name.split(".")[0]))
            continue
        spread = 1.0 if kind == "embed" else 1 / math.sqrt(shape[1])
        if kind in ("out", "down"):
            spread /= math.sqrt(2 * config.layers)
        if kind == "head":
            spread *= 0.1
        weights[name] = torch.randn(shape, generator=generator) * spread
    return weights


def distance_slopes(config: Transformer, layer: int) -> Tensor:
    """Starting biases float32[H, C]: each head looks back at another range, from a few symbols to the whole context.

    Press, Smith, Lewis (2022): Train short, test long. Slopes run geometrically from 1 to 1/128 over the
    heads of all layers together, so that two heads never start alike.
    """
    heads, layers = config.heads, config.layers
    ranks = torch.arange(heads) * layers + layer
    slopes = 2.0 ** (-7.0 * ranks / max(1, heads * layers - 1))
    return -slopes[:, None] * torch.arange(config.context)


def round_to(x: Tensor, scale: Tensor) -> Tensor:
    """x on the grid of integers -127 .. 127 over `scale`; gradients pass straight through."""
    rounded = torch.floor(x.detach() * scale + 0.5).clamp_(-127, 127) / scale
    return x + (rounded - x.detach())


def normed(x: Tensor, scale: Tensor | None) -> Tensor:
    """x[..., d] over its root mean square, rounded where a scale is given."""
    y = x.float() * torch.rsqrt(x.float().square().mean(-1, keepdim=True) + NORM_EPSILON)
    return y if scale is None else round_to(y, scale)


def gated(gate_up: Tensor, scale: Tensor | None) -> Tensor:
    """[..., 2F] -> [..., F]: relu(gate) * up."""
    gate, up = gate_up.chunk(2, -1)
    hidden = F.relu(gate) * up
    return hidden if scale is None else round_to(hidden, scale)


def attention_bias(bias: Tensor, queries: Tensor, keys: Tensor, first: Tensor | None) -> Tensor:
    """What is added to scores, -inf where a query must not look: [1 or B, H, queries, keys].

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


def layer(weights: Weights, config: Transformer, number: int, x: Tensor, rows: Rows, scales: Scales | None) -> Tensor:
    """The stream [B, T, d] after one layer. With `scales`, rounded as the frozen network rounds."""
    y = normed(x, scales and scales.attention_in[number])
    qkv = F.linear(y, weights[f"{number}.qkv"])
    by_head = (scales.q[number], scales.k[number], scales.v[number]) if scales else ()
    mixed = attend(qkv, config, weights[f"{number}.bias"].float(), rows.first, by_head)
    x = x + F.linear(mixed, weights[f"{number}.out"])
    y = normed(x, scales and scales.mlp_in[number])
    hidden = gated(F.linear(y, weights[f"{number}.gate_up"]), scales and scales.hidden[number])
    return x + F.linear(hidden, weights[f"{number}.down"])


def head_loss(
    y: Tensor, head: Tensor, targets: Tensor, z_loss: float, d_head: Tensor | None, scale: float
) -> tuple[Tensor, Tensor | None]:
    """Cross-entropy of y[N, d] @ head[A, d].T against targets[N], a chunk of positions at a time.

    The gradient is taken where the probabilities are at hand, so that no more than `LOSS_ELEMENTS` logits
    ever live. The z-loss adds z * log(Z)^2 to what is minimised, not to what is reported.

    Args:
        d_head: added to, in place; None: no gradients.
        scale: the gradient's factor: one over the symbols of the whole step.

    Returns:
        The sum in nats (float64 scalar), and the gradient with respect to y.
    """
    dtype = y.dtype
    total = torch.zeros((), dtype=torch.float64, device=y.device)
    d_y = None if d_head is None else torch.empty_like(y)
    chunk = max(128, LOSS_ELEMENTS // len(head))
    head = head.to(dtype)
    for start in range(0, len(y), chunk):
        part = slice(start, start + chunk)
        wanted = targets[part, None]
        logits = (y[part] @ head.T).float()
        wanted_logit = logits.gather(1, wanted)
        p = torch.softmax(logits, -1, out=logits) if logits.device.type == "cpu" else torch.softmax(logits, -1)
        wanted_p = p.gather(1, wanted).clamp_(min=1e-38)
        nats = -wanted_p.log_()
        total += nats.sum(dtype=torch.float64)
        if d_y is None or d_head is None:
            continue
        if z_loss:
            # log Z = logit - log p, of any symbol. d(log Z)^2 = 2 log Z * p.
            p *= (2 * z_loss) * (wanted_logit + nats) + 1
        p.scatter_add_(1, wanted, torch.full_like(nats, -1.0))
        p = p.mul_(scale).to(dtype)
        d_y[part] = p @ head
        if dtype == d_head.dtype:
            d_head.addmm_(p.T, y[part])
        else:
            d_head += p.T @ y[part]
    return total, d_y


class HeadLoss(torch.autograd.Function):
    """`head_loss` under autograd: gradients are computed in the forward pass and handed out in the backward one."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, head: Tensor, targets: Tensor, z_loss: float, scale: float) -> Tensor:
        d_head = torch.zeros_like(head)
        total, d_y = head_loss(y, head, targets, z_loss, d_head, scale)
        ctx.save_for_backward(d_y, d_head)
        return total

    @staticmethod
    def backward(ctx: Any, *_: Any) -> tuple[Tensor | None, ...]:
        d_y, d_head = ctx.saved_tensors
        return d_y, d_head, None, None, None
