"""The frozen recurrent network in plain Python integers: slow, short, and the definition of its bits."""

from __future__ import annotations

import numpy as np

from stackc.api import IDLE, RESTART, Frequencies, Symbols, normalise
from stackc_torch import integers as I
from stackc_torch.gru import integers as G
from stackc_torch.gru.integers import FrozenGru
from stackc_torch.integers import Array
from stackc_torch.twin import added, clamp, norm, product, rshift


def sigmoid(a: int) -> int:
    """Of a sum in Q12, in Q15."""
    value = int(G.tables()[0][(abs(a) + 4) >> G.STEP_SHIFT])
    return value if a >= 0 else G.ONE - value


def tanh(a: int) -> int:
    """Of a sum in Q12, in Q15."""
    value = int(G.tables()[1][(abs(a) + 4) >> G.STEP_SHIFT])
    return value if a >= 0 else -value


def gate_sums(sums: list[int], shift: Array) -> list[int]:
    """A product's rows in Q12."""
    return [clamp(rshift(v << I.LIFT, int(s)), G.GATE_TOP) for v, s in zip(sums, shift, strict=True)]


def operand(h: list[int]) -> list[int]:
    """The state in int8."""
    return [clamp(rshift(v, G.STATE_SHIFT), I.TOP) for v in h]


def remembered(h: list[int], entering: list[int], recalled: list[int], bias: Array) -> list[int]:
    """The state after one more symbol."""
    units, after = len(h), []
    for i in range(units):
        reset, keep, candidate = (entering[part * units + i] + int(bias[part * units + i]) for part in range(3))
        r = sigmoid(clamp(reset + recalled[i], G.GATE_TOP))
        z = sigmoid(clamp(keep + recalled[units + i], G.GATE_TOP))
        n = tanh(clamp(candidate + rshift(r * recalled[2 * units + i], 15), G.GATE_TOP))
        after.append(n + rshift(z * (h[i] - n), 15))
    return after


class GruTwin:
    """A predictor over a `FrozenGru`; see `stackc.api.Predictor`. A lane is its states, one a layer."""

    portability = "portable"

    def __init__(self, frozen: FrozenGru) -> None:
        self.frozen = frozen
        self.alphabet = frozen.alphabet

    def empty(self) -> list[list[int]]:
        return [[0] * self.frozen.units for _ in range(self.frozen.layers)]

    def start(self, lanes: int) -> list[list[list[int]]]:
        return [self.empty() for _ in range(lanes)]

    def step(self, state: list[list[list[int]]], symbols: Symbols) -> Frequencies:
        rows = np.zeros((len(state), self.alphabet), np.uint32)
        for lane, symbol in enumerate(symbols):
            if symbol == IDLE:
                continue
            if symbol == RESTART:
                state[lane] = self.empty()
            rows[lane] = self.answer(state[lane], self.alphabet if symbol == RESTART else int(symbol))
        return rows

    def answer(self, states: list[list[int]], symbol: int) -> Frequencies:
        """Take in a symbol (A: none yet) and answer uint32[A] for the next."""
        f = self.frozen
        x = [int(v) for v in f.embed[symbol]]
        for layer, h in enumerate(states):
            entering = gate_sums(product(f.enter[layer], norm(x, int(f.norms[layer]))), f.enter_shift[layer])
            recalled = gate_sums(product(f.recall[layer], operand(h)), f.recall_shift[layer])
            h = states[layer] = remembered(h, entering, recalled, f.bias[layer])
            x = added(x, product(f.out[layer], operand(h)), f.out_shift[layer])
        sums = product(f.head, norm(x, int(f.norms[-1])))
        logits = [rshift(v, int(s)) for v, s in zip(sums, f.head_shift, strict=True)]
        best = max(logits)
        table = I.exponential_table()
        return normalise(np.array([int(table[min(best - v, I.EXPONENTIAL_TOP)]) for v in logits]))
