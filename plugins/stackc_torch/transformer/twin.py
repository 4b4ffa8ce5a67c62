"""The frozen transformer in plain Python integers: slow, short, and the definition of its bits."""

from __future__ import annotations

from stackc_torch.frozen.rules import EXPONENTIAL_TOP, GATE_TOP, TOP, Array
from stackc_torch.frozen.twin import PlainPredictor, added, clamp, norm, product, rdiv, requantised, rshift
from stackc_torch.transformer.arrays import PRODUCT_SHIFT, SCORE_SHIFT, WEIGHT_SHIFT, WEIGHT_TOP


def gated(gate_up: list[int], shift: Array) -> list[int]:
    """relu(gate) * up, in int8; gate_up are the sums of 2F rows."""
    values = requantised(gate_up, shift, GATE_TOP)
    half = len(values) // 2
    pairs = zip(values[:half], values[half:], strict=True)
    return [clamp(rshift(max(0, gate) * up, PRODUCT_SHIFT), TOP) for gate, up in pairs]


def attention(
    q: list[int], keys: list[list[int]], values: list[list[int]], bias: Array, score: int, table: Array
) -> list[int]:
    """One head's output: values averaged with weights 2^(q.k / 256), the newest key last.

    Args:
        bias: int32[C], added by distance; the last key is at distance 0.
        score: the head's multiplier.
    """
    last = len(keys) - 1
    scores = [sum(a * b for a, b in zip(q, k, strict=True)) + int(bias[last - j]) for j, k in enumerate(keys)]
    # Differences beyond the limit have weight 0 whatever they are: clamped first, nothing overflows.
    limit = (EXPONENTIAL_TOP << SCORE_SHIFT) // score + 1
    weights = []
    for s in scores:
        difference = min(max(scores) - s, limit)
        index = min(rshift(difference * score, SCORE_SHIFT), EXPONENTIAL_TOP)
        weights.append(min(rshift(int(table[index]), WEIGHT_SHIFT), WEIGHT_TOP))
    total = sum(weights)
    columns = zip(*values, strict=True)
    return [rdiv(sum(w * v for w, v in zip(weights, column, strict=True)), total) for column in columns]


Context = list[list[tuple[list[list[int]], list[list[int]]]]]
"""What one lane has seen since its restart: the last C keys and values of every head of every layer."""


class Twin(PlainPredictor):
    """A predictor over a `Frozen`."""

    def empty(self) -> Context:
        return [[([], []) for _ in range(self.frozen.heads)] for _ in range(self.frozen.layers)]

    def stream(self, lane: Context, x: list[int]) -> list[int]:
        f = self.frozen
        for layer in range(f.layers):
            mixed = self._mix(lane, layer, norm(x, int(f.norms[2 * layer])))
            x = added(x, product(f.out[layer], mixed), f.out_shift[layer])
            y = norm(x, int(f.norms[2 * layer + 1]))
            hidden = gated(product(f.gate_up[layer], y), f.gate_up_shift[layer])
            x = added(x, product(f.down[layer], hidden), f.down_shift[layer])
        return x

    def _mix(self, context: Context, layer: int, y: list[int]) -> list[int]:
        """Attention of one layer: y[d] to the heads' outputs [HD]; the context gains a key and a value."""
        f = self.frozen
        size, inner = f.head_size, f.inner
        qkv = requantised(product(f.qkv[layer], y), f.qkv_shift[layer], TOP)
        mixed = []
        for head in range(f.heads):
            q, k, v = (qkv[part * inner + head * size : part * inner + (head + 1) * size] for part in range(3))
            keys, values = context[layer][head]
            keys.append(k)
            values.append(v)
            del keys[: -f.context], values[: -f.context]
            mixed += attention(q, keys, values, f.bias[layer, head], int(f.score[layer, head]), f.exponential)
        return mixed
