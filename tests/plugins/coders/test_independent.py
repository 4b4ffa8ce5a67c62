"""The slot rule once more, written from its description alone and differently: exact fractions of the unit interval.

A text owns the interval [left, left + width) of [0, 1), cut into slots of 2^-n. All of a text's slots are listed;
no cumulative search, no carries, no moving of digits. A table of cuts is asked with the whole text each time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain, pairwise

import attrs
import numpy as np
import pytest

from stackc.api import RESTART, Frequencies, Window
from stackc.parts.lanes import AdaptedLaneDecoder, AdaptedLaneEncoder
from stackc.testing.driving import (
    STYLES,
    Coded,
    decode_lanes,
    encode_lanes,
    random_cuts,
    random_table,
    row_after,
    sample_text,
)
from stackc_coders import ArithmeticConfig
from stackc_coders.arithmetic import ArithmeticCoder

T = 2**24


@attrs.frozen
class Node:
    """A text's interval, and the bits resolved (n)."""

    left: Fraction
    width: Fraction
    resolved: int
    text: tuple[int, ...] = ()

    def refined(self, window: Window) -> Node:
        """The same interval in finer slots, where there are fewer than 2^30."""
        node = self
        while node.width * 2**node.resolved < 2**30 and node.resolved != window.bits:
            more = 8 if window.bits is None else min(8, window.bits - node.resolved)
            node = attrs.evolve(node, resolved=node.resolved + more)
        return node

    def children(self, row: list[int], window: Window) -> Iterator[Node]:
        """The texts one symbol longer that own a slot at least. The node must be refined."""
        row = row if not self.text else [0 if cut(window, (*self.text, s)) else f for s, f in enumerate(row)]
        if not any(row):
            return
        slot = Fraction(1, 2**self.resolved)
        places = int(self.width / slot) - 1
        if not self.text:
            shared = [Fraction(f * (places - len(row)), T) for f in row]
            ends = [s + 1 + math.floor(sum(shared[: s + 1])) for s in range(len(row))] if len(row) < 40 else None
            if ends is None:
                sums = np.cumsum(np.array(row, object)).tolist()
                ends = [s + 1 + sums[s] * (places - len(row)) // T for s in range(len(row))]
        else:
            left = sum(row)
            weights = [f if Fraction(f * places, left) >= Fraction(1, 2) else 0 for f in row]
            if not any(weights):
                weights = [f if s == row.index(max(row)) else 0 for s, f in enumerate(row)]
            ends, so_far, total = [], 0, sum(weights)
            for weight in weights:
                so_far += weight
                ends.append(math.floor(Fraction(so_far * places, total)))
        for s, (start, end) in enumerate(pairwise([0, *ends])):
            if end > start:
                yield Node(self.left + (1 + start) * slot, (end - start) * slot, self.resolved, (*self.text, s))


def cut(window: Window, text: tuple[int, ...]) -> bool:
    """Whether the window's table cuts somewhere inside a text."""
    state = 0
    for symbol in text:
        state = 0 if window.table is None else int(window.table[state, symbol])
        if state < 0:
            return True
    return False


def complete(window: Window, node: Node) -> bool:
    """Whether nothing can follow: the symbol budget, or a table that cuts before every symbol."""
    ended = bool(node.text) and all(cut(window, (*node.text, s)) for s in range(window.alphabet))
    return ended or len(node.text) == window.symbols


def root(window: Window) -> Node:
    return Node(Fraction(0), Fraction(1), 38 if window.bits is None else min(38, window.bits))


def inside(node: Node, token_bits: int) -> tuple[int, int]:
    """(value, bits) of the shortest whole tokens whose every continuation lies in the node's interval."""
    bits = token_bits
    while True:
        value = math.ceil(node.left * 2**bits)
        if Fraction(value + 1, 2**bits) <= node.left + node.width:
            return value, bits
        bits += token_bits


def row_of(table: Frequencies, node: Node) -> list[int]:
    row: list[int] = table[row_after(table, node.text[-1] if node.text else RESTART)].tolist()
    return row


def encode(window: Window, table: Frequencies, text: list[int]) -> Coded:
    made = Coded(tokens=[], windows=[], sizes=[])
    node, at = root(window), 0

    def close() -> None:
        if window.bits is not None:
            value, bits = node.left * 2**window.bits, window.bits
        elif complete(window, node):
            value, bits = inside(node, window.token_bits)
        else:
            bits = node.refined(window).resolved
            value = node.left * 2**bits
        count = -(-bits // window.token_bits)
        code = int(value * 2 ** (count * window.token_bits - bits))
        digits = [code >> window.token_bits * i & 2**window.token_bits - 1 for i in reversed(range(count))]
        made.tokens.extend(digits)
        made.windows.append(list(node.text))
        made.sizes.append(count)

    while at < len(text):
        children = node.refined(window).children(row_of(table, node), window)
        found = next((child for child in children if child.text[-1] == text[at]), None)
        if found is not None:
            node, at = found, at + 1
        if found is None or complete(window, node):
            close()
            node = root(window)
    if node.text:
        close()
    return made


def decode(window: Window, table: Frequencies, tokens: list[int]) -> Coded:
    made, at = Coded(tokens=tokens, windows=[], sizes=[]), 0
    while at < len(tokens):
        size = window.token_bits
        ahead = tokens[at : at + (window.bits or 10**9) // size]
        value = sum(Fraction(token, 2 ** (size * (i + 1))) for i, token in enumerate(ahead))
        left, node, cut = size * len(ahead), root(window), False
        while not complete(window, node):
            fine = node.refined(window)
            if window.bits is None and fine.resolved > left + 38:
                # resolve as far as allowed, eight bits at a time
                while node.resolved + 8 <= left + 38:
                    node = attrs.evolve(node, resolved=node.resolved + 8)
                cut = True
                break
            node = fine
            if value < node.left + Fraction(1, 2**node.resolved):
                break
            node = next(n for n in node.children(row_of(table, node), window) if n.left <= value < n.left + n.width)
        full = complete(window, node)
        bits = window.bits or (inside(node, size)[1] if full else node.resolved)
        assert not (cut and full)
        made.windows.append(list(node.text))
        made.sizes.append(min(-(-bits // size), len(tokens) - at))
        at += made.sizes[-1]
    return made


def settings(count: int, seed: int) -> Iterator[tuple[Window, Frequencies, list[int], np.random.Generator]]:
    rng = np.random.default_rng(seed)
    for number in range(count):
        bits = (
            None
            if number % 4 == 3
            else int(rng.choice([*range(3, 20), *range(20, 129, 3), 38, 39, 63, 64, 65, 127, 128]))
        )
        most = 2**bits - 1 if bits is not None and bits < 6 else 40
        alphabet = int(rng.choice([1, 2, 3, 4, most, int(rng.integers(1, most + 1))]))
        symbols = int(rng.choice([1, 2, 7, 40]))
        if bits is None:
            token_bits = int(rng.integers(1, 25))
        else:
            token_bits = int(rng.choice([size for size in range(1, 33) if bits % size == 0]))
        cuts = None if number % 3 else random_cuts(rng, alphabet)
        window = Window(alphabet=alphabet, bits=bits, symbols=symbols, token_bits=token_bits, table=cuts)
        table = random_table(rng, alphabet, STYLES[int(rng.integers(4))])
        yield window, table, sample_text(rng, table, int(rng.integers(1, 60)), surprises=0.2), rng


def compare(count: int, seed: int) -> None:
    coder, flags = ArithmeticCoder(), ArithmeticConfig()
    for window, table, text, rng in settings(count, seed):
        expected = encode(window, table, text)
        for encoder in (AdaptedLaneEncoder(coder, flags, window, 1), coder.lane_encoder(window, 1)):
            assert encode_lanes(encoder, window, table, [text])[0] == expected, window
        assert list(chain(*expected.windows)) == text
        garbage = rng.integers(0, 2**window.token_bits, 60)
        garbage[: int(rng.integers(0, 20))] = 0
        for tokens in (np.array(expected.tokens), garbage):
            whole = 1 if window.bits is None else window.bits // window.token_bits
            tokens = tokens[: len(tokens) // whole * whole].astype(np.uint32)
            right = decode(window, table, tokens.tolist())
            for decoder in (AdaptedLaneDecoder(coder, flags, window, 1, tokens), coder.lane_decoder(window, 1, tokens)):
                back = decode_lanes(decoder, window, table, [(0, len(tokens))])[0]
                assert (back.windows, back.sizes) == (right.windows, right.sizes), window
        assert decode(window, table, expected.tokens) == expected


@pytest.mark.parametrize("seed", range(4))
def test_an_independent_implementation_agrees(seed: int) -> None:
    compare(60, seed)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_an_independent_implementation_agrees_at_length() -> None:
    for seed in range(100, 130):
        compare(200, seed)
