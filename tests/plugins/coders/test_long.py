"""Millions of windows of random widths, alphabets and frequencies. Run with -m long."""

from __future__ import annotations

import numpy as np
import pytest

from stackc.api import TOTAL, Frequencies, Window
from stackc.testing.driving import STYLES, random_table
from stackc_coders.arithmetic import ArithmeticCoder

CODER = ArithmeticCoder()
LANES, LENGTH = 64, 3000


def case(seed: int) -> tuple[Window, Frequencies, np.ndarray, np.ndarray]:
    """A window, one row of frequencies, and LANES texts with places to cut them: [LANES, LENGTH] each."""
    rng = np.random.default_rng([9, seed])
    bits = int(rng.integers(3, 129)) if seed % 5 else None
    alphabet = int(rng.integers(1, min(2 ** (bits or 9), 400)))
    sizes = [size for size in range(1, 33) if bits is None or bits % size == 0]
    budget = int(rng.integers(1, 60))
    window = Window(alphabet=alphabet, bits=bits, symbols=budget, token_bits=int(rng.choice(sizes)))
    table = random_table(rng, alphabet, STYLES[seed % 4], rows=1)
    shape = (LANES, LENGTH)
    likely = np.searchsorted(np.cumsum(table[0].astype(np.int64)), rng.integers(0, TOTAL, shape), side="right")
    texts = np.where(rng.random(shape) < 0.1, rng.integers(0, alphabet, shape), likely)
    return window, table, texts, rng.random(shape) < 0.01


def encode(
    window: Window, table: Frequencies, texts: np.ndarray, cuts: np.ndarray
) -> list[tuple[list[int], list[int]]]:
    """Every text in one run: its tokens, and the lengths of its windows."""
    lanes = CODER.lane_encoder(window, LANES)
    rows = np.repeat(table, LENGTH, axis=0)
    made = []
    for lane in range(LANES):
        tokens, lengths = lanes.run(lane, rows, texts[lane], cuts[lane])
        rest = LENGTH - int(lengths.sum())
        if rest:
            last, _ = lanes.close(np.array([lane]), np.array([False]))
            tokens, lengths = np.concatenate([tokens, last]), np.append(lengths, rest)
        made.append((tokens.tolist(), lengths.tolist()))
    return made


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_millions_of_windows() -> None:
    """What was coded in runs decodes in lanes, side by side."""
    windows = 0
    for seed in range(400):
        window, table, texts, cuts = case(seed)
        made = encode(window, table, texts, cuts)
        windows += sum(len(lengths) for _, lengths in made)
        at = np.cumsum([0] + [len(tokens) for tokens, _ in made])
        ends, at = at[1:], at[:-1].copy()
        decoder = CODER.lane_decoder(window, LANES, np.concatenate([tokens for tokens, _ in made]))
        decoder.open(np.arange(LANES), at, ends)
        rows = np.repeat(table, LANES, axis=0)
        size, count = np.zeros(LANES, np.int64), np.zeros(LANES, np.int64)
        lengths: list[list[int]] = [[] for _ in range(LANES)]
        while (live := at < ends).any():
            got = decoder.next(rows, live)
            some = np.flatnonzero(got >= 0)
            assert (texts[some, count[some]] == got[some]).all(), window
            size[some] += 1
            count[some] += 1
            closed = np.flatnonzero(live & ((got < 0) | (size == window.symbols)))
            at[closed] += decoder.used(closed, size[closed] == window.symbols)
            for lane in closed:
                lengths[lane].append(int(size[lane]))
            size[closed] = 0
            again = closed[at[closed] < ends[closed]]
            decoder.open(again, at[again], ends[again])
        assert lengths == [expected for _, expected in made], window
        assert (count == LENGTH).all()
    assert windows > 2_000_000
