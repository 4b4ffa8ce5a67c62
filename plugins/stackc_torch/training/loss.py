"""The loss of predicted symbols, and its gradient, without ever holding the logits of all positions."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

LOSS_ELEMENTS = 1 << 21
"""Logits that are held at once: large alphabets are projected in chunks of positions."""


def head_loss(
    y: Tensor, head: Tensor, targets: Tensor, z_loss: float, d_head: Tensor | None, scale: float
) -> tuple[Tensor, Tensor | None]:
    """Cross-entropy of y[N, d] @ head[A, d].T against targets[N], a chunk of positions at a time.

    The gradient is computed from each chunk's probabilities at once, so that no more than `LOSS_ELEMENTS` logits are
    held; autograd would keep those of all positions until the backward pass. The z-loss adds z * log(Z)^2 to what is
    minimised, not to what is reported.

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
    """`head_loss` under autograd: gradients are computed in the forward pass and returned in the backward one."""

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
