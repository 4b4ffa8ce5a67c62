"""The candidates of a text: its words, parts of words, and phrases, with how often each occurs."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np

from stackc.api import Int32, Int64, Mask, Text, Uint8, offsets_of
from stackc_phrases import counting
from stackc_phrases.counting import CHUNK, LENGTH_BITS, NONE
from stackc_phrases.pieces import LONGEST, PHRASE_WORD

PART = 16
"""Bytes in a part of a word, at most; whole words may be longer."""


@attrs.frozen(eq=False)
class Words:
    """The distinct words of a text, most frequent first, and the text as their numbers.

    Attributes:
        begins, ends: int64[W], where each stands first.
        counts: int64[W].
        text: the number of each word of the text, NONE between chunks.
    """

    begins: Int64
    ends: Int64
    counts: Int64
    text: Int32


@attrs.frozen(eq=False)
class Parts:
    """Parts of words, of two bytes or more: int64[P] each."""

    begins: Int64
    lengths: Int64
    counts: Int64


@attrs.frozen(eq=False)
class Phrases:
    """Phrases as nodes of a trie whose first W nodes are the words: int64[Q] each, shorter phrases first.

    Attributes:
        parents: the node of the phrase without its last word.
        lasts: its last word.
        sizes: its words.
        counts: how often it occurs.
        lengths: its bytes.
    """

    parents: Int64
    lasts: Int64
    sizes: Int64
    counts: Int64
    lengths: Int64


def sampled(train: Text, sample: int) -> tuple[Uint8, Int64]:
    """(bytes, int64[C + 1]): chunks of the documents, all of them or about `sample` bytes, evenly spread."""
    starts, ends = [], []
    for low, high in zip(train.offsets[:-1].tolist(), train.offsets[1:].tolist(), strict=True):
        starts += list(range(low, high, CHUNK))
        ends += [min(start + CHUNK, high) for start in range(low, high, CHUNK)]
    total = sum(ends) - sum(starts)
    wanted = len(starts) if total <= sample else max(1, len(starts) * sample // total)
    chosen = [i * len(starts) // wanted for i in range(wanted)]
    bounds = offsets_of([ends[i] - starts[i] for i in chosen])
    out = np.empty(int(bounds[-1]), np.uint8)
    for low, i in zip(bounds.tolist(), chosen, strict=False):
        out[low : low + ends[i] - starts[i]] = train.symbols[starts[i] : ends[i]]
        if i % 256 == 0:
            train.release()
    train.release()
    return out, bounds


def _table(entries: int) -> tuple[Any, Int64, Int64]:
    """(keys, counts, firsts) of a table with at least `entries` slots, a power of two."""
    slots = 1 << (entries - 1).bit_length()
    return np.zeros(slots, np.uint64), np.zeros(slots, np.int64), np.zeros(slots, np.int64)


def _ranked(keys: Any, counts: Int64, firsts: Int64, least: int) -> Int64:
    """The slots of all entries that were counted `least` times or more, the most frequent first."""
    slots = np.flatnonzero((keys != 0) & (counts >= least))
    return slots[np.lexsort((firsts[slots], -counts[slots]))]


def _numbered(slots: Int64, size: int) -> Int32:
    numbers = np.full(size, NONE, np.int32)
    numbers[slots] = np.arange(len(slots), dtype=np.int32)
    return numbers


def find_words(text: Uint8, offsets: Int64, entries: int) -> Words:
    """The words of documents text[offsets[i]:offsets[i + 1]]."""
    keys, counts, firsts = _table(entries)
    total = counting.count_words(text, offsets, keys, counts, firsts)
    slots = _ranked(keys, counts, firsts, 1)
    out = np.empty(total, np.int32)
    counting.number_words(text, offsets, keys, _numbered(slots, len(keys)), out)
    begins = firsts[slots] >> LENGTH_BITS
    return Words(begins, begins + (firsts[slots] & (1 << LENGTH_BITS) - 1), counts[slots], out)


def find_parts(text: Uint8, words: Words, least: int, entries: int) -> Parts:
    """The parts of words that occur `least` times or more."""
    keys, counts, firsts = _table(entries)
    counting.count_parts(text, words.begins, words.ends, words.counts, PART, LONGEST, keys, counts, firsts)
    slots = _ranked(keys, counts, firsts, least)
    return Parts(firsts[slots] >> LENGTH_BITS, firsts[slots] & (1 << LENGTH_BITS) - 1, counts[slots])


def find_phrases(words: Words, most: int, least: int, entries: int) -> Phrases:
    """The phrases of up to `most` words that occur `least` times or more, and so does every shorter phrase in them."""
    lengths = words.ends - words.begins
    usable: Mask = (words.counts >= least) & (lengths <= PHRASE_WORD)
    text = np.where((words.text >= 0) & usable[words.text], words.text, np.int32(NONE))
    shorter = text.copy()
    keys, counts, firsts = _table(entries)
    # Of the phrases one word shorter: their lengths, and the node of the first.
    above, base, free = lengths, 0, len(lengths)
    rows = [np.empty((5, 0), np.int64)]
    for size in range(2, most + 1):
        keys[:] = 0
        counting.count_pairs(text, shorter, size, keys, counts, firsts)
        slots = _ranked(keys, counts, firsts, least)
        if not len(slots):
            break
        counting.number_pairs(text, shorter, size, keys, _numbered(slots, len(keys)))
        pairs = keys[slots] - np.uint64(1)
        parents, lasts = (pairs >> np.uint64(32)).astype(np.int64), (pairs & np.uint64(0xFFFFFFFF)).astype(np.int64)
        above = above[parents] + lengths[lasts]
        rows.append(np.stack([parents + base, lasts, np.full(len(slots), size), counts[slots], above]))
        base, free = free, free + len(slots)
    return Phrases(*(np.ascontiguousarray(row) for row in np.concatenate(rows, axis=1)))
