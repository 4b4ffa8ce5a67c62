"""Many texts at once through the levels of a stack, with the bytes that each token represents."""

from __future__ import annotations

import itertools
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from stackc.api.arrays import Int64, Symbols
from stackc.api.errors import CodingError, StackcError
from stackc.coding.level import Level
from stackc.stack.streaming import decode_stream


@attrs.frozen(kw_only=True)
class Batch:
    """The tokens of D texts.

    Attributes:
        tokens: the tokens of all texts, concatenated.
        offsets: int64[D + 1], the start of each text's tokens, and the end.
        spans: int64[n, 2], the start and end of each token's bytes in its text; None if not requested.
    """

    tokens: npt.NDArray[Any]
    offsets: Int64
    spans: Int64 | None


def encode_batch(levels: list[Level], texts: list[bytes], spans: bool = False) -> Batch:
    """The tokens of texts, one document each.

    If a code has several tokens, each has the span of the whole code: part of a code represents no bytes of its own.

    Raises:
        StackcError: spans were requested and a level's windows have varying numbers of tokens.
    """
    symbols: Symbols = np.frombuffer(b"".join(texts), np.uint8)
    offsets = bounds = np.array(list(itertools.accumulate(map(len, texts), initial=0)), np.int64)
    if spans:
        begins = np.arange(len(symbols), dtype=np.int64)
        ends = begins + 1
    for level in levels:
        if spans and level.window_tokens is None:
            raise StackcError(f"{level.name}: no offsets: its windows have varying numbers of tokens")
        coded = level.encode(symbols, offsets)
        if spans:
            starts = coded.starts
            # Documents are concatenated, so a window ends where the next one starts, even one of the next document.
            lasts = np.append(starts, len(symbols))[1:] - 1
            per = level.window_tokens or 1
            begins, ends = np.repeat(begins[starts], per), np.repeat(ends[lasts], per)
        symbols, offsets = coded.tokens, coded.offsets
    if not spans:
        return Batch(tokens=symbols, offsets=offsets, spans=None)
    base = np.repeat(bounds[:-1], np.diff(offsets))
    return Batch(tokens=symbols, offsets=offsets, spans=np.stack([begins - base, ends - base], axis=1))


def decode_run(levels: list[Level], tokens: list[int]) -> bytes | None:
    """The bytes of one document's tokens; None if they decode to nothing (coders that are not total)."""
    try:
        return b"".join(decode_stream(levels, [np.array(tokens, np.int64)], []))
    except CodingError:
        return None
