"""The arithmetic of the frozen transformer in torch operations: the route for CUDA (see `stackc_torch.frozen.exact`).

B rows are processed together, T positions each; S keys, H heads, D head size, A alphabet, C context.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
import torch
from torch import Tensor

from stackc_torch.frozen import rules
from stackc_torch.frozen.exact import ELEMENTS, OnDevice, added, product, rshift
from stackc_torch.frozen.gemm import FLOAT_INNER
from stackc_torch.frozen.numerics import exact_products
from stackc_torch.frozen.rules import Array
from stackc_torch.transformer.arrays import PRODUCT_SHIFT, SCORE_SHIFT, WEIGHT_SHIFT, WEIGHT_TOP, Frozen
from stackc_torch.transformer.cpu import FIRST_SLOTS

PASS = 1024
"""Positions of a scoring pass at most."""

VALUE_KEYS = FLOAT_INNER
"""Keys summed at once: exact in float32."""

HIDDEN_SCORE = -(1 << 30)


@attrs.define
class Memory:
    """What lanes remember: kv int8[layers, L, S, 2HD], in rings as in `cpu.Memory`; of a scored lane the last C - 1."""

    kv: Tensor


class DeviceArithmetic(OnDevice):
    """See `OnDevice`."""

    frozen: Frozen
    lanes = 4096

    def __init__(self, frozen: Frozen, device: torch.device) -> None:
        super().__init__(frozen, device)
        self.positions = max(16, min(PASS, ELEMENTS // (frozen.heads * (frozen.context + PASS))))
        table = rshift(self.w["exponential"], WEIGHT_SHIFT).clamp(max=WEIGHT_TOP)
        # w = 128 h + l: both halves are operands of float32 products.
        self._high, self._low = (table >> 7).float(), (table & 127).float()
        self._weight = table
        self._score = self.w["score"][:, :, None, None]
        self._limit = (rules.EXPONENTIAL_TOP << SCORE_SHIFT) // self._score + 1

    def start(self, lanes: int) -> Memory:
        return Memory(self._zeros(lanes, min(FIRST_SLOTS, self.frozen.context)))

    def take(self, memory: Memory, lanes: Array, reached: int) -> Memory:
        return Memory(memory.kv[:, self.sent(lanes)])

    def reach(self, memory: Memory, position: int) -> None:
        have, context = memory.kv.shape[2], self.frozen.context
        if have <= position and have < context:
            more = min(max(position + 1, 2 * have), context) - have
            memory.kv = torch.cat([memory.kv, self._zeros(memory.kv.shape[1], more)], 2)

    def step(self, memory: Memory, lanes: Array, inputs: Array, positions: Array) -> Tensor:
        inner, slots = self.frozen.inner, memory.kv.shape[2]
        rows, at = self.sent(lanes), self.sent(positions)
        # Slot s of a ring holds the last position that is s modulo the slots and not ahead of the lane's own.
        distance = (at[:, None] - torch.arange(slots, device=self.device)) % slots
        seen = distance <= at[:, None]

        def mix(layer: int, qkv: Tensor) -> Tensor:
            memory.kv[layer][rows, at % slots] = qkv[:, inner:]
            kv = memory.kv[layer][rows]
            return self._attend(layer, qkv[:, None, :inner], kv, distance[:, None], seen[:, None])[:, 0]

        return self._body(inputs, mix)

    def scorer(self, count: int, positions: int) -> Memory:
        return Memory(self._zeros(1, 0))

    def score(self, memory: Memory, inputs: Array, starts: Array) -> Tensor:
        inner, context, past = self.frozen.inner, self.frozen.context, memory.kv.shape[2]
        queries = torch.arange(len(inputs), device=self.device)
        keys = torch.arange(-past, len(inputs), device=self.device)
        distance = queries[:, None] - keys[None, :]
        seen = (distance >= 0) & (distance < context) & (keys >= self.sent(starts)[:, None])
        after: list[Tensor] = []

        def mix(layer: int, qkv: Tensor) -> Tensor:
            kv = torch.cat([memory.kv[layer], qkv[None, :, inner:]], 1)
            after.append(kv[:, max(0, kv.shape[1] - context + 1) :])
            return self._attend(layer, qkv[None, :, :inner], kv, distance[None], seen[None])[0]

        y = self._body(inputs, mix)
        memory.kv = torch.stack(after)
        return y

    def _zeros(self, lanes: int, slots: int) -> Tensor:
        shape = (self.frozen.layers, lanes, slots, 2 * self.frozen.inner)
        return torch.zeros(shape, dtype=torch.int8, device=self.device)

    def _body(self, inputs: Array, mix: Callable[[int, Tensor], Tensor]) -> Tensor:
        """y int8[n, d]; mix(layer, qkv int8[n, 3HD]) -> int8[n, HD] is attention."""
        w = self.w
        x = self.embedded(inputs)
        for layer in range(self.frozen.layers):
            y = self.normed(x, 2 * layer)
            qkv = rshift(product(y, w["qkv"][layer]), w["qkv_shift"][layer]).clamp(-rules.TOP, rules.TOP).to(torch.int8)
            x = added(x, product(mix(layer, qkv), w["out"][layer]), w["out_shift"][layer])
            y = self.normed(x, 2 * layer + 1)
            both = rshift(product(y, w["gate_up"][layer]), w["gate_up_shift"][layer])
            gate, up = both.clamp(-rules.GATE_TOP, rules.GATE_TOP).chunk(2, -1)
            hidden = rshift(gate.clamp(min=0) * up, PRODUCT_SHIFT).clamp(-rules.TOP, rules.TOP).to(torch.int8)
            x = added(x, product(hidden, w["down"][layer]), w["down_shift"][layer])
        return self.normed(x, -1)

    @exact_products()
    def _attend(self, layer: int, q: Tensor, kv: Tensor, distance: Tensor, seen: Tensor) -> Tensor:
        """q int8[B, T, HD] over kv int8[B, S, 2HD]: int8[B, T, HD].

        Args:
            distance: int64[1 or B, T, S], how far back each key is (any number if it is not seen).
            seen: bool of the same shape.
        """
        heads, size, context = self.frozen.heads, self.frozen.head_size, self.frozen.context
        q = q.unflatten(-1, (heads, size)).transpose(1, 2).float()
        k, v = kv.unflatten(-1, (2, heads, size)).permute(2, 0, 3, 1, 4).float()
        bias = self.w["bias"][layer][:, distance.clamp(0, context - 1)].transpose(0, 1)
        scores = ((q @ k.transpose(2, 3)).long() + bias).masked_fill_(~seen[:, None], HIDDEN_SCORE)
        difference = torch.minimum(scores.amax(-1, keepdim=True) - scores, self._limit[layer])
        index = rshift(difference * self._score[layer], SCORE_SHIFT).clamp_(max=rules.EXPONENTIAL_TOP)
        # A key that is not seen must weigh nothing even if every difference is small.
        index.masked_fill_(~seen[:, None], rules.EXPONENTIAL_TOP)
        total = self._weight[index].sum(-1, keepdim=True)
        high, low = self._high[index], self._low[index]
        sums = torch.zeros_like(q, dtype=torch.int64)
        for start in range(0, v.shape[2], VALUE_KEYS):
            part = slice(start, start + VALUE_KEYS)
            sums += ((high[..., part] @ v[:, :, part]).long() << 7) + (low[..., part] @ v[:, :, part]).long()
        mixed = torch.div(2 * sums + total, 2 * total, rounding_mode="floor")
        return mixed.to(torch.int8).transpose(1, 2).flatten(2)
