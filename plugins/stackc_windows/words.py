"""Where words start and end in bytes: the rule `stackc.api.WORD_RULE` as a table of cuts.

A blank belongs to the word that follows it; bytes of 0x80 and above are letters, so that no character is cut and a word
of any script stays whole. A word ends where letters, digits, punctuation, blanks or line ends meet. Two things depend
on symbols outside the window, so they are not in the table and the encoder cuts there (`stackc_windows.look_ahead`):
the last blank of several belongs to the word, and an apostrophe starts a contraction (`'s`, `'ll`) only after a letter
or digit and before no further letter.
"""

from __future__ import annotations

import numpy as np

from stackc.api import CUT, Int32

BYTES = 256
LETTERS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") | frozenset(range(0x80, 0x100))
DIGITS = frozenset(b"0123456789")
BLANK, APOSTROPHE = frozenset(b" "), frozenset(b"'")
TABS, LINE_ENDS = frozenset(b"\t\v\f"), frozenset(b"\r\n")
MARKS = frozenset(range(BYTES)) - LETTERS - DIGITS - BLANK - TABS - LINE_ENDS

SHORT = {b"s": b"", b"d": b"", b"m": b"", b"t": b"", b"l": b"l", b"v": b"e", b"r": b"e"}
"""The contractions, after the apostrophe: the first letter, and what must follow it."""

# States of the table: what the window holds.
START, ONE_BLANK, BLANKS, WORD, NUMBER, PUNCTUATION, LINES, QUOTE, WHOLE = range(9)
"""`ONE_BLANK`: a single blank, which a word may follow; `QUOTE`: an apostrophe alone; `WHOLE`: a contraction, which
nothing follows. States starting at `HALF`: an apostrophe and the first letter of a contraction of two."""
HALF = 9


def word_table() -> Int32:
    """The rule's table of cuts (`stackc.api.Windowing.table`): int32[12, 256]."""
    halves = [first for first, rest in SHORT.items() if rest]
    table = np.full((HALF + len(halves), BYTES), CUT, np.int32)

    def move(state: int, symbols: frozenset[int] | bytes, to: int) -> None:
        table[state, sorted(symbols)] = to

    for state in (START, ONE_BLANK):
        move(state, LETTERS, WORD)
        move(state, DIGITS, NUMBER)
        move(state, MARKS, PUNCTUATION)
        move(state, BLANK | TABS, BLANKS)
    move(START, BLANK, ONE_BLANK)
    move(START, LINE_ENDS, LINES)
    move(START, APOSTROPHE, QUOTE)
    move(BLANKS, BLANK | TABS, BLANKS)
    move(WORD, LETTERS, WORD)
    move(NUMBER, DIGITS, NUMBER)
    move(PUNCTUATION, MARKS, PUNCTUATION)
    move(LINES, LINE_ENDS, LINES)
    move(QUOTE, MARKS, PUNCTUATION)
    for first, rest in SHORT.items():
        to = HALF + halves.index(first) if rest else WHOLE
        move(QUOTE, first + first.upper(), to)
        if rest:
            move(to, rest + rest.upper(), WHOLE)
    return table


def words_table(words: int) -> Int32:
    """The table of cuts of windows of up to this many words: a state is the word's own, in each word of the window."""
    one = word_table()
    states = len(one)
    table = np.full((words * states, BYTES), CUT, np.int32)
    for number in range(words):
        rows = table[number * states : (number + 1) * states]
        rows[:] = np.where(one == CUT, CUT, one + number * states)
        if number + 1 < words:
            following = np.broadcast_to(one[START] + (number + 1) * states, one.shape)
            rows[one == CUT] = following[one == CUT]
    return table
