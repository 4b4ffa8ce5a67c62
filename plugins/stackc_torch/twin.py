"""The frozen network in plain Python integers: slow, short, and the definition of its bits.

Every other route (`cpu`, `device`) must answer exactly this; the tests hold them to it. Matrix products use
numpy's int64, where no partial sum comes near 2^63; everything else is Python integers of any size.
"""

from __future__ import annotations

from math import isqrt

import numpy as np

from stackc.api import IDLE, RESTART, Frequencies, Symbols, normalise
from stackc_torch import integers as I
from stackc_torch.integers import Array, Frozen


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
    return [clamp(rshift(v * factor, I.NORM_BITS), I.TOP) for v in x]


def product(weights: Array, x: list[int]) -> list[int]:
    """weights[R, K] times x[K], exactly."""
    return [int(v) for v in weights.astype(np.int64) @ np.array(x, np.int64)]


def requantised(sums: list[int], shift: Array, top: int) -> list[int]:
    """Each sum shifted right by its row's shift."""
    return [clamp(rshift(v, int(s)), top) for v, s in zip(sums, shift, strict=True)]


def added(x: list[int], sums: list[int], shift: Array) -> list[int]:
    """The residual stream after a block's answer is added to it."""
    return [clamp(v + rshift(a << I.LIFT, int(s)), I.STREAM_TOP) for v, a, s in zip(x, sums, shift, strict=True)]


def gated(gate_up: list[int], shift: Array) -> list[int]:
    """relu(gate) * up, in int8; gate_up are the sums of 2F rows."""
    values = requantised(gate_up, shift, I.GATE_TOP)
    half = len(values) // 2
    pairs = zip(values[:half], values[half:], strict=True)
    return [clamp(rshift(max(0, gate) * up, I.PRODUCT_SHIFT), I.TOP) for gate, up in pairs]


def attention(
    q: list[int], keys: list[list[int]], values: list[list[int]], bias: Array, score: int, table: Array
) -> list[int]:
    """One head's answer: values averaged with weights 2^(q.k / 256), the newest key last.

    Args:
        bias: int32[C], added by distance; the last key is at distance 0.
        score: the head's multiplier.
    """
    last = len(keys) - 1
    scores = [sum(a * b for a, b in zip(q, k, strict=True)) + int(bias[last - j]) for j, k in enumerate(keys)]
    # Differences beyond the limit have weight 0 whatever they are: clamped first, nothing overflows.
    limit = (I.EXPONENTIAL_TOP << I.SCORE_SHIFT) // score + 1
    weights = []
    for s in scores:
        difference = min(max(scores) - s, limit)
        index = min(rshift(difference * score, I.SCORE_SHIFT), I.EXPONENTIAL_TOP)
        weights.append(min(rshift(int(table[index]), I.WEIGHT_SHIFT), I.WEIGHT_TOP))
    total = sum(weights)
    columns = zip(*values, strict=True)
    return [rdiv(sum(w * v for w, v in zip(weights, column, strict=True)), total) for column in columns]


class Context:
    """What one lane has seen since its restart: the last C keys and values of every layer and head."""

    def __init__(self, frozen: Frozen) -> None:
        self.keys: list[list[list[list[int]]]] = [[[] for _ in range(frozen.heads)] for _ in range(frozen.layers)]
        self.values: list[list[list[list[int]]]] = [[[] for _ in range(frozen.heads)] for _ in range(frozen.layers)]


class Twin:
    """A predictor over a `Frozen`; see `stackc.api.Predictor`."""

    portability = "portable"

    def __init__(self, frozen: Frozen) -> None:
        self.frozen = frozen
        self.alphabet = frozen.alphabet

    def start(self, lanes: int) -> list[Context]:
        return [Context(self.frozen) for _ in range(lanes)]

    def step(self, state: list[Context], symbols: Symbols) -> Frequencies:
        rows = np.zeros((len(state), self.alphabet), np.uint32)
        for lane, symbol in enumerate(symbols):
            if symbol == IDLE:
                continue
            if symbol == RESTART:
                state[lane] = Context(self.frozen)
            rows[lane] = self.answer(state[lane], self.alphabet if symbol == RESTART else int(symbol))
        return rows

    def answer(self, context: Context, symbol: int) -> Frequencies:
        """Take in a symbol (A: none yet) and answer uint32[A] for the next."""
        f = self.frozen
        x = [int(v) for v in f.embed[symbol]]
        for layer in range(f.layers):
            mixed = self._mix(context, layer, norm(x, int(f.norms[2 * layer])))
            x = added(x, product(f.out[layer], mixed), f.out_shift[layer])
            y = norm(x, int(f.norms[2 * layer + 1]))
            hidden = gated(product(f.gate_up[layer], y), f.gate_up_shift[layer])
            x = added(x, product(f.down[layer], hidden), f.down_shift[layer])
        sums = product(f.head, norm(x, int(f.norms[-1])))
        logits = [rshift(v, int(s)) for v, s in zip(sums, f.head_shift, strict=True)]
        best = max(logits)
        counts = [int(f.exponential[min(best - v, I.EXPONENTIAL_TOP)]) for v in logits]
        return normalise(np.array(counts))

    def _mix(self, context: Context, layer: int, y: list[int]) -> list[int]:
        """Attention of one layer: y[d] to the heads' answers [HD]; the context gains a key and a value."""
        f = self.frozen
        size, inner = f.head_size, f.inner
        qkv = requantised(product(f.qkv[layer], y), f.qkv_shift[layer], I.TOP)
        mixed = []
        for head in range(f.heads):
            q, k, v = (qkv[part * inner + head * size : part * inner + (head + 1) * size] for part in range(3))
            keys, values = context.keys[layer][head], context.values[layer][head]
            keys.append(k)
            values.append(v)
            del keys[: -f.context], values[: -f.context]
            mixed += attention(q, keys, values, f.bias[layer, head], int(f.score[layer, head]), f.exponential)
        return mixed
