"""Forced cuts as separate symbols, so that the walk has nothing more to ask at each step.

Symbol s, where a window is forced to start, is read as alphabet + s. No text continues with it, and the text that it
starts is that of s: for this the trie's table has as many free places more, and `roots` is there twice
(`Dictionary._packed`). Marked symbols are made for a part of the text at a time, which stays in the cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stackc.api.arrays import Int64, Mask, Symbols
from stackc.api.kernels import kernel
from stackc.coding.dictionary import encoding

Row = Any

PART = 1 << 18
"""Symbols that are marked at a time, at most, in as many segments for every lane as fit, or one."""


def can_mark(alphabet: int) -> bool:
    """Whether an entry of the trie can tell the marked symbols from those of any text."""
    return 2 * alphabet < int(encoding.EMPTY)


@kernel
def mark(symbols: Row, cuts: Row, alphabet: int, marked: Row) -> None:
    """marked[i] = symbols[i], and the alphabet more where a window is forced to start."""
    for i in range(len(symbols)):
        marked[i] = symbols[i] + cuts[i] * alphabet


def walk_marked(
    symbols: Symbols,
    offsets: Int64,
    low: int,
    high: int,
    segment: int,
    budget: int,
    cuts: Mask,
    table: npt.NDArray[np.uint64],
    roots: npt.NDArray[np.uint64],
    out: npt.NDArray[Any],
    code_offsets: Int64,
    written: int = 0,
) -> int:
    """Same as `stackc.coding.dictionary.encoding.walk` of all documents in low .. high, with forced cuts.

    Args:
        cuts: of symbols[low:high].
        roots: uint64[2 A], both halves alike.
        written: codes that are in `out` already.
    """
    alphabet = len(roots) // 2
    marked = np.empty(min(_part(segment), high - low), np.uint16 if 2 * alphabet <= 1 << 16 else np.uint32)
    scratch = np.empty(encoding.scratch_size(segment, len(marked)), out.dtype)
    begin = low
    while low < high:
        end = segment_end(offsets, low, high, segment, _part(segment))
        document = int(np.searchsorted(offsets[1:], low, "right"))
        here = offsets[document : int(np.searchsorted(offsets, end, "right")) + 1] - low
        given = marked[: end - low]
        mark(symbols[low:end], cuts[low - begin : end - begin], alphabet, given)
        given.flags.writeable = False
        ends = np.zeros(len(here), np.int64)
        count = encoding.walk(given, here, 0, end - low, 0, segment, budget, table, roots, scratch, out[written:], ends)
        finished = int(np.searchsorted(here[1:], end - low, "right")) + 1
        code_offsets[document + 1 : document + finished] = written + ends[1:finished]
        written += count
        low = end
    return written


def _part(segment: int) -> int:
    """Symbols of a part. Lanes that have equally many segments end together, and none is left to walk alone."""
    return max(1, PART // (encoding.LANES * segment)) * encoding.LANES * segment


def segment_end(offsets: Int64, low: int, high: int, segment: int, most: int) -> int:
    """The end of a segment at most `most` symbols after `low`, or else the first segment from there."""
    if low + most >= high:
        return high
    document = int(np.searchsorted(offsets, low + most, "right")) - 1
    start = int(offsets[document])
    end = start + (low + most - start) // segment * segment
    return end if end > low else min(low + segment, int(offsets[document + 1]), high)
