"""Features of a symbol's text, hashed to rows of one table: what a byte-aware model knows of its inputs.

Hashed n-grams as inputs: Pagnoni et al. (2024), Byte Latent Transformer, section 3.2.1. Those of a text of n > 0 bytes:

    kind 0 to 4     its last 1, 2, 3, 4, 6 bytes, if it has as many
    kind 5 to 8     its first 1, 2, 3, 4 bytes, if it has as many
    kind 9          its length: one byte, min(n, 255)
    kind 10         what follows its last blank (byte 0x20), all of it if it has none; at most the last 16 bytes of that

An empty text has none. The row of a feature of the bytes b1 b2 ... of kind k, in integers modulo 2^64, is FNV-1a over
k, b1, b2, ... and a last mixing step, since the high bits choose the row:

    h = 0xCBF29CE484222325;   for each c of k, b1, b2, ...: h = (h xor c) * 0x100000001B3
    h = (h xor h >> 32) * 0x9E3779B97F4A7C15;   row = ((h >> 32) * rows) >> 32

`stackc_torch.training.features_twin` is the same in plain Python.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stackc.api import Int64, SymbolTexts, offsets_of

LAST = (1, 2, 3, 4, 6)
FIRST = (1, 2, 3, 4)
LONGEST_WORD = 16
"""Bytes of what follows the last blank, at most."""

_OFFSET, _PRIME, _MIX = (np.array(n, np.uint64) for n in (0xCBF29CE484222325, 0x100000001B3, 0x9E3779B97F4A7C15))
_HALF = np.array(32, np.uint64)
_BLANK = 0x20

Words = npt.NDArray[np.uint64]


def features(texts: SymbolTexts, rows: int) -> tuple[Int64, Int64]:
    """The rows of every symbol's features.

    Args:
        texts: of an alphabet of A symbols.
        rows: of the table, 1 .. 2^31.

    Returns:
        int64[n], rows of all symbols one after another, and int64[A + 1], where those of each symbol start and end.
        Two features of a text may have the same row, which then counts twice.
    """
    data, starts, ends = texts.data, texts.offsets[:-1], texts.offsets[1:]
    sizes = ends - starts
    found = [_rows(data, ends - n, ends, kind, rows, sizes >= n) for kind, n in enumerate(LAST)]
    found += [_rows(data, starts, starts + n, kind, rows, sizes >= n) for kind, n in enumerate(FIRST, len(LAST))]
    length = np.minimum(sizes, 255).astype(np.uint8)
    own = np.arange(len(sizes))
    found.append(_rows(length, own, own + 1, len(LAST) + len(FIRST), rows, sizes > 0))
    words = np.maximum(_after_blanks(data, starts, ends), ends - LONGEST_WORD)
    found.append(_rows(data, words, ends, len(LAST) + len(FIRST) + 1, rows, sizes > 0))
    table = np.stack(found, 1)  # -1 where a text has no feature of a kind
    return table[table >= 0], offsets_of((table >= 0).sum(1))


def _rows(data: npt.NDArray[Any], starts: Int64, ends: Int64, kind: int, rows: int, has: npt.NDArray[Any]) -> Int64:
    """int64[A]: the row of the feature ``data[starts[a]:ends[a]]`` of each symbol that has one, else -1."""
    at, end = starts[has], ends[has]
    h: Words = np.full(len(at), (_OFFSET ^ np.uint64(kind)) * _PRIME, np.uint64)
    for step in range(int((end - at).max(initial=0))):
        more = at + step < end
        h[more] = (h[more] ^ data[at[more] + step]) * _PRIME
    h = (h ^ h >> _HALF) * _MIX
    found = np.full(len(starts), -1, np.int64)
    found[has] = (h >> _HALF) * np.uint64(rows) >> _HALF
    return found


def _after_blanks(data: npt.NDArray[Any], starts: Int64, ends: Int64) -> Int64:
    """int64[A]: where what follows the last blank of each text starts."""
    blanks = np.append(np.flatnonzero(data == _BLANK), -1)  # at -1 for texts before the first
    last = blanks[np.searchsorted(blanks[:-1], ends) - 1]
    found: Int64 = np.maximum(last + 1, starts)
    return found
