"""The frozen recurrent network in plain Python integers: slow, short, and the definition of its bits."""

from __future__ import annotations

from stackc_torch.frozen.rules import GATE_TOP, LIFT, TOP, Array
from stackc_torch.frozen.twin import PlainPredictor, added, clamp, norm, product, rshift
from stackc_torch.gru import arrays as G


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
    return [clamp(rshift(v << LIFT, int(s)), GATE_TOP) for v, s in zip(sums, shift, strict=True)]


def operand(h: list[int]) -> list[int]:
    """The state in int8."""
    return [clamp(rshift(v, G.STATE_SHIFT), TOP) for v in h]


def remembered(h: list[int], entering: list[int], recalled: list[int], bias: Array) -> list[int]:
    """The state after one more symbol."""
    units, after = len(h), []
    for i in range(units):
        reset, keep, candidate = (entering[part * units + i] + int(bias[part * units + i]) for part in range(3))
        r = sigmoid(clamp(reset + recalled[i], GATE_TOP))
        z = sigmoid(clamp(keep + recalled[units + i], GATE_TOP))
        n = tanh(clamp(candidate + rshift(r * recalled[2 * units + i], 15), GATE_TOP))
        after.append(n + rshift(z * (h[i] - n), 15))
    return after


class GruTwin(PlainPredictor):
    """A predictor over a `FrozenGru`. A lane is its states, one per layer."""

    def empty(self) -> list[list[int]]:
        return [[0] * self.frozen.units for _ in range(self.frozen.layers)]

    def stream(self, lane: list[list[int]], x: list[int]) -> list[int]:
        f = self.frozen
        for layer, h in enumerate(lane):
            entering = gate_sums(product(f.enter[layer], norm(x, int(f.norms[layer]))), f.enter_shift[layer])
            recalled = gate_sums(product(f.recall[layer], operand(h)), f.recall_shift[layer])
            h = lane[layer] = remembered(h, entering, recalled, f.bias[layer])
            x = added(x, product(f.out[layer], operand(h)), f.out_shift[layer])
        return x
