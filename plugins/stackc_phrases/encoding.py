"""Encoding: the words of a window are looked up first, then joined to phrases. `stackc_phrases.twin` says it plainly.

Why in passes over blocks: look-ups of words do not depend on each other, so the lines of the cache that they need are
asked for beforehand, and the processor waits for many at once. What joins words to phrases reads only what was found.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stackc.api import borrowed, eight_bytes, find_words, inlined, kernel, prefetch
from stackc_phrases.lookup import (
    BEGINS_AT,
    COUNT,
    COUNT_AT,
    FAR,
    LOW_32,
    MASKS,
    NONE,
    REFERENCE,
    SHORT,
    SLOT,
    TO_HIGH,
    WORD_AT,
    U,
    cost_of_word,
    cut_cheapest,
    learn,
    may_continue,
    pair_key,
    pair_slot,
    top_of,
    word_key,
    word_slot,
)

Row = Any
Index = Any  # an integer; a checker does not know the types that numba keeps apart

BLOCK = 256
"""Words that are looked up at a time."""

_ONE = U(1)
_BEGINS = _ONE << BEGINS_AT


@kernel
def ask(text: Row, places: Row, first: Index, count: Index, table: Row, keys: Row) -> None:
    """Write the keys and slots of words first .. first + count to `keys`, and ask for the slots' lines.

    Words of more than `SHORT` bytes have a key of 0 and the last slot, which holds nothing.
    """
    text_, places_, table_, keys_, masks = borrowed((text, places, table, keys, MASKS))
    last = len(text) - 16
    mask = top_of(table) // U(SLOT)
    nowhere = top_of(table) + _ONE
    for k in range(U(count)):
        begin = places_[U(first) + k]
        size = U(places_[U(first) + k + _ONE] - begin)
        low, high = U(0), U(0)
        if size <= U(SHORT):
            if begin <= last:
                low = eight_bytes(text_, U(begin)) & masks[min(size, U(8))]
                high = (eight_bytes(text_, U(begin + 8)) & masks[max(size, U(8)) - U(8)]) | size << U(56)
            else:
                low, high = word_key(text, begin, np.int64(size))
        slot = nowhere if high == U(0) else word_slot(low, high, mask)
        keys_[U(4) * k], keys_[U(4) * k + _ONE], keys_[U(4) * k + U(2)] = low, high, slot
        prefetch(table_, slot)


@kernel
def answer(
    text: Row, places: Row, first: Index, count: Index, costs: Row, sizes: Row, parts: Row, part: Row,
    table: Row, runs: Row, filled: Row, trie: Row, sieve: Row, keys: Row, found: Row, prices: Row,
) -> None:  # fmt: skip
    """Write what the table knows of the words that were asked for to found[first + 1:], after that of the word before.

    A word that begins a phrase keeps that flag only if the word after it may continue one; `prices` has what words
    cost. A word that is not known has 0.
    """
    table_, trie_, sieve_, keys_, found_ = borrowed((table, trie, sieve, keys, found))
    top, mask = top_of(table), U(len(trie) // 2 - 1)
    before = found_[U(first)]
    for k in range(U(count)):
        low, high, slot = keys_[U(4) * k], keys_[U(4) * k + _ONE], keys_[U(4) * k + U(2)]
        while table_[slot] != low or table_[slot + _ONE] != high:
            if table_[slot + _ONE] == U(0):
                slot = learn(
                    text, places[U(first) + k], np.int64(high >> U(56)), U(0), True, costs, sizes, parts, part, table,
                    runs, filled,
                )  # fmt: skip
                break
            slot = (slot + U(SLOT)) & top
        known = table_[slot + U(2)]
        prices[U(first) + k] = table_[slot + U(3)]
        wanted = pair_key(before >> WORD_AT, known >> WORD_AT)
        may = may_continue(wanted, sieve_) & (before >> BEGINS_AT)
        prefetch(trie_, pair_slot(wanted, mask) * U(2) * may)
        found_[U(first) + k] = (before & ~_BEGINS) | may << BEGINS_AT
        before = known
    found_[U(first) + U(count)] = before


@inlined
def longest_window(bounds: Row) -> Index:
    """Symbols in the longest window."""
    most = 0
    for i in range(len(bounds) - 1):
        most = max(most, bounds[i + 1] - bounds[i])
    return most


@kernel
def parse(
    count: Index, costs: Row, trie: Row, sieve: Row, found: Row, prices: Row, best: Row, last: Row
) -> None:  # fmt: skip
    """The parse of least cost of `count` words: last[i] is NONE if it ends in word i - 1, or ``token << 8 | words``.

    Of parses of equal cost the one whose last piece is longest, and so on to the front.
    """
    trie_, sieve_, found_ = borrowed((trie, sieve, found))
    mask = U(len(trie) // 2 - 1)
    best[0] = 0
    for i in range(1, count + 1):
        best[i] = FAR
    for i in range(count):
        here = best[i]
        if here + prices[i] < best[i + 1]:
            best[i + 1], last[i + 1] = here + prices[i], NONE
        if not found_[U(i + 1)] & _BEGINS:
            continue
        node, step = found_[U(i + 1)] >> WORD_AT, 1
        while i + step < count and found_[U(i + step + 1)] != U(0):
            wanted = pair_key(node, found_[U(i + step + 1)] >> WORD_AT)
            if may_continue(wanted, sieve_) == U(0):
                break
            slot = pair_slot(wanted, mask) * U(2)
            while trie_[slot] != wanted and trie_[slot] != U(0):
                slot = (slot + U(2)) & (mask * U(2) + _ONE)
            value = trie_[slot + _ONE]
            if value == U(0):
                break
            step += 1
            node = value >> TO_HIGH
            if value & LOW_32:
                token = np.int64(value & LOW_32) - 1
                if here + costs[token] < best[i + step]:
                    best[i + step], last[i + step] = here + costs[token], token << 8 | step


@kernel
def encode_cheapest(
    text: Row, bounds: Row, costs: Row, sizes: Row, parts: Row, part: Row, trie: Row, sieve: Row, table: Row,
    runs: Row, filled: Row, out: Row, counts: Row,
) -> Index:  # fmt: skip
    """Cut windows into the pieces that cost least together (`parse`).

    Arguments and result: see `stackc_phrases.longest.encode_longest`.
    """
    most = longest_window(bounds)
    places, found, keys = np.empty(most + 1, np.int64), np.empty(most + 2, np.uint64), np.empty(4 * BLOCK, np.uint64)
    prices, best, last = np.empty(most + 1, np.int64), np.empty(most + 1, np.int64), np.empty(most + 1, np.int64)
    inner, chosen = np.empty(most + 1, np.int64), np.empty(most + 1, np.int64)
    written = 0
    for window in range(len(counts)):
        count = find_words(text, bounds[window], bounds[window + 1], places, 0)
        places[count] = bounds[window + 1]
        before = written
        found[0] = 0
        for first in range(0, count, BLOCK):
            here = min(BLOCK, count - first)
            ask(text, places, first, here, table, keys)
            answer(
                text, places, first, here, costs, sizes, parts, part, table, runs, filled, trie, sieve, keys,
                found, prices,
            )  # fmt: skip
        found[count] &= ~_BEGINS
        for i in range(count):
            if found[i + 1] == 0:
                prices[i] = cost_of_word(text, places[i], places[i + 1], parts, part, costs, inner, chosen)
        parse(count, costs, trie, sieve, found, prices, best, last)
        # Backwards to find the pieces, whose ends are left in `best`, then forwards to write them.
        at, pieces = count, 0
        while at > 0:
            best[pieces] = at
            pieces += 1
            at -= 1 if last[at] == NONE else last[at] & 255
        for k in range(pieces - 1, -1, -1):
            at = best[k]
            if last[at] != NONE:
                out[written] = last[at] >> 8
                written += 1
                continue
            known, low, high = found[at], places[at - 1], places[at]
            tokens = np.int64((known >> COUNT_AT) & COUNT)
            reference = np.int64(known & REFERENCE)
            if tokens == 1:
                out[written] = reference
                written += 1
            elif tokens == 0:
                cost_of_word(text, low, high, parts, part, costs, inner, chosen)
                written = cut_cheapest(high - low, chosen, sizes, out, written)
            else:
                for j in range(tokens):
                    out[written] = runs[reference + j]
                    written += 1
        counts[window] = written - before
    return written
