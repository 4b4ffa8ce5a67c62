"""The cost of known symbols under a frozen model: the figures of every table (never a bit of a code).

Always from the frozen integers, never from the float model that was trained: quantising costs something, and a reported
rate must be one that the coder reaches. Logarithms in floats are safe here, because no bit depends on them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from stackc.api.arrays import RESTART, Float64, Frequencies, Int64, Mask, Symbols
from stackc.api.frequencies import normalise
from stackc.api.limits import PRECISION
from stackc.api.models import Predictor
from stackc.coding.documents import segments


def rows(predictor: Predictor, segment: Symbols, restarts: Mask | None = None) -> Iterator[Frequencies]:
    """The rows of a known segment, in blocks: by scoring if the predictor can and is portable, else by stepping.

    A predictor that is not portable may give other rows when it scores than when it steps, and the coder steps it.

    Args:
        predictor: the frozen model.
        segment: n symbols.
        restarts: bool[n], True at symbols before which the context is emptied; it always is at position 0.
    """
    if predictor.portability == "portable" and hasattr(predictor, "score"):
        yield from predictor.score(segment, restarts)
        return
    state = predictor.start(1)
    before = RESTART
    for i, symbol in enumerate(segment):
        again = restarts is not None and restarts[i]
        yield predictor.step(state, np.array([RESTART if again else before], np.int64)).copy()
        before = int(symbol)


def symbol_bits(
    predictor: Predictor, symbols: Symbols, offsets: Int64, segment: int, starts: Int64 | None = None
) -> Iterator[Float64]:
    """The cost of each symbol of documents under a frozen model, in bits, in blocks of any size: float64[m].

    Args:
        predictor: the frozen model.
        symbols: the documents, one after another.
        offsets: int64[D + 1].
        segment: contexts always restart at a segment's start.
        starts: further places where contexts restart, ascending (window starts); None: only there.
    """
    for first, last in segments(offsets, segment):
        piece = symbols[first:last]
        restarts = None
        if starts is not None:
            restarts = np.zeros(last - first, np.bool_)
            inside = starts[np.searchsorted(starts, first) : np.searchsorted(starts, last)]
            restarts[inside - first] = True
        for chosen in _picked(predictor, piece, restarts):
            yield PRECISION - np.log2(chosen.astype(np.float64))


def total_bits(
    predictor: Predictor, symbols: Symbols, offsets: Int64, segment: int, starts: Int64 | None = None
) -> float:
    """Cross-entropy of documents under a frozen model, in bits, over all of them. Arguments: see `symbol_bits`."""
    total = 0.0
    for block in symbol_bits(predictor, symbols, offsets, segment, starts):
        total += math.fsum(block)
    return total


def _picked(predictor: Predictor, segment: Symbols, restarts: Mask | None) -> Iterator[Frequencies]:
    """The frequency of each symbol in its row, in blocks: uint32[m].

    For figures alone: that a predictor which is not portable may round otherwise than in steps does no harm.
    """
    if hasattr(predictor, "pick"):
        yield from predictor.pick(segment, restarts)
        return
    at = 0
    for block in rows(predictor, segment, restarts):
        yield block[np.arange(len(block)), segment[at : at + len(block)]]
        at += len(block)


def unigram_bits(counts: Int64, symbols: Symbols) -> float:
    """Cross-entropy of symbols under the frequencies of their counts in the training text, in bits."""
    bits = PRECISION - np.log2(normalise(counts).astype(np.float64))
    return float(np.bincount(symbols, minlength=len(counts)) @ bits)
