"""The arithmetic that frozen networks share in torch operations: the route for CUDA, tested on CPU against the others.

Float32 matrix products of integers below 2^24 (with TF32 off: `numerics`), everything else in int64, or in float64
if all numbers are below 2^53. Int8 products of CUDA would be faster, but not every device and build has them.
"""

from __future__ import annotations

import functools
from typing import Any

import attrs
import numpy as np
import torch
from torch import Tensor

from stackc.api import TOTAL, Frequencies
from stackc_torch.frozen import rules
from stackc_torch.frozen.arrays import FrozenArrays
from stackc_torch.frozen.gemm import FLOAT_INNER
from stackc_torch.frozen.numerics import exact_products
from stackc_torch.frozen.rules import Array

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
    return rshift(x * factor[:, None], rules.NORM_BITS).clamp(-rules.TOP, rules.TOP).to(torch.int8)


def added(x: Tensor, sums: Tensor, shift: Tensor) -> Tensor:
    """The residual stream after a block's output is added to it."""
    return (x + rshift(sums << rules.LIFT, shift)).clamp(-rules.STREAM_TOP, rules.STREAM_TOP)


@exact_products()
def product(a: Tensor, weights: Tensor) -> Tensor:
    """a[n, K] times weights[R, K] transposed, int64, over at most 1,040 inputs at a time."""
    pairs = zip(a.split(FLOAT_INNER, 1), weights.split(FLOAT_INNER, 1), strict=True)
    return functools.reduce(torch.add, ((x.float() @ w.float().T).long() for x, w in pairs))


class OnDevice:
    """An `stackc_torch.frozen.predictor.Arithmetic`, but for the network itself.

    Attributes:
        w: the arrays on the device; shifts and the like in int64.
    """

    few = 0

    def __init__(self, frozen: Any, device: torch.device) -> None:
        self.frozen: FrozenArrays = frozen
        self.device = device
        self.rows = max(1, ELEMENTS // 16 // frozen.alphabet)
        self.w = {name: self.sent(array) for name, array in attrs.asdict(frozen).items()}
        for name, w in self.w.items():
            if w.dtype == torch.int32 and name != "embed":
                self.w[name] = w.to(torch.int64)
        self._exponential = self.sent(rules.exponential_table()).to(torch.int64)

    def sent(self, array: Array) -> Tensor:
        """An array on the device."""
        return torch.from_numpy(array).to(self.device)

    def embedded(self, inputs: Array) -> Tensor:
        """The stream x[n, d] of symbols."""
        return self.w["embed"][self.sent(inputs)].to(torch.int64)

    def normed(self, x: Tensor, number: int) -> Tensor:
        """The rows of x by a norm, as operands."""
        return norm(x, int(self.frozen.norms[number]))

    def step_few(self, memory: Any, symbols: Array, positions: Array, answer: Frequencies) -> None:
        raise NotImplementedError

    def answer(self, memory: Any, y: Tensor, out: Frequencies) -> None:
        alphabet = self.frozen.alphabet
        logits = rshift(product(y, self.w["head"]), self.w["head_shift"])
        index = (logits.amax(-1, keepdim=True) - logits).clamp_(max=rules.EXPONENTIAL_TOP)
        counts = self._exponential[index]
        whole = counts.sum(-1, keepdim=True)
        rows = 1 + torch.div(counts * (TOTAL - alphabet), whole, rounding_mode="floor")
        # argmax takes any of several equal ones on a GPU: the lowest index is asked for by hand.
        top = rows == rows.amax(-1, keepdim=True)
        best = torch.where(top, torch.arange(alphabet, device=self.device), alphabet).amin(-1, keepdim=True)
        rows.scatter_add_(-1, best, TOTAL - rows.sum(-1, keepdim=True))
        out[:] = rows.to(torch.int32).cpu().numpy().view(np.uint32)
