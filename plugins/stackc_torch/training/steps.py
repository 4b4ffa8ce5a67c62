"""One training step by autograd. For the transformer on CPU `transformer.fused.FusedStep` replaces it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from stackc_torch.training.architecture import Architecture, hidden
from stackc_torch.training.loss import HeadLoss
from stackc_torch.training.rows import Rows, Weights


class AutogradStep:
    """Loss and gradients of a list of `Rows`; the same call as `fused.FusedStep`.

    Args:
        weights, grads: by the names of the configuration's `shapes`; gradients are added to in place.
        bf16: matrix products in bfloat16 (autocast); weights, norms and losses stay in float32.
    """

    def __init__(self, architecture: Architecture, weights: Weights, grads: Weights, z_loss: float, bf16: bool) -> None:
        self.architecture = architecture
        self.z_loss = z_loss
        self.bf16 = bf16
        # Leaves that share their memory with `weights`, and whose gradients are the given ones.
        self.leaves = {name: tensor.detach().requires_grad_() for name, tensor in weights.items()}
        for name, leaf in self.leaves.items():
            leaf.grad = grads[name]

    def __call__(self, blocks: list[Rows], symbols: int, scales: Any = None) -> Tensor:
        """Add the gradients of these rows, each symbol weighing 1 / symbols; returns the sum of nats."""
        device = self.leaves["head"].device
        total = torch.zeros((), dtype=torch.float64, device=device)
        for rows in blocks:
            moved = rows.to(device)
            with torch.autocast(device.type, torch.bfloat16, enabled=self.bf16):
                y = hidden(self.architecture, self.leaves, moved, scales)
            y = y.flatten(0, 1)
            y = y.to(torch.bfloat16) if self.bf16 else y
            loss = HeadLoss.apply(y, self.leaves["head"], moved.targets.reshape(-1), self.z_loss, 1 / symbols)
            loss.backward()
            total += loss.detach()
        return total
