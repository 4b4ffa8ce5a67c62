"""Random windows through encode and decode: python tests/plugins/coders/random_windows.py [--windows N] [--seed S]

Every round draws an alphabet of 2 .. 65,536, a bit budget from the least that holds it to 128 (or none), tokens, a
symbol budget, frequencies from even to all but certain, a windowing's cuts and its table of cuts, and a way to code
(lanes, runs of known symbols, the level's own routes). What comes back must be what went in, and every window with a
bit budget exactly full. Exits with 1 at the first that is not, naming its round.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from typing import Any

import numpy as np

from stackc.api.arrays import IDLE, RESTART
from stackc.api.frequencies import normalise
from stackc.api.windowings import Windowing
from stackc.coding.level import Level
from stackc.coding.spec import LevelSpec
from stackc.testing.driving import random_cuts
from stackc_coders import ArithmeticConfig
from stackc_coders.arithmetic import ArithmeticCoder

STYLES = ("even", "random", "skewed", "certain")
ELEMENTS = 1 << 21
"""Frequencies of all rows of a round's model."""


class RandomModel:
    """Rows that depend on the last symbol, in a table of `rows` rows."""

    portability = "portable"

    def __init__(self, table: Any, scores: bool) -> None:
        self.table, self.alphabet = table, table.shape[1]
        if scores:
            self.score = self._score

    def start(self, lanes: int) -> Any:
        return np.zeros(lanes, np.int64)

    def step(self, state: Any, symbols: Any) -> Any:
        state[symbols == RESTART] = 0
        state[symbols >= 0] = self._row(symbols[symbols >= 0])
        assert IDLE < 0
        return self.table[state]

    def take(self, state: Any, lanes: Any) -> Any:
        return state[lanes]

    def _row(self, symbols: Any) -> Any:
        return 1 + symbols % (len(self.table) - 1)

    def _score(self, segment: Any, restarts: Any = None) -> Any:
        state = np.concatenate([[0], self._row(segment[:-1].astype(np.int64))])
        if restarts is not None:
            state[restarts] = 0
        size = max(1, ELEMENTS // self.alphabet)
        for start in range(0, len(state), size):
            yield self.table[state[start : start + size]]


def table_of(rng: np.random.Generator, alphabet: int, style: str) -> Any:
    rows = int(min(17, max(2, ELEMENTS // alphabet // 4)))
    counts = rng.integers(1, 1000, (rows, alphabet))
    if style == "even":
        counts[:] = 1
    elif style == "skewed":
        counts = (rng.random((rows, alphabet)) ** 12 * (1 << 30)).astype(np.int64)
    elif style == "certain":
        counts[:] = 0
        counts[np.arange(rows), rng.integers(0, alphabet, rows)] = 1
    return normalise(counts)


def text_of(rng: np.random.Generator, table: Any, length: int) -> Any:
    """Half as the model has it, half even: rare symbols and likely ones."""
    alphabet = table.shape[1]
    even = rng.integers(0, alphabet, length)
    likely = table.argmax(axis=1)[rng.integers(0, len(table), length)]
    drawn = np.searchsorted(np.cumsum(table[1].astype(np.int64)), rng.integers(0, 1 << 24, length), side="right")
    return np.where(rng.random(length) < rng.random(), np.where(rng.random(length) < 0.7, drawn, likely), even)


def one_round(rng: np.random.Generator, symbols: int) -> tuple[int, str]:
    """(windows, way) of one round. Raises `AssertionError` where anything is wrong."""
    alphabet = int(min(65_536, 2 ** rng.uniform(1, 16.01)))
    style = STYLES[rng.integers(4)]
    least = alphabet.bit_length()
    bits = (
        None if rng.random() < 0.1 else int(rng.integers(least, 129) if rng.random() < 0.4 else least + rng.integers(4))
    )
    sizes = [size for size in range(1, 33) if bits is None or bits % size == 0]
    token_bits = int(rng.choice(sizes))
    restart = "window" if rng.random() < 0.5 else "segment"
    scores, compiles = rng.random() < 0.5, bits is not None and bits <= 14 and alphabet <= 4096 and rng.random() < 0.5
    share = rng.random() * 0.3 if rng.random() < 0.3 else 0.0
    model = RandomModel(table_of(rng, alphabet, style), scores)
    seed = int(rng.integers(1 << 30))

    states = int(rng.integers(2, 5)) if rng.random() < 0.3 else 0
    table = random_cuts(rng, alphabet, states, rng.random() * 0.6) if states else None

    def cuts(segment: Any) -> Any:
        return np.random.default_rng(seed).random(len(segment)) < share

    level = Level(
        LevelSpec(
            name="M",
            alphabet=alphabet,
            segment=int(rng.integers(1, 3000)),
            windowing=Windowing(
                bits=bits,
                symbols=int(rng.integers(1, 300)),
                restart=restart,
                cuts=cuts if share else None,
                table=table,
            ),
            coder=ArithmeticCoder(),
            flags=ArithmeticConfig(),
            token_bits=token_bits,
            load_predictor=lambda: model,
            lanes=int(rng.choice([1, 2, 7, 64, 256])),
        )
    )
    text = text_of(rng, model.table, symbols if alphabet <= 1024 else max(300, symbols * 1024 // alphabet))
    documents = np.sort(rng.integers(0, len(text) + 1, 3))
    offsets = np.array([0, *documents, len(text)])
    coded = level.encode(text, offsets)
    back = level.decode(coded.tokens, coded.offsets)
    case = (alphabet, style, bits, token_bits, restart, level.spec.lanes, states)
    assert np.array_equal(back.symbols, text), case
    assert np.array_equal(back.offsets, offsets), case
    windows = len(coded.starts)
    assert bits is None or len(coded.tokens) == windows * (bits // token_bits), ("a window is not full", case)
    way = "scored" if scores and not level.spec.restarts_with_window else "stepped"
    if compiles and level.spec.restarts_with_window:
        from stackc.coding.dictionary.dictionary import Dictionary

        level = Level(
            level.spec, Dictionary(*level.spec.coder.dictionary(model, level.spec.window, level.spec.lanes), alphabet)
        )  # type: ignore[attr-defined]
        again = level.encode(text, offsets)
        assert np.array_equal(again.tokens, coded.tokens), ("compiled and stepped differ", case)
        assert np.array_equal(again.starts, coded.starts), ("compiled and stepped differ in starts", case)
        assert np.array_equal(level.decode(again.tokens, again.offsets).symbols, text), case
        return 2 * windows, "compiled"
    return windows, way


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--windows", type=int, default=10_000_000)
    parser.add_argument("--symbols", type=int, default=40_000, help="in a round")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    ways: Counter[str] = Counter()
    begun, number = time.monotonic(), 0
    while sum(ways.values()) < arguments.windows:
        try:
            windows, way = one_round(np.random.default_rng([arguments.seed, number]), arguments.symbols)
        except Exception as error:
            print(f"seed {arguments.seed}, round {number}: {type(error).__name__}: {error}")
            return 1
        ways[way] += windows
        number += 1
        if number % 200 == 0:
            print(f"{number} rounds, {sum(ways.values()):,} windows, {time.monotonic() - begun:.0f} s", flush=True)
    told = ", ".join(f"{count:,} {way}" for way, count in sorted(ways.items()))
    print(f"{sum(ways.values()):,} windows in {number} rounds, none wrong ({told}); {time.monotonic() - begun:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
