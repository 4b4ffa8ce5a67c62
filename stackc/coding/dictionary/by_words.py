"""Encoding word by word, where no text of the dictionary holds more than a word: words met before are looked up.

The codes are those of the walk (`stackc.coding.dictionary.encoding`) that is forced to start where words start. Natural
text repeats its words: it takes one look-up for each, in the place of a step for each byte. A text whose words are new
is left to the walk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from stackc.api.arrays import Int32, Int64, Mask, Symbols
from stackc.api.intrinsics import borrowed
from stackc.api.kernels import kernel
from stackc.api.windowings import CUT
from stackc.api.word_borders import CARRIED, WIDE, more_words
from stackc.api.word_tables import KEY, ask_words, enter_word, find_word, put_codes, word_table
from stackc.coding.dictionary.encoding import walk_one
from stackc.coding.dictionary.marking import segment_end, walk_marked

Row = Any
Index = Any
U = np.uint64

BYTES = 256
"""The alphabet in which words are found."""

ROOM = 4
"""Codes that may be written behind the last one."""

TABLE_BITS = 17
"""A table of 4 MB: fewer slots forget words of ordinary English, more do not stay in the cache."""

PART = 64 * WIDE
"""Bytes whose words are found at a time."""

BLOCK = 256
"""Words that are looked up at a time."""

TRIAL = 1 << 14
"""Symbols that are encoded so before it is asked whether it pays."""

WORD, NEW, NEW_SYMBOL, SYMBOL = 5, 16, 2, 2
"""It pays if the first three times words, new words and their symbols are at most the last times all symbols. Measured:
a walk takes 1.5 to 2.5 ns for a symbol; looking up takes 4 to 7 ns for a word, and 50 more if it is new."""

LEARNING = 1 << 16
"""Words that are entered in any case: to an empty table all words are new."""

LEAST_REST, MOST_REST = 4 * TRIAL, 256 * TRIAL
"""Symbols that are left to the walk where it does not pay: each time twice as many."""

_ONE, _TWO, _THREE = U(1), U(2), U(3)


class Words:
    """The words that one caller has met, at most as many as the table holds.

    Attributes:
        tally: since it was last asked whether it pays: symbols, words, new words and their symbols; and words entered
            ever.
        resting: symbols that are left to the walk before words are looked up again.
        rest: how many they were when this began; 0 since words were looked up for longer.
    """

    def __init__(self) -> None:
        self.table = word_table(TABLE_BITS)
        self.tally = np.zeros(5, np.int64)
        self.resting = self.rest = 0


@kernel
def _pays(tally: Row) -> bool:
    """Whether words are looked up faster than walked, or not many are known."""
    if tally[4] < LEARNING:
        return True
    return bool(WORD * tally[1] + NEW * tally[2] + NEW_SYMBOL * tally[3] <= SYMBOL * tally[0])


@kernel
def obeys(parent: Int32, symbol: Int32, table: Int32) -> bool:
    """Whether a table of cuts (`stackc.api.Windowing.table`) cuts no text of a dictionary."""
    states = np.zeros(len(parent), np.int32)
    for code in range(1, len(parent)):
        states[code] = table[states[parent[code]], symbol[code]]
        if states[code] == CUT:
            return False
    return True


@kernel
def _look_up(
    symbols: Row, places: Row, first: Index, count: Index, words: Row, keys: Row, table: Row, roots: Row, out: Row,
    written: Any, tally: Row,
) -> Any:  # fmt: skip
    """Write the codes of `count` words that were asked for; returns the number of codes in `out`.

    As many codes are copied as a slot holds, whatever the word has: the next word's are written over what is too much.
    """
    words_, keys_, places_, out_ = borrowed((words, keys, places, out))
    held = U(8 // out.itemsize)
    for k in range(U(count)):
        low, high, slot = keys_[U(KEY) * k], keys_[U(KEY) * k + _ONE], keys_[U(KEY) * k + _TWO]
        if (words_[slot] != low or words_[slot + _ONE] != high) and not find_word(words, slot, low, high):
            begin, end = places_[U(first) + k], places_[U(first) + k + _ONE]
            last = U(walk_one(symbols, begin, end, end - begin, table, roots, out, np.int64(written)))
            size, codes = last - written, U(0)
            if size <= held:
                for i in range(size):
                    codes |= U(out_[written + i]) << (i * U(64) // held)
                enter_word(words, slot, low, high, codes, size)
            written = last
            tally[2] += 1
            tally[3] += end - begin
            continue
        put_codes(out_, written, words_[slot + _TWO])
        written += words_[slot + _THREE]
    return written


@kernel
def _segment(
    symbols: Row, begin: Index, end: Index, words: Row, places: Row, keys: Row, before: Row, table: Row, roots: Row,
    out: Row, written: Any, tally: Row,
) -> Any:  # fmt: skip
    """Encode symbols[begin:end], one segment, not empty."""
    filled, block = 0, begin
    while block < end:
        stop = min(block + PART, end)
        filled = more_words(symbols, begin, end, block, stop, places, filled, before)
        block = stop
        count = filled - 1  # the last word may continue
        if stop == end:
            places[filled] = end
            count = filled
        for first in range(0, count, BLOCK):
            here = min(BLOCK, count - first)
            ask_words(symbols, places, first, here, words, keys)
            written = _look_up(symbols, places, first, here, words, keys, table, roots, out, written, tally)
        tally[1] += count
        places[0], filled = places[count], filled - count
    tally[0] += end - begin
    return written


@kernel
def _walk(
    symbols: Row, offsets: Row, low: Index, high: Index, document: Index, segment: Index, words: Row, table: Row,
    roots: Row, out: Row, written: Index, code_offsets: Row, tally: Row,
) -> tuple[Index, Index, Index]:  # fmt: skip
    """Encode symbols[low:high], or the first segments of them if their words are new.

    Returns:
        where it ended, the document there, and the number of codes in `out`.
    """
    places, keys = np.empty(PART + 2, np.int64), np.empty(KEY * BLOCK, np.uint64)
    before = np.empty(CARRIED, np.uint64)
    while document < len(offsets) - 1 and (offsets[document] < high or offsets[document + 1] <= high):
        origin, stop = offsets[document], min(offsets[document + 1], high)
        begin = max(origin, low)
        while begin < stop:
            if tally[0] >= TRIAL:
                pays = _pays(tally)
                tally[4] += tally[2]
                tally[:4] = 0
                if not pays:
                    return begin, document, written
            last = min(begin + segment, stop)
            written = np.int64(
                _segment(symbols, begin, last, words, places, keys, before, table, roots, out, U(written), tally)
            )
            begin = last
        if offsets[document + 1] <= high:
            code_offsets[document + 1] = written
        document += 1
    return high, document, written


def walk_words(
    symbols: Symbols,
    offsets: Int64,
    low: int,
    high: int,
    document: int,
    segment: int,
    cuts: Callable[[int, int], Mask],
    words: Words,
    table: npt.NDArray[np.uint64],
    roots: npt.NDArray[np.uint64],
    out: npt.NDArray[Any],
    code_offsets: Int64,
) -> int:
    """Same as `stackc.coding.dictionary.encoding.walk`, with windows that are forced to start where words do.

    Args:
        cuts: gives bool for symbols[low:high], whole segments: where windows are forced to start that the texts of the
            dictionary do not end themselves.
        out: room for a code for each symbol, and for `ROOM` more.
    """
    written = 0
    while low < high:
        if words.resting <= 0:
            begun = low
            low, document, written = _walk(
                symbols, offsets, low, high, document, segment, words.table, table, roots, out, written, code_offsets,
                words.tally,
            )  # fmt: skip
            if low - begun > LEAST_REST:
                words.rest = 0
            if low < high:
                words.rest = words.resting = min(max(2 * words.rest, LEAST_REST), MOST_REST)
            continue
        end = segment_end(offsets, low, high, segment, words.resting)
        written = walk_marked(
            symbols, offsets, low, end, segment, 0, cuts(low, end), table, roots, out, code_offsets, written
        )
        words.resting -= end - low
        low = end
        document = int(np.searchsorted(offsets[1:], low, "right"))
    return written
