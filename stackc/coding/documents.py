"""Documents end to end: their bounds, their segments and windows, and what a level makes of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from stackc.api.arrays import Int64, Mask, Symbols
from stackc.api.errors import CodingError
from stackc.parts.blame import said


@attrs.frozen(kw_only=True)
class Encoding:
    """What a level makes of documents.

    Attributes:
        tokens: unsigned integers, the documents' tokens end to end.
        offsets: int64[D + 1], where each document's tokens start and end.
        starts: int64[w], ascending: the places in the symbols where windows start (of a piece coder, where the pieces
            do). Given as a function, because most callers do not ask.
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
        symbols: int array, the documents' symbols end to end.
        offsets: int64[D + 1], where each document's symbols start and end.
        ignored: tokens of incomplete last codes, which were not decoded.
    """

    symbols: Symbols
    offsets: Int64
    ignored: int


def row_of_integers(values: object, who: str, what: str) -> npt.NDArray[np.integer]:
    """Values as an array of one dimension, in this machine's order of bytes.

    Args:
        values: an array, or what numpy makes one of.
        who: the level or the stack, for the message.
        what: for the message, e.g. "tokens".

    Raises:
        CodingError: anything else, such as 626.5, or a batch of rows.
    """
    try:
        array = np.asarray(values)
    except Exception as error:  # of rows of several lengths, of a tensor on a GPU
        raise CodingError(f"{who}: {what} that are not a row of integers ({said(error)})") from error
    if array.ndim == 1 and not array.size and array.dtype.kind == "f":  # of an empty list
        return np.empty(0, np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise CodingError(
            f"{who}: {what} of type {array.dtype} and shape {array.shape}; they are integers in one dimension: "
            "give rows one by one, as integers"
        )
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def check_room(name: str, symbols: int, most: int | None) -> None:
    """Raise `CodingError` where tokens of level `name` stand for more than `most` symbols."""
    if most is not None and symbols > most:
        raise CodingError(f"{name}: tokens that stand for more than the {most} symbols that there should be")


def segments(offsets: Int64, segment: int) -> list[tuple[int, int]]:
    """(start, end) of every segment of the documents; an empty document has none."""
    return [
        (start, min(start + segment, last))
        for first, last in itertools.pairwise(offsets.tolist())
        for start in range(first, last, segment)
    ]


def bounds_of(values: npt.NDArray[np.integer], offsets: Int64 | None) -> Int64:
    return np.array([0, len(values)], np.int64) if offsets is None else np.asarray(offsets, np.int64)


def symbol_dtype(alphabet: int) -> np.dtype[Any]:
    """The smallest little-endian unsigned type that holds every symbol of the alphabet."""
    return np.dtype("<u1" if alphabet <= 1 << 8 else "<u2" if alphabet <= 1 << 16 else "<u4")


def outside(values: Symbols, alphabet: int) -> int | None:
    """A value that is no symbol of the alphabet, None where there is none. Reads nothing where the type says so."""
    if not len(values) or (values.dtype.kind == "u" and np.iinfo(values.dtype).max < alphabet):
        return None
    if values.dtype.kind != "u" and int(values.min()) < 0:
        return int(values.min())
    largest = int(values.max())
    return largest if largest >= alphabet else None


def window_starts(offsets: Int64, segment: int, budget: int, cuts: Mask | None) -> Int64:
    """Where windows start that end with `budget` symbols, before every cut and with their segment: int64[w]."""
    found = [np.zeros(0, np.int64)]
    for start, end in segments(offsets, segment):
        forced = [] if cuts is None else (start + 1 + np.flatnonzero(cuts[start + 1 : end])).tolist()
        edges = [start, *forced, end]
        found += [np.arange(low, high, budget) for low, high in itertools.pairwise(edges)]
    return np.concatenate(found)
