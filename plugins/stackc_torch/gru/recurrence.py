"""The states of a layer along its rows in training, and their gradients: one loop over time each way, no graph.

Terms that do not depend on the gradient from later steps are computed for all positions at once before the
backward loop, and gradients of the weights after it. Products are float32 in any precision: of a few rows each, they
wait for the weights, and bfloat16 gains nothing. T positions, B rows, H units.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class Recurrence(torch.autograd.Function):
    """Gated recurrent units over sums of gates that come from the stream.

    With r, z, n the reset, keep and candidate gates, W the recurrent weights and o the state as an operand:

        r, z = sigmoid(entering + W o)      n = tanh(entering + r * W o)      h' = n + z (h - n)
    """

    @staticmethod
    def forward(ctx: Any, entering: Tensor, weights: Tensor, kept: Tensor | None, operand: float) -> Tensor:
        """The states as operands, float32[T, B, H].

        Args:
            entering: float32[T, B, 3H], biases included.
            weights: float32[3H, H].
            kept: float32[T, B, 1]; 0 where the state is emptied first, else 1. None: only at the beginning.
            operand: operands are rounded to -127 .. 127 over this, and gradients pass straight through; 0: not.
        """
        length, rows, units = len(entering), entering.shape[1], weights.shape[1]
        recalled, gates = torch.empty_like(entering), entering.new_empty(length, rows, 2 * units)
        candidates, states = (entering.new_empty(length, rows, units) for _ in range(2))
        operands = torch.empty_like(states) if operand else states
        enters, enters_n = _pair(entering, 2 * units)
        recalls, recalls_n = _pair(recalled, 2 * units)
        resets, keeps = _pair(gates, units)
        h = o = entering.new_zeros(rows, units)
        emptied = _emptied(kept, length)
        for t in range(length):
            if emptied[t]:
                h = h * kept[t]  # type: ignore[index]
                o = o * kept[t] if operand else h  # type: ignore[index]
            torch.mm(o, weights.T, out=recalled[t])
            torch.add(enters[t], recalls[t], out=gates[t]).sigmoid_()
            n = torch.addcmul(enters_n[t], resets[t], recalls_n[t], out=candidates[t]).tanh_()
            h = o = torch.lerp(n, h, keeps[t], out=states[t])
            if operand:
                o = torch.mul(h, operand, out=operands[t]).add_(0.5).floor_().clamp_(-127, 127).div_(operand)
        ctx.save_for_backward(weights, recalled, gates, candidates, states, operands, kept)
        return operands

    @staticmethod
    def backward(ctx: Any, *d_operands: Tensor) -> tuple[Tensor | None, ...]:
        weights, recalled, gates, n, states, operands, kept = ctx.saved_tensors
        length, rows, units = n.shape
        r, z = gates.chunk(2, -1)
        h, o = _before(states, kept), _before(operands, kept)
        # The gradients of the three gates' sums, as multiples of the state's.
        factor_n = (1 - z) * (1 - n * n)
        recalled_n = recalled[..., 2 * units :]
        factors = torch.stack([factor_n * recalled_n * r * (1 - r), (h - n) * z * (1 - z), factor_n * r], 2)
        d_states, d_recalled = torch.empty_like(n), torch.empty_like(factors)
        carried = n.new_zeros(rows, units)
        emptied = _emptied(kept, length)
        for t in range(length - 1, -1, -1):
            d = torch.add(d_operands[0][t], carried, out=d_states[t])
            sums = torch.mul(d[:, None], factors[t], out=d_recalled[t]).view(rows, 3 * units)
            carried = torch.addmm(d * z[t], sums, weights)
            if emptied[t]:
                carried *= kept[t]
        d_weights = d_recalled.view(-1, 3 * units).T @ o.view(-1, units)
        # The candidate takes in what enters as it is, not reset; the other two gates do as they recall.
        d_recalled[:, :, 2] = d_states * factor_n
        return d_recalled.view(length, rows, 3 * units), d_weights, None, None


def _pair(x: Tensor, size: int) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Views of the first `size` columns of every position, and of the others."""
    return x[..., :size].unbind(), x[..., size:].unbind()


def _emptied(kept: Tensor | None, length: int) -> list[bool]:
    """Whether any row's state is emptied at a position; at the beginning all are empty."""
    return [False] * length if kept is None else [False, *(kept[1:] == 0).flatten(1).any(1).tolist()]


def _before(states: Tensor, kept: Tensor | None) -> Tensor:
    """What each position starts from."""
    before = torch.cat([torch.zeros_like(states[:1]), states[:-1]])
    return before if kept is None else before * kept
