"""Counting texts: how often each short text begins at the given places of a long one.

Breadth first: places are kept grouped by the text that begins there, and every pass splits each group by one symbol
more. Rare texts are dropped as soon as they are known, so a pass touches only places that still matter.

Legend: n symbols, P places, G groups (texts of one length).
"""

from __future__ import annotations

import functools
import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from stackc.api import Int64, kernel
from stackc_counted.trie import Trie

Places = Int64
Row = Any  # an array of one of several integer types

_WORTH_THREADS = 1 << 16
"""Places below which a pass is not shared out among threads."""


def count_texts(
    symbols: npt.NDArray[Any], offsets: Places, places: Places | None, *, alphabet: int, least: int, length: int,
    threads: int = 1,
) -> Trie:  # fmt: skip
    """The texts of up to `length` symbols that begin at `places` at least `least` times, none across a piece's end.

    Args:
        symbols: n integers below the alphabet size, one piece after another.
        offsets: int64[D + 1], where pieces start and end.
        places: where texts begin; None: everywhere.
        threads: speed only.
    """
    places = np.arange(len(symbols)) if places is None else places
    kind = np.int32 if len(symbols) < 1 << 31 else np.int64
    here, there = places.astype(kind), np.empty(len(places), kind)
    ends = end_bits(len(symbols), offsets)
    starts, sizes = np.zeros(1, np.int64), np.array([len(places)], np.int64)
    levels: list[tuple[npt.NDArray[Any], ...]] = []
    with ThreadPoolExecutor(threads) as pool:
        for depth in range(length):
            children, found, sizes, starts = split_all(
                pool, threads, symbols, ends, depth, least, alphabet, here, there, starts, sizes
            )
            levels.append((children, found, sizes))
            here, there = there, here
            if not len(found):
                break
    return Trie.of_levels(len(places), levels)


def split_all(
    pool: ThreadPoolExecutor, threads: int, symbols: npt.NDArray[Any], ends: Row, depth: int, least: int, alphabet: int,
    here: Row, there: Row, starts: Places, sizes: Places,
) -> tuple[npt.NDArray[Any], ...]:  # fmt: skip
    """`_split` of all groups, in threads."""
    parts = _shares(sizes, threads if int(sizes.sum()) >= _WORTH_THREADS else 1)
    groups = [(starts[part], sizes[part]) for part in parts]
    split = functools.partial(_split, symbols, ends, depth, least, alphabet, here, there)
    return tuple(np.concatenate(arrays) for arrays in zip(*pool.map(split, groups), strict=True))


def end_bits(symbols: int, offsets: Places) -> Row:
    """A bit for each place at which a piece ends."""
    ends = np.zeros(symbols // 8 + 1, np.uint8)
    set_bits(ends, np.asarray(offsets, np.int64))
    return ends


def _split(
    symbols: npt.NDArray[Any], ends: Row, depth: int, least: int, alphabet: int, here: Row, there: Row,
    groups: tuple[Places, Places],
) -> tuple[npt.NDArray[Any], ...]:  # fmt: skip
    """One thread's groups: (children of each; the texts' symbols, sizes and spans of `there`)."""
    starts, sizes = groups
    most = int(np.minimum(sizes // least, alphabet).sum())
    found = np.empty(most, np.uint32), np.empty(most, np.int64), np.empty(most, np.int64)
    children, seen = np.zeros(len(starts), np.int64), np.zeros(alphabet, np.int64)
    count = split_groups(symbols, ends, depth, least, here, starts, sizes, there, seen, children, *found)
    return children, *(array[:count] for array in found)


def _shares(sizes: Places, parts: int) -> list[slice]:
    """Runs of groups with about as many places each."""
    ends = np.cumsum(sizes)
    cuts = np.searchsorted(ends, ends[-1] * np.arange(1, parts) // parts) if len(ends) else []
    bounds = [0, *(int(cut) for cut in cuts), len(sizes)]
    return [slice(first, last) for first, last in itertools.pairwise(bounds)]


# --------------------------------------------------------------------------------------------------
# Kernels


@kernel
def set_bits(bits: Row, at: Row) -> None:
    for i in at:
        bits[i >> 3] |= np.uint8(1 << (i & 7))


@kernel
def split_groups(
    symbols: Row, ends: Row, depth: int, least: int, here: Row, starts: Row, sizes: Row, there: Row, seen: Row,
    children: Row, found: Row, found_sizes: Row, found_starts: Row,
) -> int:  # fmt: skip
    """Split each group by the symbol at `depth`; a group's places stay within its own span, the kept ones in front.

    Args:
        here, there: places, before and after.
        starts, sizes: int64[G], each group's span of `here`.
        seen: int64[A] of zeros, which it is again at the end.
        children: int64[G], filled: how many texts of at least `least` places come from each group.
        found, found_sizes, found_starts: filled: their symbols, ascending in each group, and their spans of `there`.
    """
    written = 0
    most = 0
    for size in sizes:
        most = max(most, size)
    read = np.empty(most, symbols.dtype)  # each place's symbol, so that the text is visited once
    alive = np.empty(most, here.dtype)
    touched = np.empty(min(most, len(seen)), np.uint32)
    for g in range(len(starts)):
        count = kinds = 0
        for i in range(starts[g], starts[g] + sizes[g]):
            at = here[i] + depth
            if at >= len(symbols) or (depth > 0 and (ends[at >> 3] >> (at & 7)) & 1):
                continue
            symbol = symbols[at]
            read[count] = symbol
            alive[count] = here[i]
            count += 1
            if seen[symbol] == 0:
                touched[kinds] = symbol
                kinds += 1
            seen[symbol] += 1
        chosen = np.sort(touched[:kinds])
        begin = starts[g]
        for symbol in chosen:
            size = seen[symbol]
            if size < least:
                seen[symbol] = -1
                continue
            found[written] = symbol
            found_sizes[written] = size
            found_starts[written] = begin
            seen[symbol] = begin
            begin += size
            written += 1
            children[g] += 1
        for i in range(count):
            to = seen[read[i]]
            if to >= 0:
                there[to] = alive[i]
                seen[read[i]] = to + 1
        for symbol in chosen:
            seen[symbol] = 0
    return written
