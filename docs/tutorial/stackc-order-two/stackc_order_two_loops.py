"""The compiled loops of `order-two`. All that decides bits is here, in integers.

A decision is predicted by three counters: what followed without a context, after the last symbol, and after the last
two. Each counter is the probability of a one. They are mixed in the logistic domain, where evidence adds up:

    stretch(p) = ln(p / (1 - p)) ──► weighted sum ──► squash ──► p ──► coder; then counters and weights learn the bit

It is a separate module because numba takes a second to import, and because a loop that imports the coder's functions
at its top is compiled once and kept.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from stackc.api import CODER_STATE, code_bit, finish_coder, inlined, kernel, start_coder

INPUTS = 3
LAST, BEFORE = 0, 1  # of the history: the last symbol plus one, and the one before it; 0: none yet

CENTRE = 2048  # stretched probabilities are -2047 .. 2047, in units of 1/256
MOST_WEIGHT = 1 << 20  # of weights, in units of 1/65536: sums stay far below 2^63

SLOTS, STRETCHED, MIXED = 0, INPUTS, 2 * INPUTS
SCRATCH = 2 * INPUTS + 1  # of a decision: the places of its counters, their stretched values, the mixed probability


@inlined
def predict(counters: Any, weights: Any, history: Any, scratch: Any, stretch: Any, squash: Any, node: Any) -> Any:
    """The probability of a one in decision `node`: 1 at a symbol's first bit, then 2 * node + bit."""
    size = len(counters) // INPUTS  # a power of two
    context = np.int64(node)
    total = np.int64(0)
    for i in range(INPUTS):
        if i > 0:
            context += history[i - 1] * (104_729 if i == 1 else 1_299_709)
        # A hash without a check: contexts that share a slot disturb each other. Masked, so never outside the table.
        slot = i * size + ((context & 0x7FFFFFFF) * 2_654_435_761 >> 16 & size - 1)
        scratch[SLOTS + i] = slot
        scratch[STRETCHED + i] = stretch[counters[slot] >> 4]
        total += weights[i] * scratch[STRETCHED + i]
    place = min(max((total >> 16) + CENTRE, 1), 2 * CENTRE - 1)
    scratch[MIXED] = squash[place]
    return scratch[MIXED]


@inlined
def learn(counters: Any, weights: Any, scratch: Any, bit: Any, rate: Any) -> None:
    """Move the counters towards the bit, and the weights towards the inputs that were right."""
    error = (bit << 16) - scratch[MIXED]
    for i in range(INPUTS):
        slot = scratch[SLOTS + i]
        p = np.int64(counters[slot])
        counters[slot] = p + ((65_535 - p) >> rate) if bit else p - (p >> rate)
        weight = weights[i] + (scratch[STRETCHED + i] * error + (1 << 13) >> 14)
        weights[i] = min(max(weight, -MOST_WEIGHT), MOST_WEIGHT)


@inlined
def remember(history: Any, symbol: Any) -> None:
    history[BEFORE] = history[LAST]
    history[LAST] = symbol + 1


@kernel
def run(
    counters: Any, weights: Any, history: Any, scratch: Any, stretch: Any, squash: Any, rate: int, bits: int,
    symbols: Any, buffer: Any, decoding: bool,
) -> int:  # fmt: skip
    """Code a sequence of symbols both ways: the bytes of its payload, or -1 if they do not fit."""
    coder = np.zeros(CODER_STATE, np.int64)
    start_coder(coder, buffer, len(buffer), decoding)
    for i in range(len(symbols)):
        symbol = np.int64(symbols[i])
        node = 1
        for shift in range(bits - 1, -1, -1):
            p = predict(counters, weights, history, scratch, stretch, squash, node)
            bit = code_bit(coder, buffer, p, symbol >> shift & 1)
            learn(counters, weights, scratch, bit, rate)
            node = 2 * node + bit
        symbol = node - (1 << bits)
        symbols[i] = symbol
        remember(history, symbol)
    return len(buffer) if decoding else finish_coder(coder, buffer)


@kernel
def tree(
    counters: Any, weights: Any, history: Any, scratch: Any, stretch: Any, squash: Any, bits: int, out: Any
) -> None:
    """The probabilities of all decisions of the next symbol; nothing is learned."""
    for node in range(1, 1 << bits):
        out[node] = predict(counters, weights, history, scratch, stretch, squash, node)
