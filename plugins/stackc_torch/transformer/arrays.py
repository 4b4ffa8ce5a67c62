"""The frozen transformer as data: its arrays, what they mean, and the constants of its attention.

L layers, d width, H heads, D head size, F hidden, C context, A alphabet.
"""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from stackc.api import ArtifactError
from stackc_torch.frozen.arrays import FrozenArrays, array, operands, shifts, size
from stackc_torch.frozen.rules import EXPONENTIAL_TOP, NORM_BITS, STREAM_TOP, TOP, Array, exponential_table

PRODUCT_SHIFT = 16
"""Right shift of gate * up."""

SCORE_SHIFT = 14
"""Right shift of score differences after their head's multiplier."""

WEIGHT_SHIFT = 10
"""2^24 down to attention weights of 14 bits: two halves of 7 bits are operands of int8 products."""

WEIGHT_TOP = 16_383


@attrs.frozen(kw_only=True, eq=False)
class Frozen(FrozenArrays):
    """The integer parts of a transformer.

    Attributes:
        embed: int32[A + 1, d] in Q12; row A represents the empty context.
        norms: int64[2L + 1]; 2^24 times the int8 units per 1.0 after each norm: attention and MLP of
            every layer in turn, then the last.
        qkv, qkv_shift: int8[L, 3HD, d], int32[L, 3HD].
        bias: int32[L, H, C], added to the products q . k by distance.
        score: int32[L, H]; score differences times this, shifted right by 14, are in units of 2^-8 bits.
        out, out_shift: int8[L, d, HD], int32[L, d].
        gate_up, gate_up_shift: int8[L, 2F, d], int32[L, 2F]; gates first.
        down, down_shift: int8[L, d, F], int32[L, d].
        head, head_shift: int8[A, d], int32[A].
        exponential: int32[6402], see `exponential_table`.
    """

    name: ClassVar[str] = "transformer"
    ranks: ClassVar[dict[str, int]] = {"head": 2, "qkv": 3, "bias": 3, "out": 3, "down": 3}

    embed: Array = array(np.int32, -STREAM_TOP, STREAM_TOP, lambda f: (f.alphabet + 1, f.width))
    norms: Array = array(np.int64, 1, TOP << NORM_BITS, lambda f: (2 * f.layers + 1,))
    qkv: Array = operands(lambda f: (f.layers, 3 * f.inner, f.width))
    qkv_shift: Array = shifts(lambda f: (f.layers, 3 * f.inner))
    bias: Array = array(np.int32, -(1 << 26), 1 << 26, lambda f: (f.layers, f.heads, f.context))
    score: Array = array(np.int32, 1, 1 << 24, lambda f: (f.layers, f.heads))
    out: Array = operands(lambda f: (f.layers, f.width, f.inner))
    out_shift: Array = shifts(lambda f: (f.layers, f.width))
    gate_up: Array = operands(lambda f: (f.layers, 2 * f.hidden, f.width))
    gate_up_shift: Array = shifts(lambda f: (f.layers, 2 * f.hidden))
    down: Array = operands(lambda f: (f.layers, f.width, f.hidden))
    down_shift: Array = shifts(lambda f: (f.layers, f.width))
    head: Array = operands(lambda f: (f.alphabet, f.width))
    head_shift: Array = shifts(lambda f: (f.alphabet,))
    exponential: Array = array(np.int32, 0, 1 << 24, lambda f: (EXPONENTIAL_TOP + 1,))

    layers = size("qkv", 0)
    heads = size("bias", 1)
    inner = size("out", 2)
    hidden = size("down", 2)
    context = size("bias", 2)

    @property
    def head_size(self) -> int:
        return int(self.inner // self.heads)

    @property
    def inner_sizes(self) -> tuple[int, ...]:
        return self.width, self.inner, self.hidden

    def check(self, where: str) -> None:
        """See `FrozenArrays.check`."""
        FrozenArrays.check(self, where)
        if not np.array_equal(self.exponential, exponential_table()):
            raise ArtifactError(f"{where}: another table of exponentials than every network has; build the stack again")
        if self.heads * self.head_size != self.inner:
            raise ArtifactError(f"{where}: sizes that no configuration allows; build the stack again")
