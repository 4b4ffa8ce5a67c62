"""Texts of several tries in one, so that a text too long for memory is counted a shard at a time.

A text that occurs `least` times in P places occurs ceil(least p / P) times in a shard of p places, for at least one of
the shards (Savasere, Omiecinski and Navathe, 1995). So every shard's texts of that many occurrences are collected, and
those alone are counted in all shards: exact, however the text is divided.

Legend: N texts of one length.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from stackc.api import Int64, kernel
from stackc_counted.mixing import child
from stackc_counted.trie import Trie

Row = Any

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

    def counted_anew(self, counts: Int64) -> Union:
        """The same texts with other counts, in the order of `trie`, without the empty text's."""
        made, at = Union(self.alphabet), 0
        for keys, _ in self.levels:
            made.levels.append((keys, counts[at : at + len(keys)]))
            at += len(keys)
        return made

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


def count_known(trie: Trie, symbols: Row, offsets: Int64, places: Int64 | None, length: int, threads: int = 1) -> Int64:
    """How often each text of a trie begins at `places` (None: everywhere), none across a piece's end: int64[N].

    The empty text is not counted, and is left out of the result. The trie holds no text longer than `length`.
    `threads`: speed only.
    """
    ends = np.zeros(len(symbols), np.int32)
    nearest_ends(np.asarray(offsets, np.int64), length, ends)

    def counted(some: Int64) -> Int64:
        counts = np.zeros(len(trie), np.int64)
        walk(trie.table, symbols, ends, some, counts)
        return counts

    with ThreadPoolExecutor(threads) as pool:
        every = np.arange(len(symbols)) if places is None else places
        total: Int64 = sum(pool.map(counted, np.array_split(every, threads)), np.zeros(len(trie), np.int64))
    return total[1:]


@kernel
def nearest_ends(offsets: Row, length: int, ends: Row) -> None:
    """How many symbols from each place on are in its piece, at most `length`."""
    for piece in range(len(offsets) - 1):
        for at in range(offsets[piece], offsets[piece + 1]):
            ends[at] = min(length, offsets[piece + 1] - at)


@kernel
def walk(trie: Row, symbols: Row, ends: Row, places: Row, counts: Row) -> None:
    """Count every text of the trie that begins at one of the places."""
    for place in places:
        node = np.int64(0)
        for at in range(place, place + ends[place]):
            node = child(trie, node, np.int64(symbols[at]))
            if node < 0:
                break
            counts[node] += 1
