"""Word starts that depend on symbols outside the window, compiled. The rule is in `stackc_windows.words`.

Two passes. The first is written without tables and branches, so that the compiler makes vectors of it: it marks blanks
that belong to a word, and letters after an apostrophe. The second visits the marks, which are few, and removes those
of contractions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stackc.api import CUT, kernel
from stackc_windows.words import BYTES, DIGITS, LETTERS, SHORT

Row = Any  # an array

BLANK, APOSTROPHE, TAB, LINE_FEED, RETURN, SMALL_A, SMALL_Z = map(ord, " '\t\n\raz")
TO_SMALL = 0x20
"""The bit in which an upper-case ASCII letter differs from its lower-case one."""

NONE = 0xFF
"""In `RESTS`: not a letter of a contraction."""


def _rests() -> Any:
    """The letter that must follow the first one of a contraction, both in lower case; 0: nothing. uint8[256]."""
    rests = np.full(BYTES, NONE, np.uint8)
    for first, rest in SHORT.items():
        rests[ord(first)] = ord(rest) if rest else 0
    return rests


def _members(symbols: frozenset[int]) -> Any:
    return np.isin(np.arange(BYTES), sorted(symbols))


RESTS, IS_LETTER, IS_WORD = _rests(), _members(LETTERS), _members(LETTERS | DIGITS)


@kernel
def _is_short(symbols: Row, begin: int, end: int, i: int) -> bool:
    """Whether the letter symbols[i], after an apostrophe, makes a contraction of it, in the segment begin .. end."""
    if i - 2 < begin or not IS_WORD[symbols[i - 2]]:
        return False
    rest = np.int64(RESTS[symbols[i] | TO_SMALL])
    after = i + 1
    if rest == NONE:
        return False
    if rest:
        if after == end or (np.int64(symbols[after]) | TO_SMALL) != rest:
            return False
        after += 1
    return after == end or not IS_LETTER[symbols[after]]


@kernel
def _mark(symbols: Row, cuts: Row) -> None:
    """The first pass, without the first and the last symbol."""
    for i in range(1, len(symbols) - 1):
        before, here, after = symbols[i - 1], symbols[i], symbols[i + 1]
        space = (before == BLANK) | ((before >= TAB) & (before < RETURN) & (before != LINE_FEED))
        word = (after != BLANK) & ((after < TAB) | (after > RETURN))
        small = here | TO_SMALL
        letter = (small >= SMALL_A) & (small <= SMALL_Z)
        cuts[i] = ((here == BLANK) & space & word) | ((before == APOSTROPHE) & letter)


@kernel
def look_ahead(symbols: Row, edges: Row, cuts: Row, words: Row) -> None:
    """Set cuts[i] where a word starts for which the table of cuts would not end the window.

    Args:
        symbols: bytes [n], in any integer type.
        edges: int64[s + 1], where the segments start and end; they are contiguous and not empty.
        cuts: bool[n] of zeros.
        words: uint64, the memory of `cuts` and up to seven bytes more.
    """
    _mark(symbols, cuts)
    for k in range(len(edges) - 1):  # what crosses the border of a segment is not seen
        begin, last = edges[k], edges[k + 1] - 1
        letter = SMALL_A <= symbols[last] | TO_SMALL <= SMALL_Z
        cuts[last] = last > begin and symbols[last - 1] == APOSTROPHE and letter
        cuts[begin] = False
    k = 0
    for place in range(len(words)):
        if words[place] == 0:
            continue
        for i in range(8 * place, min(8 * place + 8, len(cuts))):
            if not cuts[i] or symbols[i - 1] != APOSTROPHE:
                continue
            while edges[k + 1] <= i:
                k += 1
            cuts[i] = not _is_short(symbols, edges[k], edges[k + 1], i)


@kernel
def word_starts(symbols: Row, edges: Row, table: Row, starts: Row) -> None:
    """Add the word starts that the table of cuts knows of to those of `look_ahead`."""
    for k in range(len(edges) - 1):
        state = np.int64(0)
        for i in range(edges[k], edges[k + 1]):
            longer = np.int64(table[state, symbols[i]])
            starts[i] = i == edges[k] or starts[i] or longer == CUT
            state = np.int64(table[0, symbols[i]]) if starts[i] else longer
