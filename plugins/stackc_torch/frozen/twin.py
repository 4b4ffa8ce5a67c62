"""The frozen networks' common rules in plain Python integers: slow, short, and the definition of their bits.

The twins are the specification: every other route must give exactly their numbers, and the tests compare them. Matrix
products use numpy's int64, where no partial sum comes near 2^63; everything else is Python integers of any size.
"""

from __future__ import annotations

from math import isqrt
from typing import Any

import numpy as np

from stackc.api import IDLE, RESTART, Frequencies, Portability, Symbols, normalise
from stackc_torch.frozen import rules
from stackc_torch.frozen.rules import Array, exponential_table


def rdiv(a: int, b: int) -> int:
    """a / b rounded to the nearest, half up; b > 0."""
    return (2 * a + b) // (2 * b)


def rshift(a: int, s: int) -> int:
    """a / 2^s rounded to the nearest, half up."""
    return (a + (1 << s) // 2) >> s


def clamp(a: int, top: int) -> int:
    """a in -top .. top."""
    return max(-top, min(top, a))


def norm(x: list[int], multiplier: int) -> list[int]:
    """x over its root mean square, in int8."""
    rms = max(1, isqrt(sum(v * v for v in x) // len(x)))
    factor = rdiv(multiplier, rms)
    return [clamp(rshift(v * factor, rules.NORM_BITS), rules.TOP) for v in x]


def product(weights: Array, x: list[int]) -> list[int]:
    """weights[R, K] times x[K], exactly."""
    return [int(v) for v in weights.astype(np.int64) @ np.array(x, np.int64)]


def requantised(sums: list[int], shift: Array, top: int) -> list[int]:
    """Each sum shifted right by its row's shift."""
    return [clamp(rshift(v, int(s)), top) for v, s in zip(sums, shift, strict=True)]


def added(x: list[int], sums: list[int], shift: Array) -> list[int]:
    """The residual stream after a block's output is added to it."""
    rows = zip(x, sums, shift, strict=True)
    return [clamp(v + rshift(a << rules.LIFT, int(s)), rules.STREAM_TOP) for v, a, s in rows]


class PlainPredictor:
    """A `stackc.api.Predictor` over a frozen network, as its definition; subclasses say what a lane holds."""

    portability: Portability = "portable"

    def __init__(self, frozen: Any) -> None:
        self.frozen = frozen
        self.alphabet = frozen.alphabet

    def empty(self) -> Any:
        """What a lane holds after a restart."""
        raise NotImplementedError

    def stream(self, lane: Any, x: list[int]) -> list[int]:
        """The residual stream after the last layer, from the embedding of a symbol; the lane takes it in."""
        raise NotImplementedError

    def start(self, lanes: int) -> list[Any]:
        return [self.empty() for _ in range(lanes)]

    def step(self, state: list[Any], symbols: Symbols) -> Frequencies:
        rows = np.zeros((len(state), self.alphabet), np.uint32)
        for lane, symbol in enumerate(symbols):
            if symbol == IDLE:
                continue
            if symbol == RESTART:
                state[lane] = self.empty()
            rows[lane] = self.answer(state[lane], self.alphabet if symbol == RESTART else int(symbol))
        return rows

    def answer(self, lane: Any, symbol: int) -> Frequencies:
        """Take in a symbol (A: none yet) and return uint32[A] for the next one."""
        f = self.frozen
        x = self.stream(lane, [int(v) for v in f.embed[symbol]])
        sums = product(f.head, norm(x, int(f.norms[-1])))
        logits = [rshift(v, int(s)) for v, s in zip(sums, f.head_shift, strict=True)]
        best, table = max(logits), exponential_table()
        return normalise(np.array([int(table[min(best - v, rules.EXPONENTIAL_TOP)]) for v in logits]))
