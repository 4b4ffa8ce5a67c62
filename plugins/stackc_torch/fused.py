"""One training step on CPU: forward and backward written out, the element-wise work fused.

The same network as `network.hidden_states`, which the tests compare it with. Against autograd it saves the
passes over memory that a graph of small operations makes, the allocations, and the upper half of the
attention matrices. Rounding (see `network.Scales`) happens inside the same kernels and costs next to nothing.

N positions of all blocks together, B rows of T positions a block, d width, H heads, D head size, F hidden.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from stackc_torch import fused_kernels as kernels
from stackc_torch.config import Transformer
from stackc_torch.network import Rows, Scales, Weights, attention_bias, head_loss

QUERY_BLOCK = 64
"""Queries that are multiplied at once with all the keys up to the last of them."""

_NONE1 = np.zeros(0, np.float32)
_NONE2 = np.zeros((0, 0), np.float32)


class Workspace:
    """Buffers by name, kept from step to step: fresh memory costs a page fault for every 4 KB."""

    def __init__(self) -> None:
        self._held: dict[str, Tensor] = {}

    def get(self, name: str, *shape: int) -> Tensor:
        """An uninitialised float32 tensor that lives until the name is asked for again."""
        size = math.prod(shape)
        held = self._held.get(name)
        if held is None or held.numel() < size:
            held = self._held[name] = torch.empty(size)
        return held[:size].view(shape)


class FusedStep:
    """Loss and gradients of a list of `Rows`.

    Args:
        weights, grads: by the names of `Transformer.shapes`; gradients are added to in place.
    """

    def __init__(self, config: Transformer, weights: Weights, grads: Weights, z_loss: float) -> None:
        self.config = config
        self.weights = weights
        self.grads = grads
        self.z_loss = z_loss
        self.space = Workspace()

    def __call__(self, blocks: list[Rows], symbols: int, scales: Scales | None = None) -> Tensor:
        """Add the gradients of these rows, each symbol weighing 1 / symbols; answer the sum of nats."""
        inputs = torch.cat([rows.inputs.reshape(-1) for rows in blocks])
        targets = torch.cat([rows.targets.reshape(-1) for rows in blocks])
        width = self.config.width
        x = self.space.get("x0", len(inputs), width)
        torch.index_select(self.weights["embed"], 0, inputs, out=x)
        for layer in range(self.config.layers):
            x = self._attention_forward(layer, x, blocks, scales)
            x = self._mlp_forward(layer, x, scales)
        y = self._norm(x, "last", scales.head_in if scales else None, 0)
        loss, d_y = head_loss(y, self.weights["head"], targets, self.z_loss, self.grads["head"], 1 / symbols)
        d_x = self.space.get("d_x", len(inputs), width).zero_()
        assert d_y is not None
        self._norm_backward(d_y, x, "last", d_x)
        for layer in reversed(range(self.config.layers)):
            self._mlp_backward(layer, d_x)
            self._attention_backward(layer, d_x, blocks)
        self.grads["embed"].index_add_(0, inputs, d_x)
        return loss

    def _norm(self, x: Tensor, name: str, scales: Tensor | None, index: int) -> Tensor:
        """The rows of x over their root mean square; keeps x and the factors under `name`."""
        rinv = self.space.get(f"{name}.rinv", len(x))
        y = self.space.get(f"{name}.y", *x.shape)
        kernels.inverse_rms(x.numpy(), rinv.numpy())
        kernels.scale_rows(x.numpy(), rinv.numpy(), np.float32(scales[index] if scales is not None else 0), y.numpy())
        return y

    def _norm_backward(self, d_y: Tensor, x: Tensor, name: str, d_x: Tensor) -> None:
        rinv = self.space.get(f"{name}.rinv", len(x))
        kernels.norm_backward(d_y.numpy(), x.numpy(), rinv.numpy(), d_x.numpy())

    def _mlp_forward(self, layer: int, x: Tensor, scales: Scales | None) -> Tensor:
        w, hidden = self.weights, self.config.hidden
        y = self._norm(x, f"{layer}.mlp", scales.mlp_in if scales else None, layer)
        gate_up = self.space.get(f"{layer}.gate_up", len(x), 2 * hidden)
        torch.mm(y, w[f"{layer}.gate_up"].T, out=gate_up)
        product = self.space.get(f"{layer}.hidden", len(x), hidden)
        kernels.gate_forward(gate_up.numpy(), scales.hidden[layer].numpy() if scales else _NONE1, product.numpy())
        out = self.space.get(f"x{2 * layer + 2}", *x.shape)
        return torch.addmm(x, product, w[f"{layer}.down"].T, out=out)

    def _mlp_backward(self, layer: int, d_x: Tensor) -> None:
        w, grads, space, hidden = self.weights, self.grads, self.space, self.config.hidden
        count = len(d_x)
        product = space.get(f"{layer}.hidden", count, hidden)
        gate_up = space.get(f"{layer}.gate_up", count, 2 * hidden)
        grads[f"{layer}.down"].addmm_(d_x.T, product)
        d_hidden = torch.mm(d_x, w[f"{layer}.down"], out=product)
        kernels.gate_backward(d_hidden.numpy(), gate_up.numpy())
        grads[f"{layer}.gate_up"].addmm_(gate_up.T, space.get(f"{layer}.mlp.y", *d_x.shape))
        d_y = torch.mm(gate_up, w[f"{layer}.gate_up"], out=space.get("d_y", *d_x.shape))
        self._norm_backward(d_y, space.get(f"x{2 * layer + 1}", *d_x.shape), f"{layer}.mlp", d_x)

    def _attention_forward(self, layer: int, x: Tensor, blocks: list[Rows], scales: Scales | None) -> Tensor:
        w, inner = self.weights, self.config.attention_width
        y = self._norm(x, f"{layer}.attention", scales.attention_in if scales else None, layer)
        qkv = self.space.get("qkv", len(x), 3 * inner)
        torch.mm(y, w[f"{layer}.qkv"].T, out=qkv)
        mixed = self.space.get(f"{layer}.mixed", len(x), inner)
        by_head = torch.stack([scales.q[layer], scales.k[layer], scales.v[layer]]).numpy() if scales else _NONE2
        start = 0
        for number, rows in enumerate(blocks):
            end = start + rows.inputs.numel()
            q, k, v, o = self._heads(f"{layer}.{number}", rows)
            kernels.split_heads(qkv[start:end].numpy(), by_head, q.numpy(), k.numpy(), v.numpy())
            for queries, keys, p in self._attention_blocks(layer, number, rows):
                p.copy_(attention_bias(w[f"{layer}.bias"], queries, keys, _of(rows.first, queries)))
                scores = p.view(-1, *p.shape[2:])
                first, last, seen = int(queries[0]), int(queries[-1]) + 1, int(keys[-1]) + 1
                scores.baddbmm_(_flat(q)[:, first:last], _flat(k)[:, :seen].transpose(1, 2))
                torch.softmax(scores, -1, out=scores)
                torch.bmm(scores, _flat(v)[:, :seen], out=_flat(o)[:, first:last])
            rounded = by_head[2] if scales else _NONE1
            kernels.merge_heads(o.numpy(), rounded, mixed[start:end].numpy(), 0, np.float32(1))
            start = end
        out = self.space.get(f"x{2 * layer + 1}", *x.shape)
        return torch.addmm(x, mixed, w[f"{layer}.out"].T, out=out)

    def _attention_backward(self, layer: int, d_x: Tensor, blocks: list[Rows]) -> None:
        w, grads, space, inner = self.weights, self.grads, self.space, self.config.attention_width
        mixed = space.get(f"{layer}.mixed", len(d_x), inner)
        grads[f"{layer}.out"].addmm_(d_x.T, mixed)
        d_mixed = torch.mm(d_x, w[f"{layer}.out"], out=mixed)
        d_qkv = space.get("qkv", len(d_x), 3 * inner)
        start = 0
        for number, rows in enumerate(blocks):
            end = start + rows.inputs.numel()
            self._heads_backward(layer, number, rows, d_mixed[start:end], d_qkv[start:end])
            start = end
        grads[f"{layer}.qkv"].addmm_(d_qkv.T, space.get(f"{layer}.attention.y", *d_x.shape))
        d_y = torch.mm(d_qkv, w[f"{layer}.qkv"], out=space.get("d_y", *d_x.shape))
        self._norm_backward(d_y, space.get(f"x{2 * layer}", *d_x.shape), f"{layer}.attention", d_x)

    def _heads_backward(self, layer: int, number: int, rows: Rows, d_mixed: Tensor, d_qkv: Tensor) -> None:
        """From the gradient of one block's mixed values to that of its queries, keys and values."""
        q, k, v, d_o = self._heads(f"{layer}.{number}", rows)
        shape = q.shape
        # merge_heads' inverse: the same copy, read as "one row of T positions" for every head.
        d_o.copy_(d_mixed.view(shape[0], shape[2], shape[1], shape[3]).transpose(1, 2))
        d_q, d_k, d_v = (self.space.get(name, *shape) for name in ("d_q", "d_k", "d_v"))
        d_k.zero_()
        d_v.zero_()
        for queries, keys, p in self._attention_blocks(layer, number, rows):
            first, last, seen = int(queries[0]), int(queries[-1]) + 1, int(keys[-1]) + 1
            scores = p.view(-1, *p.shape[2:])
            d_part = _flat(d_o)[:, first:last]
            _flat(d_v)[:, :seen].baddbmm_(scores.transpose(1, 2), d_part)
            d_scores = self.space.get("d_scores", *scores.shape)
            torch.bmm(d_part, _flat(v)[:, :seen].transpose(1, 2), out=d_scores)
            torch._softmax_backward_data(d_scores, scores, -1, torch.float32, grad_input=d_scores)
            self._bias_backward(layer, d_scores.view(p.shape), queries, keys)
            torch.bmm(d_scores, _flat(k)[:, :seen], out=_flat(d_q)[:, first:last])
            _flat(d_k)[:, :seen].baddbmm_(d_scores.transpose(1, 2), _flat(q)[:, first:last])
        inner, shrink = self.config.attention_width, np.float32(1 / math.sqrt(shape[3]))
        kernels.merge_heads(d_q.numpy(), _NONE1, d_qkv.numpy(), 0, shrink)
        kernels.merge_heads(d_k.numpy(), _NONE1, d_qkv.numpy(), inner, np.float32(1))
        kernels.merge_heads(d_v.numpy(), _NONE1, d_qkv.numpy(), 2 * inner, np.float32(1))

    def _bias_backward(self, layer: int, d_scores: Tensor, queries: Tensor, keys: Tensor) -> None:
        """Add [B, H, queries, keys] to the biases by distance; masked entries are 0 and go to distance 0 or C - 1."""
        by_pair = d_scores.sum(0).view(self.config.heads, -1)
        distance = (queries[:, None] - keys[None, :]).clamp_(0, self.config.context - 1).view(-1)
        self.grads[f"{layer}.bias"].index_add_(1, distance, by_pair)

    def _heads(self, name: str, rows: Rows) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Buffers q, k, v, o[B, H, T, D] of one block."""
        count, length = rows.inputs.shape
        shape = (count, self.config.heads, length, self.config.head_size)
        q, k, v = (self.space.get(f"{name}.{part}", *shape) for part in "qkv")
        return q, k, v, self.space.get("o", *shape)

    def _attention_blocks(self, layer: int, number: int, rows: Rows):  # type: ignore[no-untyped-def]
        """(queries, keys, probabilities' buffer [B, H, queries, keys]) over the lower triangle."""
        count, length = rows.inputs.shape
        for start in range(0, length, QUERY_BLOCK):
            end = min(start + QUERY_BLOCK, length)
            p = self.space.get(f"{layer}.{number}.p{start}", count, self.config.heads, end - start, end)
            yield torch.arange(start, end), torch.arange(end), p


def _flat(x: Tensor) -> Tensor:
    """[B, H, ...] as [BH, ...]."""
    return x.view(-1, *x.shape[2:])


def _of(first: Tensor | None, queries: Tensor) -> Tensor | None:
    return None if first is None else first[:, queries]
