"""One number for all frequencies that a model answers over a text, whatever route and order they come in.

A text is cut into segments of 1,000 symbols, each with an empty context. In every other segment the context also
restarts at about one place in eight, as it does with windows; in the others it runs on, and the ring of keys wraps.

The number is the sum, modulo 2^64, of one hash for every position, which mixes the position with the sum of its row's
entries times fixed odd numbers: one entry that differs always changes its row's hash.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stackc.api import IDLE, RESTART
from stackc.api.kernels import kernel

SEGMENT = 1000
"""Symbols in a segment. Texts are whole segments."""

SCORED = 100
"""Segments that are scored in one call."""


@kernel
def rows_hash(rows: npt.NDArray[np.uint32], positions: npt.NDArray[np.int64], odd: npt.NDArray[np.uint64]) -> np.uint64:
    """The sum of the hashes of rows[i], uint32[A], at positions[i] of the text."""
    total = np.uint64(0)
    for i in range(len(positions)):
        row = rows[i]
        value = np.uint64(0)
        for symbol in range(len(odd)):
            value += np.uint64(row[symbol]) * odd[symbol]
        value ^= np.uint64(positions[i]) * np.uint64(0x9E3779B97F4A7C15)
        value = (value ^ (value >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
        value = (value ^ (value >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
        total += value ^ (value >> np.uint64(32))
    return total


def odd_numbers(alphabet: int) -> npt.NDArray[np.uint64]:
    """uint64[A], always the same."""
    return np.random.default_rng(64).integers(0, 1 << 63, alphabet, np.uint64) * np.uint64(2) + np.uint64(1)


def restarts(count: int) -> npt.NDArray[np.bool_]:
    """bool[count]: where the context restarts. The same places for a longer text, and more."""
    places = np.arange(count, dtype=np.uint64)
    mixed = (places * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(61)
    return (places % SEGMENT == 0) | ((mixed == 0) & (places // SEGMENT % 2 == 1))


def scored(predictor: Any, text: npt.NDArray[np.integer]) -> int:
    """The number of a text by scoring. The text's length is a multiple of SEGMENT."""
    odd, total, fresh = odd_numbers(predictor.alphabet), np.uint64(0), restarts(len(text))
    size = SEGMENT * SCORED
    with np.errstate(over="ignore"):
        for start in range(0, len(text), size):
            at = start
            for rows in predictor.score(text[start : start + size], fresh[start : start + size]):
                total += rows_hash(rows, np.arange(at, at + len(rows)), odd)
                at += len(rows)
            assert at == min(start + size, len(text)), "a row for every symbol"
    return int(total)


def stepped(predictor: Any, text: npt.NDArray[np.integer], lanes: int) -> int:
    """The number of a text by stepping: segment s in lane s % lanes, lanes side by side."""
    odd, total, fresh = odd_numbers(predictor.alphabet), np.uint64(0), restarts(len(text))
    before = np.where(fresh, RESTART, np.concatenate([[0], text[:-1].astype(np.int64)]))
    state = predictor.start(lanes)
    with np.errstate(over="ignore"):
        for first in range(0, len(text), SEGMENT * lanes):
            starts = np.arange(first, min(first + SEGMENT * lanes, len(text)), SEGMENT)
            symbols = np.full(lanes, IDLE, np.int64)
            for i in range(SEGMENT):
                symbols[: len(starts)] = before[starts + i]
                total += rows_hash(predictor.step(state, symbols), starts + i, odd)
    return int(total)
