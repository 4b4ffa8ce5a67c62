"""Shared by both coders: windows given to a library in groups, and the bytes of all tokens in one array."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from stackc.api import CodingError, Int64, Symbols, Tokens, offsets_of
from stackc_subword.config import BYTES

GROUP = 64
"""Windows that a library receives at once."""


class WindowCoder:
    """A piece coder (`stackc.api.PieceCoder`) by a library, which receives windows in groups. A subclass writes `code`.

    Args:
        name: what recipes call the coder.
        vocabulary: V.

    Attributes:
        texts: the bytes of every token; empty before `load`.
    """

    def __init__(self, name: str, vocabulary: int) -> None:
        self.name, self.vocabulary = name, vocabulary
        self.texts: list[bytes] = []

    def code(self, windows: list[bytes]) -> Iterator[list[int]]:
        """The tokens of each window."""
        raise NotImplementedError

    def check_bytes(self, alphabet: int) -> None:
        """Raise `CodingError` for an alphabet other than the one of bytes."""
        if alphabet != BYTES:
            raise CodingError(f"{self.name} codes bytes, not an alphabet of {alphabet}")

    def pieces(self) -> tuple[Symbols, Int64]:
        """The bytes of every token, end to end, and int64[V + 1], where each starts and ends."""
        return np.frombuffer(b"".join(self.texts), np.uint8), offsets_of(list(map(len, self.texts)))

    def encode(self, symbols: Symbols, bounds: Int64) -> tuple[Tokens, Int64]:
        """The tokens of all windows, and the number of tokens in each."""
        if not self.texts:
            raise CodingError(f"{self.name} has no tokens yet; fit it to a text and load them first")
        made, counts = [np.empty(0, np.uint32)], np.zeros(len(bounds) - 1, np.int64)
        edges = bounds.tolist()
        for first in range(0, len(counts), GROUP):
            group = edges[first : first + GROUP + 1]
            data = symbols[group[0] : group[-1]].astype(np.uint8, copy=False).tobytes()
            windows = [data[low - group[0] : high - group[0]] for low, high in itertools.pairwise(group)]
            for i, tokens in enumerate(self.code(windows)):
                made.append(np.array(tokens, np.uint32))
                counts[first + i] = len(tokens)
        return np.concatenate(made), counts
