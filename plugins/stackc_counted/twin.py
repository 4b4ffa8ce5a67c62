"""Counting and its frequencies in plain Python: slow, readable, and the oracle of `counting` and `mixing`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from stackc.api import TOTAL
from stackc_counted.mixing import BASE_BITS, SHARE_BITS, UNIT

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


def frequencies(
    anchored: dict[Text, int], free: dict[Text, int], cumulative: Sequence[int], order: int, discount: int, since: Text
) -> list[int]:
    """The row after the symbols `since` the restart: A counts that sum to T, none below 1.

    Each context gives, in turn, a symbol that was seen c times after it (in all n occurrences of the context)
    about (c - discount / 16) / n of what the longer ones left; the rest goes on to the next shorter context, and
    the last of it to the symbols by their own counts.
    """
    alphabet = len(cumulative) - 1
    row = [1] * alphabet
    mass = TOTAL - alphabet
    contexts = [(anchored, since)] + [(free, since[len(since) - k :]) for k in range(min(order, len(since)), 0, -1)]
    for texts, context in contexts:
        if context not in texts:
            continue
        unit = (mass << SHARE_BITS) // (UNIT * texts[context])
        running = given = 0
        for symbol in range(alphabet):
            count = texts.get((*context, symbol), 0)
            if count:
                running += UNIT * count - discount
                row[symbol] += (running * unit >> SHARE_BITS) - given
                given = running * unit >> SHARE_BITS
        mass -= given
    for symbol in range(alphabet):
        row[symbol] += (cumulative[symbol + 1] * mass >> BASE_BITS) - (cumulative[symbol] * mass >> BASE_BITS)
    return row
