"""Many texts at once through the levels of a stack, with the bytes that each token stands for."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from stackc.api.arrays import Int64
from stackc.api.errors import CodingError, StackcError
from stackc.coding.level import Level
from stackc.stack.store import bytes_chunk


@attrs.frozen(kw_only=True)
class Batch:
    """The tokens of D texts.

    Attributes:
        tokens: the texts' tokens end to end.
        offsets: int64[D + 1], where each text's tokens start and end.
        spans: int64[n, 2], the bytes of its text that each token stands for, start and end; None if not asked for.
    """

    tokens: npt.NDArray[Any]
    offsets: Int64
    spans: Int64 | None


def encode_batch(levels: list[Level], texts: list[bytes], spans: bool = False) -> Batch:
    """The tokens of texts, each a document.

    A token of a code of several has the span of the whole code: no piece of a code stands for bytes of its own.

    Raises:
        StackcError: spans of a level whose windows are of varying numbers of tokens.
    """
    chunk = bytes_chunk(texts)
    symbols, offsets = chunk.symbols, chunk.offsets
    edges = np.arange(len(symbols), dtype=np.int64)
    begins, ends = edges, edges + 1
    for level in levels:
        if spans and level.window_tokens is None:
            raise StackcError(f"{level.name}: no offsets: its windows are of varying numbers of tokens")
        coded = level.encode(symbols, offsets)
        if spans:
            starts = coded.starts
            # Documents lie end to end, so a window ends where the next one starts, in the next document too.
            lasts = np.append(starts, len(symbols))[1:] - 1
            per = level.window_tokens or 1
            begins, ends = np.repeat(begins[starts], per), np.repeat(ends[lasts], per)
        symbols, offsets = coded.tokens, coded.offsets
    if not spans:
        return Batch(tokens=symbols, offsets=offsets, spans=None)
    base = np.repeat(chunk.offsets[:-1], np.diff(offsets))
    return Batch(tokens=symbols, offsets=offsets, spans=np.stack([begins - base, ends - base], axis=1))


def decode_run(levels: list[Level], tokens: list[int]) -> bytes | None:
    """The bytes of one document's tokens; None where they are no text (coders that are not total)."""
    symbols: npt.NDArray[Any] = np.array(tokens, np.int64)
    try:
        for level in reversed(levels):
            symbols = level.decode(symbols).symbols
    except CodingError:
        return None
    return symbols.astype(np.uint8).tobytes()
