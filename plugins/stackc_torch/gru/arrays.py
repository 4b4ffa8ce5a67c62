"""The frozen recurrent network as data: its arrays, what they mean, and the constants that decide bits.

It shares with the transformer (`stackc_torch.frozen.rules`): the residual stream in Q12, norms, int8 operands,
the lifted shift after a product, logits and their exponentials. Its own:

- a gate's sum is in Q12 and saturates at +-32,767, just below 8.0; so does a bias;
- sigmoid and tanh are read from tables of 4,097 entries at (|a| + 4) >> 3, steps of 1/512; their values are in Q15;
- the state h is in Q15, -32,767 .. 32,767 (int16); as an operand it is rshift(h, 8), saturated at +-127.

L layers, d width, H units, A alphabet.
"""

from __future__ import annotations

import decimal
import functools
from decimal import Decimal
from typing import ClassVar

import attrs
import numpy as np

from stackc_torch.frozen.arrays import FrozenArrays, array, operands, shifts, size
from stackc_torch.frozen.rules import GATE_TOP, NORM_BITS, STREAM_TOP, TOP, Array

STEP_SHIFT = 3
"""Right shift of a gate's sum to its place in a table."""

TABLE_TOP = (GATE_TOP + (1 << STEP_SHIFT) // 2) >> STEP_SHIFT
"""Place of a table's last entry."""

ONE = 1 << 15
"""1.0 in Q15."""

STATE_SHIFT = 8
"""Right shift of the state to an operand."""


@functools.lru_cache(maxsize=1)
def tables() -> tuple[Array, Array]:
    """Sigmoid and tanh of i/512, times 2^15, rounded half up, at most 32,767: int32[4097] each.

    Decimal's exponential is correctly rounded at any precision, so that these are the same everywhere.
    """
    sigmoid, tanh = [], []
    with decimal.localcontext(decimal.Context(prec=30, rounding=decimal.ROUND_HALF_EVEN)):
        half = Decimal("0.5")
        for i in range(TABLE_TOP + 1):
            small = (-Decimal(i) / 512).exp()
            sigmoid.append(min(int(ONE / (1 + small) + half), GATE_TOP))
            small *= small
            tanh.append(min(int(ONE * (1 - small) / (1 + small) + half), GATE_TOP))
    return np.array(sigmoid, np.int32), np.array(tanh, np.int32)


@attrs.frozen(kw_only=True, eq=False)
class FrozenGru(FrozenArrays):
    """The integer parts of a recurrent network.

    Attributes:
        embed: int32[A + 1, d] in Q12; row A represents the empty context.
        norms: int64[L + 1]; 2^24 times the int8 units per 1.0 after each norm: every layer's, then the last.
        enter, enter_shift: int8[L, 3H, d], int32[L, 3H]; reset, keep and candidate from the stream.
        recall, recall_shift: int8[L, 3H, H], int32[L, 3H]; the same from the state.
        bias: int32[L, 3H] in Q12.
        out, out_shift: int8[L, d, H], int32[L, d].
        head, head_shift: int8[A, d], int32[A].
    """

    name: ClassVar[str] = "gru"
    ranks: ClassVar[dict[str, int]] = {"head": 2, "out": 3}

    embed: Array = array(np.int32, -STREAM_TOP, STREAM_TOP, lambda f: (f.alphabet + 1, f.width))
    norms: Array = array(np.int64, 1, TOP << NORM_BITS, lambda f: (f.layers + 1,))
    enter: Array = operands(lambda f: (f.layers, 3 * f.units, f.width))
    enter_shift: Array = shifts(lambda f: (f.layers, 3 * f.units))
    recall: Array = operands(lambda f: (f.layers, 3 * f.units, f.units))
    recall_shift: Array = shifts(lambda f: (f.layers, 3 * f.units))
    bias: Array = array(np.int32, -GATE_TOP, GATE_TOP, lambda f: (f.layers, 3 * f.units))
    out: Array = operands(lambda f: (f.layers, f.width, f.units))
    out_shift: Array = shifts(lambda f: (f.layers, f.width))
    head: Array = operands(lambda f: (f.alphabet, f.width))
    head_shift: Array = shifts(lambda f: (f.alphabet,))

    layers = size("out", 0)
    units = size("out", 2)

    @property
    def inner_sizes(self) -> tuple[int, ...]:
        return self.width, self.units
