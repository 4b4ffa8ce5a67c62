"""The constants that decide bits, shared by all frozen networks (docs/concepts.md). Configs import it: no numpy.

The rules, in the words of `twin`, where each is a few lines of plain Python:

- fixed point: the residual stream has 12 fractional bits (Q12) and saturates at +-(2^23 - 1); the operands of a
  matrix product are int8 in -127 .. 127; a score or a logit is in units of 2^-8 bits (log2 units);
- row r of a product ends with rshift(sum, shift[r]); if it is added to the residual stream, the sum is first
  multiplied by 2^10, so that shifts stay in 0 .. 30 for weights of any size.
"""

from __future__ import annotations

import functools
from math import isqrt
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]
else:
    Array = Any

MAX_INNER = 1 << 15
"""The largest number of inputs of a matrix product: 127 * 127 * 2^15 stays below 2^31."""

TOP = 127
"""Largest operand of a matrix product. -128 is never used: a range that is symmetric needs no second rule for signs."""

STREAM_BITS = 12
"""Fractional bits of the residual stream."""

STREAM_TOP = (1 << 23) - 1
"""The residual stream saturates here: its squares stay below 2^46."""

NORM_BITS = 24
"""Fractional bits of a norm's factor."""

LIFT = 10
"""Left shift of a product before it is added to the residual stream."""

GATE_TOP = 32_767
"""Gates are held in 16 bits: gate and up of an MLP before they are multiplied; a recurrent gate's sum and bias."""

EXPONENTIAL_TOP = 6401
"""Index of the last entry of the exponential table, which is 0."""


@functools.lru_cache(maxsize=1)
def exponential_table() -> Array:
    """E[i] = 2^(24 - i/256) rounded half up for i = 0 .. 6400, and E[6401] = 0: int32[6402].

    Computed in integers: exp2 of a C library differs in its last bit from one machine to the next.
    """
    import numpy as np

    octave = [_root(j) for j in range(256)]
    table = [((octave[i % 256] >> (i // 256 + 64)) + 1) >> 1 for i in range(EXPONENTIAL_TOP)]
    return np.array([*table, 0], np.int32)


def _root(j: int) -> int:
    """2^(25 + 64 - j/256): 2^(256 * 89 - j) rooted eight times. Too small by less than 2, in the 64 bits to spare."""
    root = 1 << (256 * 89 - j)
    for _ in range(8):
        root = isqrt(root)
    return root
