"""How well a model predicts the tokens of a window, by their place in it."""

from __future__ import annotations

import attrs
import numpy as np

from stackc.api.arrays import Int64, Symbols
from stackc.api.limits import PRECISION
from stackc.api.models import Predictor
from stackc.coding.documents import segments
from stackc.coding.scoring import rows

MOST_TOKENS, MOST_FREQUENCIES, MOST_STEPS = 1 << 16, 1 << 24, 1 << 10
"""The most tokens that are measured, the most frequencies in their rows, the most tokens of a model that only steps."""


@attrs.frozen(kw_only=True)
class Position:
    """The tokens at one place of their windows.

    Attributes:
        tokens: how many were measured.
        accuracy: share of them that the model ranked first, 0 to 1.
        bits: what they cost under the model, on average.
    """

    tokens: int
    accuracy: float
    bits: float


def by_position(
    predictor: Predictor, symbols: Symbols, offsets: Int64, segment: int, per: int
) -> tuple[Position, ...] | None:
    """One `Position` for each place in a window of `per` tokens, from the text's beginning; None without tokens.

    Args:
        predictor: the frozen model that reads the tokens, in contexts of a whole segment.
        symbols: the tokens of documents, end to end.
        offsets: int64[D + 1], their bounds; every document is whole windows.
        segment: symbols in a segment.
        per: tokens of a window of the level below.
    """
    whole = predictor.portability == "portable" and hasattr(predictor, "score")
    room = max(per, min(MOST_TOKENS, MOST_FREQUENCIES // predictor.alphabet)) if whole else MOST_STEPS
    seen, right, bits = np.zeros(per, np.int64), np.zeros(per, np.int64), np.zeros(per)
    for first, last in segments(offsets, segment):
        last = min(last, first + room)
        if first == last:
            break
        room -= last - first
        document = offsets[np.searchsorted(offsets, first, "right") - 1]
        at = first
        for block in rows(predictor, symbols[first:last]):
            known = symbols[at : at + len(block)]
            place = (np.arange(at, at + len(block)) - document) % per
            chosen = block[np.arange(len(block)), known]
            seen += np.bincount(place, minlength=per)
            right += np.bincount(place, block.argmax(axis=1) == known, per).astype(np.int64)
            bits += np.bincount(place, PRECISION - np.log2(chosen.astype(np.float64)), per)
            at += len(block)
    if not seen.all():
        return None
    return tuple(
        Position(tokens=int(n), accuracy=int(hits) / int(n), bits=float(cost) / int(n))
        for n, hits, cost in zip(seen, right, bits, strict=True)
    )
