"""One training step on CPU: forward and backward written out, the element-wise work fused.

Why not autograd: in float32 a plain loop of it takes about 1.2 times as long (docs/results/log.md). Both spend 10 of 16
ms per step in the same matrix products; the gain is in everything between them.

The same network as `training.architecture.hidden`, which the tests compare it with. Against autograd it saves the
passes over memory that a graph of small operations makes, the allocations, and the upper half of the
attention matrices. Rounding (see `network.Scales`) happens inside the same kernels and adds at most a tenth.

N positions of all blocks together, B rows of T positions a block, d width, H heads, D head size, F hidden.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stackc_torch.training.inputs import NAME, TextInputs
from stackc_torch.training.loss import LOSS_ELEMENTS
from stackc_torch.training.products import Bfloat16Products, Float32Products, Workspace, has_bfloat16
from stackc_torch.training.rows import Rows, Weights
from stackc_torch.transformer import fused_kernels as kernels
from stackc_torch.transformer.config import Transformer
from stackc_torch.transformer.network import Scales

QUERY_BLOCK = 64
"""Queries that are multiplied at once with all the keys up to the last of them."""

_NONE1 = np.zeros(0, np.float32)
_NONE2 = np.zeros((0, 0), np.float32)
_NO_LIMIT = np.zeros((0, 0), np.int64)


class FusedStep:
    """Loss and gradients of a list of `Rows`.

    Args:
        weights, grads: by the names of `Transformer.shapes`; gradients are added to in place.
        bf16: matrix products of the layers in bfloat16, if the CPU has them.
        inputs: what is added to the embedding, if the inputs are byte-aware.
    """

    def __init__(
        self, config: Transformer, weights: Weights, grads: Weights, z_loss: float, bf16: bool = False,
        inputs: TextInputs | None = None,
    ) -> None:  # fmt: skip
        self.config = config
        self.weights = weights
        self.grads = grads
        self.z_loss = z_loss
        self.inputs = inputs
        self.space = Workspace()
        self.products = (Bfloat16Products if bf16 and has_bfloat16() else Float32Products)(weights, grads)

    def __call__(self, blocks: list[Rows], symbols: int, scales: Scales | None = None) -> Tensor:
        """Add the gradients of these rows, each symbol weighing 1 / symbols; returns the sum of nats."""
        inputs = torch.cat([rows.inputs.reshape(-1) for rows in blocks])
        targets = torch.cat([rows.targets.reshape(-1) for rows in blocks])
        width = self.config.width
        self.products.begin()
        x = self.space.get("x0", len(inputs), width)
        self._embed(inputs, x)
        for layer in range(self.config.layers):
            x = self._attention_forward(layer, x, blocks, scales)
            x = self._mlp_forward(layer, x, scales)
        y = self._norm(x, "last", scales.head_in if scales else None, 0)
        loss, d_y = self._head(y, targets, 1 / symbols)
        d_x = self.space.get("d_x", len(inputs), width).zero_()
        self._norm_backward(d_y, x, "last", d_x)
        for layer in reversed(range(self.config.layers)):
            self._mlp_backward(layer, d_x)
            self._attention_backward(layer, d_x, blocks)
        kernels.embed_backward(inputs.numpy(), d_x.numpy(), self.grads["embed"].numpy())
        if self.inputs is not None:
            kernels.features_backward(inputs.numpy(), *self._features(), d_x.numpy(), self.grads[NAME].numpy())
        return loss

    def _embed(self, inputs: Tensor, x: Tensor) -> None:
        """x[N, d] of inputs [N]. Rows are added position by position: a table of sums costs more where A is large."""
        torch.index_select(self.weights["embed"], 0, inputs, out=x)
        if self.inputs is not None:
            kernels.add_features(inputs.numpy(), *self._features(), self.weights[NAME].numpy(), x.numpy())

    def _features(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], np.float32]:
        assert self.inputs is not None
        return self.inputs.features.numpy(), self.inputs.offsets.numpy(), np.float32(self.inputs.gain)

    def _head(self, y: Tensor, targets: Tensor, scale: float) -> tuple[Tensor, Tensor]:
        """`network.head_loss` with its element-wise work fused: the sum of nats, and the gradient of y.

        Logits are float32 products in any precision; in bfloat16 they would be off by a hundredth of a bit.
        """
        head, products = self.weights["head"], self.products
        total = torch.zeros((), dtype=torch.float64)
        d_y = self.space.get("d_y", *y.shape)
        chunk = max(128, LOSS_ELEMENTS // len(head))
        for part_y, wanted, out in zip(y.split(chunk), targets.split(chunk), d_y.split(chunk), strict=True):
            p = self.space.get("logits", len(part_y), len(head))
            torch.mm(part_y, head.T, out=p)
            logits = p.gather(1, wanted[:, None])[:, 0]
            torch.softmax(p, -1, out=p)
            nats = torch.empty(len(part_y))
            kernels.loss_backward(p.numpy(), wanted.numpy(), logits.numpy(), self.z_loss, scale, nats.numpy())
            total += nats.sum(dtype=torch.float64)
            products.keep("head", part_y)
            products.backward("head", p, part_y, out)
        return total, d_y

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
        hidden = self.config.hidden
        y = self._norm(x, f"{layer}.mlp", scales.mlp_in if scales else None, layer)
        gate_up = self.space.get(f"{layer}.gate_up", len(x), 2 * hidden)
        self.products.forward(f"{layer}.gate_up", y, gate_up)
        product = self.space.get(f"{layer}.hidden", len(x), hidden)
        pairs = gate_up.view(-1, 2, hidden).numpy()
        kernels.gate_forward(pairs, scales.hidden[layer].numpy() if scales else _NONE1, product.numpy())
        out = self.space.get(f"x{2 * layer + 2}", *x.shape)
        return self.products.forward(f"{layer}.down", product, out, base=x)

    def _mlp_backward(self, layer: int, d_x: Tensor) -> None:
        space, products, hidden = self.space, self.products, self.config.hidden
        count = len(d_x)
        product = space.get(f"{layer}.hidden", count, hidden)
        gate_up = space.get(f"{layer}.gate_up", count, 2 * hidden)
        d_hidden = products.backward(f"{layer}.down", d_x, product, product)
        kernels.gate_backward(d_hidden.numpy(), gate_up.view(-1, 2, hidden).numpy())
        y = space.get(f"{layer}.mlp.y", *d_x.shape)
        d_y = products.backward(f"{layer}.gate_up", gate_up, y, space.get("d_y", *d_x.shape))
        self._norm_backward(d_y, space.get(f"x{2 * layer + 1}", *d_x.shape), f"{layer}.mlp", d_x)

    def _attention_forward(self, layer: int, x: Tensor, blocks: list[Rows], scales: Scales | None) -> Tensor:
        inner = self.config.attention_width
        y = self._norm(x, f"{layer}.attention", scales.attention_in if scales else None, layer)
        qkv = self.space.get("qkv", len(x), 3 * inner)
        self.products.forward(f"{layer}.qkv", y, qkv)
        mixed = self.space.get(f"{layer}.mixed", len(x), inner)
        by_head = torch.stack([scales.q[layer], scales.k[layer], scales.v[layer]]).numpy() if scales else _NONE2
        start = 0
        for number, rows in enumerate(blocks):
            end = start + rows.inputs.numel()
            q, k, v, o = self._heads(f"{layer}.{number}", rows)
            kernels.split_heads(self._parts(qkv[start:end], rows), by_head, q.numpy(), k.numpy(), v.numpy())
            first = _NO_LIMIT if rows.first is None else rows.first.numpy()
            for begin, after, p in self._attention_blocks(layer, number, rows):
                kernels.bias_forward(self.weights[f"{layer}.bias"].numpy(), begin, first, p.numpy())
                scores = p.view(-1, *p.shape[2:])
                scores.baddbmm_(_flat(q)[:, begin:after], _flat(k)[:, :after].transpose(1, 2))
                torch.softmax(scores, -1, out=scores)
                torch.bmm(scores, _flat(v)[:, :after], out=_flat(o)[:, begin:after])
            rounded = by_head[2] if scales else _NONE1
            kernels.merge_heads(o.numpy(), rounded, self._parts(mixed[start:end], rows), 0, np.float32(1))
            start = end
        out = self.space.get(f"x{2 * layer + 1}", *x.shape)
        return self.products.forward(f"{layer}.out", mixed, out, base=x)

    def _attention_backward(self, layer: int, d_x: Tensor, blocks: list[Rows]) -> None:
        space, products, inner = self.space, self.products, self.config.attention_width
        mixed = space.get(f"{layer}.mixed", len(d_x), inner)
        d_mixed = products.backward(f"{layer}.out", d_x, mixed, mixed)
        d_qkv = space.get("qkv", len(d_x), 3 * inner)
        start = 0
        for number, rows in enumerate(blocks):
            end = start + rows.inputs.numel()
            self._heads_backward(layer, number, rows, d_mixed[start:end], d_qkv[start:end])
            start = end
        y = space.get(f"{layer}.attention.y", *d_x.shape)
        d_y = products.backward(f"{layer}.qkv", d_qkv, y, space.get("d_y", *d_x.shape))
        self._norm_backward(d_y, space.get(f"x{2 * layer}", *d_x.shape), f"{layer}.attention", d_x)

    def _heads_backward(self, layer: int, number: int, rows: Rows, d_mixed: Tensor, d_qkv: Tensor) -> None:
        """From the gradient of one block's mixed values to that of its queries, keys and values."""
        grads = self.grads
        q, k, v, d_o = self._heads(f"{layer}.{number}", rows)
        shape = q.shape
        # merge_heads' inverse: the same copy, read as "one row of T positions" for every head.
        d_o.copy_(d_mixed.view(shape[0], shape[2], shape[1], shape[3]).transpose(1, 2))
        d_q, d_k, d_v = (self.space.get(name, *shape) for name in ("d_q", "d_k", "d_v"))
        d_k.zero_()
        d_v.zero_()
        for begin, after, p in self._attention_blocks(layer, number, rows):
            scores = p.view(-1, *p.shape[2:])
            d_part = _flat(d_o)[:, begin:after]
            _flat(d_v)[:, :after].baddbmm_(scores.transpose(1, 2), d_part)
            d_scores = self.space.get("d_scores", *scores.shape)
            torch.bmm(d_part, _flat(v)[:, :after].transpose(1, 2), out=d_scores)
            torch._softmax_backward_data(d_scores, scores, -1, torch.float32, grad_input=d_scores)
            kernels.bias_backward(d_scores.view(p.shape).numpy(), begin, grads[f"{layer}.bias"].numpy())
            torch.bmm(d_scores, _flat(k)[:, :after], out=_flat(d_q)[:, begin:after])
            _flat(d_k)[:, :after].baddbmm_(d_scores.transpose(1, 2), _flat(q)[:, begin:after])
        parts = self._parts(d_qkv, rows)
        kernels.merge_heads(d_q.numpy(), _NONE1, parts, 0, np.float32(1 / math.sqrt(shape[3])))
        kernels.merge_heads(d_k.numpy(), _NONE1, parts, 1, np.float32(1))
        kernels.merge_heads(d_v.numpy(), _NONE1, parts, 2, np.float32(1))

    def _parts(self, x: Tensor, rows: Rows) -> npt.NDArray[np.float32]:
        """x[BT, parts * HD] as [B, T, parts, H, D]."""
        parts = x.shape[1] // self.config.attention_width
        return np.asarray(x.view(*rows.inputs.shape, parts, self.config.heads, self.config.head_size).numpy())

    def _heads(self, name: str, rows: Rows) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Buffers q, k, v, o[B, H, T, D] of one block."""
        count, length = rows.inputs.shape
        shape = (count, self.config.heads, length, self.config.head_size)
        q, k, v = (self.space.get(f"{name}.{part}", *shape) for part in "qkv")
        return q, k, v, self.space.get("o", *shape)

    def _attention_blocks(self, layer: int, number: int, rows: Rows) -> Iterator[tuple[int, int, Tensor]]:
        """(first query, last + 1, probabilities' buffer [B, H, queries, keys]): the keys are 0 .. the last query."""
        count, length = rows.inputs.shape
        for start in range(0, length, QUERY_BLOCK):
            end = min(start + QUERY_BLOCK, length)
            yield start, end, self.space.get(f"{layer}.{number}.p{start}", count, self.config.heads, end - start, end)


def _flat(x: Tensor) -> Tensor:
    """[B, H, ...] as [BH, ...]."""
    return x.view(-1, *x.shape[2:])
