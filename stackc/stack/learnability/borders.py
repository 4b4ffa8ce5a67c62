"""Where the tokens of a level begin in the bytes of the source."""

from __future__ import annotations

import numpy as np

from stackc.api.arrays import Int64, Symbols
from stackc.coding.level import Level

UNIT = 1 << 16
"""Places are counted in parts of a byte: the tokens of one window share its bytes, so that some begin inside a byte."""


def token_bounds(level: Level, symbols: Symbols, windows: Int64, count: int) -> Int64 | None:
    """Where each window's tokens start and end: int64[w + 1]; None if that is not defined.

    Args:
        level: the level.
        symbols: what it reads.
        windows: int64[w + 1], where its windows start in `symbols`, and their end.
        count: the tokens that it made of them.
    """
    if level.window_tokens is not None:
        return np.arange(len(windows)) * level.window_tokens
    # If windows do not affect each other, each has as many tokens as it would have as a separate document.
    bounds = level.encode(symbols, windows, verify=False).offsets
    return bounds if int(bounds[-1]) == count else None


def token_places(level: Level, symbols: Symbols, starts: Int64, count: int, places: Int64) -> Int64 | None:
    """Where the level's tokens begin, and the text's end: int64[count + 1], in 1/`UNIT` bytes; None if undefined.

    A window begins where its first symbol does. The i-th of n tokens of one window begins i n-ths through its bytes,
    rounded down, which depends on nothing but the window: it is the same wherever the window stands.

    Args:
        level, symbols, count: see `token_bounds`.
        starts: int64[w], where its windows start in `symbols`.
        places: int64[n + 1], where the symbols begin, and the end.
    """
    windows = np.append(starts, len(symbols)).astype(np.int64)
    bounds = token_bounds(level, symbols, windows, count)
    if bounds is None:
        return None
    sizes = np.diff(bounds)
    firsts, lengths = places[windows[:-1]], np.diff(places[windows])
    within = np.arange(count) - np.repeat(bounds[:-1], sizes)
    inside = np.repeat(lengths, sizes) * within // np.repeat(np.maximum(sizes, 1), sizes)
    return np.append(np.repeat(firsts, sizes) + inside, places[-1])
