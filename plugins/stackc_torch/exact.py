"""The arithmetic of frozen networks in torch operations, exact on any device with TF32 off (`numerics`).

Float32 matrix products of integers below 2^24, everything else in int64, or in float64 where all is below 2^53.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from stackc.api import TOTAL, Frequencies
from stackc_torch import integers as I
from stackc_torch.gemm import FLOAT_INNER

ELEMENTS = 1 << 26
"""Numbers in the largest temporary of a pass."""


def rshift(x: Tensor, shift: Tensor | int) -> Tensor:
    """x / 2^shift rounded half up, in integers."""
    if isinstance(shift, int):
        return (x + (1 << shift) // 2) >> shift
    return (x + (torch.ones_like(shift) << shift >> 1)) >> shift


def norm(x: Tensor, multiplier: int) -> Tensor:
    """Rows of x over their root mean squares, int8."""
    mean = x.square().sum(-1) // x.shape[-1]
    rms = mean.double().sqrt().long().clamp(min=1)
    factor = (2 * multiplier + rms) // (2 * rms)
    return rshift(x * factor[:, None], I.NORM_BITS).clamp(-I.TOP, I.TOP).to(torch.int8)


def added(x: Tensor, sums: Tensor, shift: Tensor) -> Tensor:
    """The residual stream after a block's answer is added to it."""
    return (x + rshift(sums << I.LIFT, shift)).clamp(-I.STREAM_TOP, I.STREAM_TOP)


def product(a: Tensor, weights: Tensor) -> Tensor:
    """a[n, K] times weights[R, K] transposed, int64, over at most 1,040 inputs at a time."""
    total: Tensor | None = None
    for start in range(0, a.shape[1], FLOAT_INNER):
        part = slice(start, start + FLOAT_INNER)
        product = (a[:, part].float() @ weights[:, part].float().T).long()
        total = product if total is None else total + product
    assert total is not None
    return total


def answers(y: Tensor, head: Tensor, shift: Tensor, exponential: Tensor) -> Iterator[Frequencies]:
    """Frequencies uint32[m, A] for y[n, d], in blocks. `shift` and `exponential` are int64."""
    alphabet = len(head)
    size = max(1, ELEMENTS // 16 // alphabet)
    for start in range(0, len(y), size):
        sums = product(y[start : start + size], head)
        logits = rshift(sums, shift)
        index = (logits.amax(-1, keepdim=True) - logits).clamp_(max=I.EXPONENTIAL_TOP)
        counts = exponential[index]
        whole = counts.sum(-1, keepdim=True)
        rows = 1 + torch.div(counts * (TOTAL - alphabet), whole, rounding_mode="floor")
        # argmax takes any of several equal ones on a GPU: the lowest index is asked for by hand.
        top = rows == rows.amax(-1, keepdim=True)
        best = torch.where(top, torch.arange(alphabet, device=y.device), alphabet).amin(-1, keepdim=True)
        rows.scatter_add_(-1, best, TOTAL - rows.sum(-1, keepdim=True))
        yield rows.to(torch.int32).cpu().numpy().view(np.uint32)
