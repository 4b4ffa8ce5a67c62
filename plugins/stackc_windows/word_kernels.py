"""Word starts that need a look ahead, compiled. The rule is in `stackc_windows.words`."""

from __future__ import annotations

from typing import Any

import numpy as np

from stackc.api import kernel
from stackc_windows.words import APOSTROPHE, BLANK, BYTES, DIGITS, LETTERS, LINE_ENDS, SHORT, TABS

IS_BLANK, IS_TAB, IS_LINE_END, IS_LETTER, IS_DIGIT, IS_APOSTROPHE, OPENS_SHORT = (1 << i for i in range(7))


def _kinds() -> Any:
    """What each byte is: uint8[256]."""
    kinds = np.zeros(BYTES, np.uint8)
    sets = [BLANK, TABS, LINE_ENDS, LETTERS, DIGITS, APOSTROPHE, b"".join(SHORT) + b"".join(SHORT).upper()]
    for i, symbols in enumerate(sets):
        kinds[sorted(symbols)] |= 1 << i
    return kinds


def _rests() -> Any:
    """What must follow the first letter of a contraction, in small letters; 0: nothing. uint8[256]."""
    rests = np.zeros(BYTES, np.uint8)
    for first, rest in SHORT.items():
        rests[list(first + first.upper())] = ord(rest) if rest else 0
    return rests


KINDS, RESTS = _kinds(), _rests()
SPACE = IS_BLANK | IS_TAB | IS_LINE_END
TO_SMALL = 0x20
"""The bit in which a capital of ASCII differs from its small letter."""

Row = Any  # an array


@kernel
def _is_short(segment: Row, i: int) -> bool:
    """Whether segment[i], after an apostrophe, makes a contraction of it."""
    if i < 2 or not KINDS[segment[i - 2]] & (IS_LETTER | IS_DIGIT):
        return False
    rest = np.int64(RESTS[segment[i]])
    after = i + 1
    if rest:
        if after == len(segment) or (np.int64(segment[after]) | TO_SMALL) != rest:
            return False
        after += 1
    return after == len(segment) or not KINDS[segment[after]] & IS_LETTER


@kernel
def look_ahead(segment: Row, cuts: Row) -> None:
    """cuts[i] = True where a word starts that the table of cuts would not end the window for."""
    before = np.int64(0)
    for i in range(len(segment)):
        kind = np.int64(KINDS[segment[i]])
        if kind & IS_BLANK and before & (IS_BLANK | IS_TAB):
            cuts[i] = i + 1 < len(segment) and not KINDS[segment[i + 1]] & SPACE
        elif kind & OPENS_SHORT and before & IS_APOSTROPHE:
            cuts[i] = not _is_short(segment, i)
        before = kind
