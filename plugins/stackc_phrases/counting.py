"""Counting candidates: words, parts of words, and phrases, in tables of bounded size.

Three quarters of a table's slots may be used. When one more entry would not fit, the rarest go: first all that were
seen once, then all that were seen twice, and so on, until at least half of the entries have gone. An entry that is
dropped and occurs again is counted from 0. The order of the text alone decides, so the counts are the same on every
machine.

Texts are compared by 64-bit hashes and lengths: two that agree in both would share a count, and nothing else.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stackc.api import borrowed, find_words, inlined, kernel

Row = Any
Index = Any  # an integer; a checker does not know the types that numba keeps apart
U = np.uint64
BASIS, _PRIME = U(0xCBF29CE484222325), U(0x100000001B3)
_MIX = U(0x9E3779B97F4A7C15)
NONE = -1

CHUNK = 1 << 16
"""Bytes of a document that are cut into words at a time; a word ends with them."""

LENGTH_BITS = 20
"""Of a length, in a number that holds a place and a length."""


@inlined
def hashed(before: Any, byte: Any) -> Any:
    """The hash of a text and one byte more (FNV-1a); `BASIS` is that of nothing."""
    return (before ^ U(byte)) * _PRIME


@inlined
def slot_of(key: Any, mask: Any) -> Any:
    """Where to look for a key first."""
    mixed = key * _MIX
    return np.int64((mixed ^ (mixed >> U(32))) & U(mask))


@inlined
def text_hash(text: Row, begin: Index, end: Index) -> Any:
    key = BASIS
    for at in range(begin, end):
        key = hashed(key, text[at])
    return key | U(1)  # 0 marks an empty slot


@inlined
def find(keys: Row, key: Any) -> Index:
    """The slot of a key, or the empty slot where it would be."""
    mask = len(keys) - 1
    slot = slot_of(key, mask)
    while keys[slot] != 0 and keys[slot] != key:
        slot = (slot + 1) & mask
    return slot


@kernel
def thinned(keys: Row, counts: Row, firsts: Row, filled: Index) -> Index:
    """Drop the rarest until at most half of the entries are left; returns how many."""
    least = 0
    kept = filled
    while 2 * kept > filled:
        least += 1
        kept = 0
        for slot in range(len(keys)):
            kept += keys[slot] != 0 and counts[slot] > least
    old_keys, old_counts, old_firsts = keys.copy(), counts.copy(), firsts.copy()
    keys[:] = 0
    for slot in range(len(old_keys)):
        if old_keys[slot] != 0 and old_counts[slot] > least:
            to = find(keys, old_keys[slot])
            keys[to], counts[to], firsts[to] = old_keys[slot], old_counts[slot], old_firsts[slot]
    return kept


@inlined
def counted(keys: Row, counts: Row, firsts: Row, filled: Index, key: Any, by: Index, first: Index) -> Index:
    """Count a key; returns how many entries the table holds."""
    slot = find(keys, key)
    if keys[slot] == 0:
        if 4 * (filled + 1) > 3 * len(keys):
            filled = thinned(keys, counts, firsts, filled)
            slot = find(keys, key)
        keys[slot], counts[slot], firsts[slot] = key, by, first
        filled += 1
    else:
        counts[slot] += by
    return filled


@kernel
def count_words(text: Row, offsets: Row, keys: Row, counts: Row, firsts: Row) -> Index:
    """Count the words of all documents, chunk by chunk; `firsts` are begin << LENGTH_BITS | length of the first.

    Returns:
        how many numbers `number_words` writes.
    """
    text, keys, counts, firsts = borrowed((text, keys, counts, firsts))
    places = np.empty(CHUNK + 1, np.int64)
    filled, total = 0, 0
    for document in range(len(offsets) - 1):
        for begin in range(offsets[document], offsets[document + 1], CHUNK):
            end = min(begin + CHUNK, offsets[document + 1])
            count = find_words(text, begin, end, places, 0)
            places[count] = end
            for i in range(count):
                low, high = places[i], places[i + 1]
                key = text_hash(text, low, high)
                filled = counted(keys, counts, firsts, filled, key, 1, low << LENGTH_BITS | (high - low))
            total += count + 1
    return total


@kernel
def number_words(text: Row, offsets: Row, keys: Row, numbers: Row, out: Row) -> None:
    """Write the number of each word of the text: NONE for what was dropped, and after each chunk."""
    text, keys, numbers, out = borrowed((text, keys, numbers, out))
    places = np.empty(CHUNK + 1, np.int64)
    at = 0
    for document in range(len(offsets) - 1):
        for begin in range(offsets[document], offsets[document + 1], CHUNK):
            end = min(begin + CHUNK, offsets[document + 1])
            count = find_words(text, begin, end, places, 0)
            places[count] = end
            for i in range(count):
                slot = find(keys, text_hash(text, places[i], places[i + 1]))
                out[at + i] = numbers[slot] if keys[slot] != 0 else NONE
            out[at + count] = NONE
            at += count + 1


@kernel
def count_parts(
    text: Row, begins: Row, ends: Row, uses: Row, longest: Index, limit: Index, keys: Row, counts: Row, firsts: Row
) -> None:  # fmt: skip
    """Count the parts of two to `longest` bytes of distinct words, and whole words of up to `limit`.

    Args:
        uses: how often each word occurs.
        firsts: filled with begin << LENGTH_BITS | length of an occurrence.
    """
    text, keys, counts, firsts = borrowed((text, keys, counts, firsts))
    filled = 0
    for word in range(len(begins)):
        begin, end = begins[word], ends[word]
        for low in range(begin, end):
            key = BASIS
            for high in range(low + 1, min(low + longest, end) + 1):
                key = hashed(key, text[high - 1])
                if high - low > 1:
                    place = low << LENGTH_BITS | (high - low)
                    filled = counted(keys, counts, firsts, filled, key | U(1), uses[word], place)
        if longest < end - begin <= limit:
            place = begin << LENGTH_BITS | (end - begin)
            filled = counted(keys, counts, firsts, filled, text_hash(text, begin, end), uses[word], place)


@kernel
def count_pairs(words: Row, shorter: Row, size: Index, keys: Row, counts: Row, firsts: Row) -> None:
    """Count phrases of `size` words: a shorter phrase and one more word, if both shorter phrases in it are known.

    Args:
        shorter: the number of the phrase of size - 1 words that begins at each word, or NONE.
    """
    words, shorter, keys, counts, firsts = borrowed((words, shorter, keys, counts, firsts))
    filled = 0
    for at in range(len(words) - size + 1):
        if shorter[at] >= 0 and words[at + size - 1] >= 0 and (size == 2 or shorter[at + 1] >= 0):
            key = (U(shorter[at]) << U(32) | U(words[at + size - 1])) + U(1)
            filled = counted(keys, counts, firsts, filled, key, 1, at)


@kernel
def number_pairs(words: Row, shorter: Row, size: Index, keys: Row, numbers: Row) -> None:
    """Replace in `shorter` the numbers of phrases of size - 1 words by those of phrases one word longer."""
    words, shorter, keys, numbers = borrowed((words, shorter, keys, numbers))
    for at in range(len(words)):
        longer = NONE
        if at + size <= len(words) and shorter[at] >= 0 and words[at + size - 1] >= 0:
            key = (U(shorter[at]) << U(32) | U(words[at + size - 1])) + U(1)
            slot = find(keys, key)
            if keys[slot] != 0:
                longer = numbers[slot]
        shorter[at] = longer
