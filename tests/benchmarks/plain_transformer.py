"""The transformer in plain eager torch, as one writes it first: what the benchmarks compare with."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stackc_torch.training.rows import Weights
from stackc_torch.transformer.config import Transformer


class Norm(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6)


class Block(nn.Module):
    """A pre-norm block as one writes it first."""

    def __init__(self, config: Transformer) -> None:
        super().__init__()
        self.config = config
        d, inner, hidden = config.width, config.attention_width, config.hidden
        self.norm = Norm()
        self.qkv = nn.Linear(d, 3 * inner, bias=False)
        self.out = nn.Linear(inner, d, bias=False)
        self.gate = nn.Linear(d, hidden, bias=False)
        self.up = nn.Linear(d, hidden, bias=False)
        self.down = nn.Linear(hidden, d, bias=False)
        self.bias = nn.Parameter(torch.zeros(config.heads, config.context))

    def forward(self, x: Tensor) -> Tensor:
        rows, length, _ = x.shape
        q, k, v = self.qkv(self.norm(x)).view(rows, length, 3, self.config.heads, -1).permute(2, 0, 3, 1, 4)
        at = torch.arange(length)
        distance = at[:, None] - at[None]
        mask = self.bias[:, distance.clamp(min=0)].masked_fill(distance < 0, float("-inf"))
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = x + self.out(mixed.transpose(1, 2).reshape(rows, length, -1))
        y = self.norm(x)
        return x + self.down(F.relu(self.gate(y)) * self.up(y))

    def step(self, x: Tensor, keys: Tensor, values: Tensor, at: int) -> Tensor:
        """x[L, d] at position `at`; keys and values [L, H, C, D] are added to."""
        q, k, v = self.qkv(self.norm(x)).view(len(x), 3, self.config.heads, -1).unbind(1)
        keys[:, :, at], values[:, :, at] = k, v
        mask = self.bias[:, : at + 1].flip(-1)[None, :, None]
        mixed = F.scaled_dot_product_attention(
            q[:, :, None], keys[:, :, : at + 1], values[:, :, : at + 1], attn_mask=mask
        )
        x = x + self.out(mixed[:, :, 0].flatten(1))
        y = self.norm(x)
        return x + self.down(F.relu(self.gate(y)) * self.up(y))


class Plain(nn.Module):
    """The same network in plain eager torch."""

    def __init__(self, config: Transformer, alphabet: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(alphabet + 1, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = Norm()
        self.head = nn.Linear(config.width, alphabet, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        x = self.embed(inputs)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))

    def step(self, inputs: Tensor, caches: list[tuple[Tensor, Tensor]], at: int) -> Tensor:
        """Probabilities [L, A] after the symbols at position `at`, one a lane."""
        x = self.embed(inputs)
        for block, (keys, values) in zip(self.blocks, caches, strict=True):
            x = block.step(x, keys, values, at)
        return torch.softmax(self.head(self.norm(x)), -1)


@torch.no_grad()
def plain_of(weights: Weights, config: Transformer, alphabet: int) -> Plain:
    """The plain network with the weights of a trained one (names as in `Transformer.shapes`)."""
    plain = Plain(config, alphabet)
    plain.embed.weight.copy_(weights["embed"])
    plain.head.weight.copy_(weights["head"])
    for layer, block in enumerate(plain.blocks):
        gate, up = weights[f"{layer}.gate_up"].chunk(2)
        for target, source in (
            (block.qkv.weight, weights[f"{layer}.qkv"]),
            (block.out.weight, weights[f"{layer}.out"]),
            (block.gate.weight, gate),
            (block.up.weight, up),
            (block.down.weight, weights[f"{layer}.down"]),
            (block.bias, weights[f"{layer}.bias"]),
        ):
            target.copy_(source)
    return plain
