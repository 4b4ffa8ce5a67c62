"""Texts of several tries in one, with the sums of their counts.

Legend: N texts of one length.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stackc.api import Int64
from stackc_counted.trie import Trie

MOST_PLACES = 1 << 28
"""Places whose counts a trie holds as they are: in sixteenths they fill 32 bits."""


class Union:
    """Texts with their counts, prefix-closed. Over an alphabet of A symbols.

    Attributes:
        levels: of each length, starting with 1, (keys, counts), int64[N] each. A key is the number of the text's prefix
            among the texts one shorter, times A, plus its last symbol: so keys ascend as texts do.
    """

    def __init__(self, alphabet: int) -> None:
        self.alphabet = alphabet
        self.levels: list[tuple[Int64, Int64]] = []

    def __len__(self) -> int:
        return sum(len(keys) for keys, _ in self.levels)

    def add(self, trie: Trie) -> None:
        """Add the texts of a trie, and their counts."""
        first, low, high = trie.first, 0, 1  # the trie's texts of one length are its nodes low .. high - 1
        own, other = np.zeros(1, np.int64), np.zeros(1, np.int64)  # where texts one shorter are now
        for depth in range(len(self.levels) + len(trie)):
            low, high, edges = int(first[low]), int(first[high]), first[low : high + 1].astype(np.int64)
            known = self.levels[depth] if depth < len(self.levels) else (np.zeros(0, np.int64),) * 2
            if low == high and not len(known[0]):
                return
            before = own[known[0] // self.alphabet] * self.alphabet + known[0] % self.alphabet
            found = np.repeat(other, np.diff(edges)) * self.alphabet + trie.symbol[low:high]
            keys = np.union1d(before, found)
            own, other = np.searchsorted(keys, before), np.searchsorted(keys, found)
            counts = np.zeros(len(keys), np.int64)
            counts[own] += known[1]
            counts[other] += trie.count[low:high]
            self.levels[depth : depth + 1] = [(keys, counts)]

    def trie(self, places: int, least: int) -> Trie:
        """The texts that occur at least `least` times, of `places`.

        More than `MOST_PLACES` are too many for a trie: then all counts are halved, rounded down, until they fit.
        """
        spare = max(0, (places - 1).bit_length() - (MOST_PLACES - 1).bit_length())
        levels: list[tuple[npt.NDArray[Any], ...]] = []
        numbers = np.zeros(1, np.int64)  # of the texts one shorter, among those that are kept; -1: it is not
        before = 1
        for keys, counts in self.levels:
            kept = counts >= least
            parents = numbers[keys[kept] // self.alphabet]
            levels.append((
                np.bincount(parents, minlength=before), keys[kept] % self.alphabet, counts[kept] >> spare
            ))  # fmt: skip
            numbers = np.where(kept, np.cumsum(kept) - 1, -1)
            before = int(kept.sum())
            if not before:
                break
        return Trie.of_levels(places >> spare, levels)
