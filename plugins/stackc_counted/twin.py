"""Counting and its frequencies in plain Python: slow, readable, and the oracle of `counting` and `mixing`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from stackc.api import TOTAL
from stackc_counted.mixing import BASE_BITS, DISCOUNTS, SHARE_BITS
from stackc_counted.trie import UNIT

Text = tuple[int, ...]


def texts_at(pieces: Iterable[Sequence[int]], places: Iterable[Iterable[int]], length: int) -> Counter[Text]:
    """How often each text of up to `length` symbols begins at the places of its piece; none goes past its end."""
    found: Counter[Text] = Counter()
    for piece, starts in zip(pieces, places, strict=True):
        for start in starts:
            for size in range(min(length, len(piece) - start) + 1):
                found[tuple(piece[start : start + size])] += 1
    return found


def kept(found: Counter[Text], least: int) -> dict[Text, int]:
    """The texts that occur often enough (and the empty one)."""
    return {text: count for text, count in found.items() if count >= least or not text}


def base(counts: Sequence[int]) -> list[int]:
    """The symbols' cumulative counts, each a sixteenth more than it was seen, scaled to sum to 2^30."""
    running = [0]
    for count in counts:
        running.append(running[-1] + UNIT * count + 1)
    return [(one << BASE_BITS) // running[-1] for one in running]


def continued(texts: dict[Text, int], longest: int, least: int) -> tuple[dict[Text, int], dict[Text, int]]:
    """(counts, totals) of the texts that are fallen back to: those shorter than `longest` by what stands before them.

    Texts that were dropped because they are rarer than `least` are taken as seen least - 1 times each.
    """
    dropped = max(1, least - 1)
    counts: dict[Text, int] = {(): 0}
    for text, count in texts.items():
        if not text:
            continue
        if len(text) >= longest:
            counts[text] = count
            continue
        before = [other for other in texts if len(other) == len(text) + 1 and other[1:] == text]
        unknown = count - sum(texts[other] for other in before)
        counts[text] = len(before) + -(-unknown // dropped)
    totals = {}
    for text, count in texts.items():
        after = [other for other in texts if len(other) == len(text) + 1 and other[:-1] == text]
        unknown = count - sum(texts[other] for other in after)
        totals[text] = sum(counts[other] for other in after) + -(-unknown // dropped)
    return counts, totals


def weight(count: int) -> int:
    """A count in sixteenths, less its discount."""
    if not count:
        return 0
    bucket = count - 1 if count <= 3 else min(count.bit_length(), len(DISCOUNTS) - 1)
    return UNIT * count - int(DISCOUNTS[bucket])


Counts = tuple[dict[Text, int], dict[Text, int]]
"""(count of each text, total that the counts of the texts one symbol longer are parts of)."""


def frequencies(anchored: Counts, free: Counts, cumulative: Sequence[int], order: int, since: Text) -> list[int]:
    """The row after the symbols `since` the restart: A counts that sum to T, none below 1.

    Each context gives, in turn, a symbol that was seen c times after it, of n in all, about (c - D(c)) / n of what
    the longer ones left (D is the discount); the rest passes to the next shorter context, and the last of it to the
    symbols by their own counts.
    """
    alphabet = len(cumulative) - 1
    row = [1] * alphabet
    mass = TOTAL - alphabet
    contexts = [(anchored, since)] + [(free, since[len(since) - k :]) for k in range(min(order, len(since)), 0, -1)]
    for (counts, totals), context in contexts:
        seen = [symbol for symbol in range(alphabet) if (*context, symbol) in counts]
        if context not in counts or not seen:
            continue
        unit = (mass << SHARE_BITS) // (UNIT * totals[context])
        running = given = 0
        for symbol in seen:
            running += weight(counts[*context, symbol])
            row[symbol] += (running * unit >> SHARE_BITS) - given
            given = running * unit >> SHARE_BITS
        mass -= given
    for symbol in range(alphabet):
        row[symbol] += (cumulative[symbol + 1] * mass >> BASE_BITS) - (cumulative[symbol] * mass >> BASE_BITS)
    return row
