"""Whether a word is cut the same way wherever it stands."""

from __future__ import annotations

import numpy as np

from stackc.api.arrays import Int64, Mask, Symbols
from stackc.stack.learnability.borders import UNIT

MOST_BYTES = 1 << 20
"""Words are taken from this many bytes of the text, from its beginning."""

BLANK = 0x20

LETTER = np.zeros(256, np.bool_)
LETTER[np.frombuffer(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", np.uint8)] = True
LETTER[0x80:] = True  # every byte of a character beyond ASCII


def word_bounds(text: Symbols, offsets: Int64) -> tuple[Int64, Int64]:
    """First byte and end of every word: a maximal sequence of letters of one document, with a blank before it.

    Args:
        text: uint8[n], the documents' bytes.
        offsets: int64[D + 1], their bounds.
    """
    new: Mask = np.zeros(len(text) + 1, np.bool_)
    new[offsets] = True
    inside = LETTER[text]
    before = np.concatenate([[False], inside[:-1]]) & ~new[:-1]
    after = np.concatenate([inside[1:], [False]]) & ~new[1:]
    firsts, ends = np.flatnonzero(inside & ~before), np.flatnonzero(inside & ~after) + 1
    blank = (firsts > 0) & ~new[firsts] & (text[np.maximum(firsts, 1) - 1] == BLANK)
    return firsts - blank, ends


def words_cut_alike(text: Symbols, offsets: Int64, places: Int64) -> float | None:
    """The share of occurrences that are cut in their word's most frequent way, of words that occur at least twice.

    How an occurrence is cut: where tokens begin inside it, counted from its first byte, and whether tokens begin at
    its first byte and at its end.

    Args:
        text: uint8[n], the documents' bytes.
        offsets: int64[D + 1], their bounds.
        places: int64[t + 1], ascending: where tokens begin, in 1/`UNIT` bytes, and the text's end.

    Returns:
        0 to 1; None if no word occurs twice.
    """
    text, offsets = text[:MOST_BYTES], np.minimum(offsets, MOST_BYTES)
    firsts, ends = word_bounds(text, offsets)
    left, right = firsts * UNIT, ends * UNIT
    low, high = np.searchsorted(places, left, "left"), np.searchsorted(places, right, "right")
    data = text.tobytes()
    cuttings: dict[bytes, dict[bytes, int]] = {}
    for first, end, start, one, other in zip(
        firsts.tolist(), ends.tolist(), left.tolist(), low.tolist(), high.tolist(), strict=True
    ):
        # The list includes tokens that begin at the word's first byte and at its end.
        cutting = (places[one:other] - start).tobytes()
        of_word = cuttings.setdefault(data[first:end], {})
        of_word[cutting] = of_word.get(cutting, 0) + 1
    counted = [of_word.values() for of_word in cuttings.values() if sum(of_word.values()) > 1]
    occurrences = sum(map(sum, counted))
    return sum(map(max, counted)) / occurrences if occurrences else None
