"""Concatenated documents: their bounds, segments and windows, and the results of encoding and decoding them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from stackc.api.arrays import Int64, Mask, Symbols
from stackc.api.errors import CodingError
from stackc.api.offsets import offsets_of
from stackc.parts.blame import said


@attrs.frozen(kw_only=True)
class Encoding:
    """The tokens of documents.

    Attributes:
        tokens: unsigned integers, the documents' tokens concatenated.
        offsets: int64[D + 1], the bounds of each document's tokens.
        starts: int64[w], ascending: the positions in the symbols at which windows (of a piece coder: pieces) start. May
            be given as a function, because most callers do not use them.
    """

    tokens: npt.NDArray[np.unsignedinteger[Any]]
    offsets: Int64
    _starts: Int64 | Callable[[], Int64] = attrs.field(alias="starts")

    @property
    def starts(self) -> Int64:
        return self._starts() if callable(self._starts) else self._starts


@attrs.frozen(kw_only=True)
class Decoding:
    """The symbols of documents.

    Attributes:
        symbols: int array, the documents' symbols concatenated.
        offsets: int64[D + 1], the bounds of each document's symbols.
        ignored: number of tokens in incomplete last codes, which were not decoded.
    """

    symbols: Symbols
    offsets: Int64
    ignored: int


def row_of_integers(values: object, who: str, what: str) -> npt.NDArray[np.integer]:
    """Values as an array of one dimension, in native byte order.

    Args:
        values: an array, or anything that numpy converts to one.
        who: the level or the stack, for the message.
        what: for the message, e.g. "tokens".

    Raises:
        CodingError: other values, such as 626.5 or a batch of rows.
    """
    try:
        array = np.asarray(values)
    except Exception as error:  # rows of several lengths, a tensor on a GPU
        raise CodingError(f"{who}: {what} that are not a row of integers ({said(error)})") from error
    if array.ndim == 1 and not array.size and array.dtype.kind == "f":  # an empty list
        return np.empty(0, np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise CodingError(
            f"{who}: {what} of type {array.dtype} and shape {array.shape}; they must be integers in one dimension: "
            "give rows one by one, as integers"
        )
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def segments(offsets: Int64, segment: int) -> list[tuple[int, int]]:
    """(start, end) of every segment of the documents; an empty document has none."""
    return [
        (start, min(start + segment, last))
        for first, last in itertools.pairwise(offsets.tolist())
        for start in range(first, last, segment)
    ]


def bounds_of(values: npt.NDArray[np.integer], offsets: Int64 | None) -> Int64:
    return np.array([0, len(values)], np.int64) if offsets is None else np.asarray(offsets, np.int64)


def segment_starts(offsets: Int64, segment: int) -> Int64:
    """Where the segments of the documents start: int64[s]."""
    return _steps(offsets[:-1], offsets[1:] - offsets[:-1], segment)


def segment_edges(offsets: Int64, segment: int) -> Int64:
    """Where they start, and the end of the last: int64[s + 1]."""
    return np.concatenate((segment_starts(offsets, segment), offsets[-1:]))


def window_starts(offsets: Int64, segment: int, budget: int, cuts: Mask | None) -> Int64:
    """The starts of windows that end after `budget` symbols, before every cut and with their segment: int64[w]."""
    edges = segment_starts(offsets, segment)
    if cuts is not None:
        # `np.union1d` would hash or sort, for which an encoder of words takes ten times as long.
        marked = cuts[offsets[0] : offsets[-1]].copy()
        marked[edges - offsets[0]] = True
        edges = offsets[0] + marked.nonzero()[0]
    ends = np.concatenate((edges[1:], offsets[-1:])) if len(edges) else edges
    return _steps(edges, ends - edges, budget)


def every_nth(starts: Int64, offsets: Int64, segment: int, every: int) -> Int64:
    """The first of each `every` windows, counted within their segment.

    Args:
        starts: int64[w], ascending: where windows start; one does at the start of every segment.
        offsets: int64[D + 1], the bounds of documents.
        segment: symbols in a segment.
    """
    if every == 1:
        return starts
    firsts = np.searchsorted(starts, segment_starts(offsets, segment))
    number = np.arange(len(starts)) - np.repeat(firsts, np.diff(firsts, append=len(starts)))
    chosen: Int64 = starts[number % every == 0]
    return chosen


def _steps(starts: Int64, lengths: Int64, step: int) -> Int64:
    """Every step-th place of runs, the start of each first: int64[k]. An empty run has none."""
    if len(lengths) and lengths.min() > 0 and lengths.max() <= step:
        return starts  # most calls: windows of a word, a document of one segment
    counts = -(-lengths // step)
    within = np.arange(int(counts.sum())) - np.repeat(offsets_of(counts)[:-1], counts)
    return np.repeat(starts, counts) + within * step


def whole_codes(bounds: Int64, per: int) -> tuple[Int64, Int64, int]:
    """Codes of `per` tokens in documents of tokens.

    Args:
        bounds: int64[D + 1], the bounds of each document's tokens.

    Returns:
        int64[w], the position of each code's first token; int64[D + 1], the bounds of each document's codes; the number
        of tokens in incomplete last codes, which do not decode.
    """
    counts = np.diff(bounds) // per
    code_bounds = offsets_of(counts)
    within = np.arange(int(code_bounds[-1])) - np.repeat(code_bounds[:-1], counts)
    return np.repeat(bounds[:-1], counts) + within * per, code_bounds, int((np.diff(bounds) - counts * per).sum())
