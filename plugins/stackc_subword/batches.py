"""Shared by both coders: windows given to a library in groups, and the texts of all tokens in one array."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable

import numpy as np

from stackc.api import Int64, Symbols, Tokens, offsets_of

GROUP = 64
"""Windows that a library receives at once."""


def encode_windows(
    symbols: Symbols, bounds: Int64, code: Callable[[list[bytes]], Iterable[list[int]]]
) -> tuple[Tokens, Int64]:
    """The tokens of all windows, and the number of tokens in each.

    Args:
        symbols: bytes, one window after another.
        bounds: int64[w + 1], where windows start and end.
        code: gives the tokens of each of some windows.
    """
    made, counts = [np.empty(0, np.uint32)], np.zeros(len(bounds) - 1, np.int64)
    edges = bounds.tolist()
    for first in range(0, len(counts), GROUP):
        group = edges[first : first + GROUP + 1]
        data = symbols[group[0] : group[-1]].astype(np.uint8, copy=False).tobytes()
        windows = [data[low - group[0] : high - group[0]] for low, high in itertools.pairwise(group)]
        for i, tokens in enumerate(code(windows)):
            made.append(np.array(tokens, np.uint32))
            counts[first + i] = len(tokens)
    return np.concatenate(made), counts


def end_to_end(texts: list[bytes]) -> tuple[Symbols, Int64]:
    """The texts as uint8[n], and int64[V + 1], where each starts and ends."""
    return np.frombuffer(b"".join(texts), np.uint8), offsets_of(list(map(len, texts)))
