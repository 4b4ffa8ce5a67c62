"""Decoding of documents: the texts of codes end to end, shared among threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from stackc.api.arrays import Int32, Int64, Symbols
from stackc.api.offsets import offsets_of
from stackc.coding.dictionary import decoding
from stackc.coding.dictionary.threads import even_shares, shared
from stackc.parts.bytes_rows import bytes_row
from stackc.parts.symbols import check_room


def code_type(size: int) -> np.dtype[Any]:
    """The type of codes below `size`: one of two, for which the kernels are compiled."""
    return np.dtype(np.uint16 if size <= 1 << 16 else np.uint32)


def join(
    codes: npt.NDArray[np.unsignedinteger[Any]],
    bounds: Int64,
    length: Int32,
    kind: np.dtype[Any],
    spell: Callable[[int, int, Symbols, int], object],
    threads: int,
    who: str,
    most: int | None,
) -> tuple[Symbols, Int64]:
    """(symbols of type `kind`, int64[D + 1]): the texts of documents of codes, and where each starts and ends.

    Args:
        codes: of `code_type`, not writeable, all of them inside `length`.
        bounds: int64[D + 1]; document i is codes[bounds[i]:bounds[i + 1]].
        length: int32, the symbols of each code's text.
        spell: spell(low, high, out, at) writes the texts of codes[low:high] to out[at:].

    Raises:
        CodingError: more than `most` symbols, found before they take up memory.
    """
    shares = even_shares(len(codes), threads)
    sizes = shared(lambda low, high: int(decoding.measure(codes, low, high, length)), shares, threads)
    starts = offsets_of(np.array(sizes, np.int64))
    check_room(who, int(starts[-1]), most)
    total = int(starts[-1])
    out = bytes_row(total) if kind == np.uint8 else np.empty(total, kind)
    ends = np.zeros(len(bounds), np.int64)
    start_of = dict(zip(shares, starts.tolist(), strict=False))

    def one(low: int, high: int) -> None:
        at = start_of[low, high]
        spell(low, high, out, at)
        first = int(np.searchsorted(bounds, low, "right"))
        if len(bounds) > 2 or bounds[-1] != len(codes):
            decoding.ends_of(codes, low, high, length, at, bounds, first, ends)

    shared(one, shares, threads)
    if len(bounds) == 2 and bounds[-1] == len(codes):
        ends[1] = len(out)
    return out, ends
