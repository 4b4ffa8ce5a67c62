"""What every coder must keep, and what this one does."""

from __future__ import annotations

import numpy as np
from stackc.api import TOTAL, Coder, Frequencies, Window
from stackc.testing import CoderContract, PluginContract

import stackc_rans
from stackc_rans import LENGTH_BITS, RansConfig, make


class TestPlugin(PluginContract):
    plugin = stackc_rans


class TestCoder(CoderContract):
    config = RansConfig

    def make(self) -> Coder:
        return make(RansConfig())


def code(symbols: list[int], rows: Frequencies) -> tuple[int, int]:
    window = Window(alphabet=rows.shape[1], bits=None, symbols=65_535, token_bits=8)
    encoder = make(RansConfig()).encoder(window)
    for row, symbol in zip(rows, symbols, strict=True):
        assert encoder.add(row, symbol)
    return encoder.close(False)


def test_known_bits() -> None:
    flat = np.full((4, 4), TOTAL // 4, np.uint32)
    assert code([3, 0, 2, 1], flat) == (29 << 29 | 0x18C0_0000, LENGTH_BITS + 29)


def plain(symbols: list[int], rows: Frequencies) -> int:
    """The same numeral system on one integer: the slow twin that the library is compared with."""
    state, words = 0, []
    for symbol, row in reversed(list(zip(symbols, rows.tolist(), strict=True))):
        low, size = sum(row[:symbol]), row[symbol]
        if state >> 40 >= size:
            words.append(state & 0xFFFF_FFFF)
            state >>= 32
        state = (state // size << 24) | (low + state % size)
    return state << 32 * len(words) | sum(word << 32 * i for i, word in enumerate(words))


def rows(rng: np.random.Generator, count: int, alphabet: int, sharpness: float) -> Frequencies:
    weights = np.exp(sharpness * rng.normal(size=(count, alphabet)))
    freqs = 1 + (weights / weights.sum(axis=1, keepdims=True) * (TOTAL - alphabet)).astype(np.int64)
    freqs[np.arange(count), freqs.argmax(axis=1)] += TOTAL - freqs.sum(axis=1)
    return freqs.astype(np.uint32)


def test_the_library_gives_the_bits_of_the_numeral_system() -> None:
    """On frequencies from flat to nearly certain: that floats carry the counts changes nothing."""
    rng = np.random.default_rng(1)
    for alphabet in (2, 3, 17, 256, 5000):
        for sharpness in (0.0, 1.0, 8.0):
            freqs = rows(rng, 40, alphabet, sharpness)
            symbols = rng.integers(0, alphabet, 40).tolist()
            value, bits = code(symbols, freqs)
            length, stack = value >> bits - LENGTH_BITS, value & (1 << bits - LENGTH_BITS) - 1
            assert (length, stack) == (bits - LENGTH_BITS, plain(symbols, freqs))


def test_a_window_costs_what_its_frequencies_say_and_a_state_and_a_length() -> None:
    rng = np.random.default_rng(2)
    freqs = rows(rng, 2000, 64, 2.0)
    symbols = [int(rng.choice(64, p=row / TOTAL)) for row in freqs]
    said = sum(24 - np.log2(float(row[symbol])) for row, symbol in zip(freqs, symbols, strict=True))
    assert said < code(symbols, freqs)[1] < said + LENGTH_BITS + 64
