"""Streaming in constant memory: bytes to tokens and back, piece by piece, through all levels.

A level codes each segment of a document independently. So if a document is cut into pieces of whole segments, its
tokens are the pieces' tokens, concatenated. Decoding is as simple if no window depends on earlier ones. Otherwise a
level must read all of a document's tokens first, because only decoding tells where a segment begins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from stackc.coding.documents import row_of_integers
from stackc.coding.level import Level
from stackc.parts.bytes_rows import as_bytes

Symbols = npt.NDArray[Any]

PIECE_SYMBOLS = 1 << 24
"""Symbols that a level codes in one call."""


Encode = Callable[[Level, Iterator[Symbols]], Iterator[Symbols]]
"""Encodes whole segments with one level, group by group."""


def encode_here(level: Level, runs: Iterator[Symbols]) -> Iterator[Symbols]:
    return (level.encode(run).tokens for run in runs)


def encode_stream(levels: list[Level], pieces: Iterable[bytes], encode: Encode = encode_here) -> Iterator[Symbols]:
    """The tokens of one document given in pieces of any sizes; the same as for the whole document."""
    stream: Iterator[Symbols] = (np.frombuffer(piece, np.uint8) for piece in pieces)
    for level in levels:
        size = max(1, PIECE_SYMBOLS // level.spec.segment) * level.spec.segment
        stream = encode(level, _regrouped(stream, size))
    return stream


def decode_stream(levels: list[Level], pieces: Iterable[Symbols], ignored: list[int]) -> Iterator[bytes]:
    """The bytes of one document, whose tokens are given in pieces of any sizes.

    Args:
        ignored: at the end, receives the number of tokens of incomplete last codes, which were not decoded, per level.

    Raises:
        CodingError: see `Level.decode`.
    """
    who = levels[-1].name if levels else "tokens"
    stream: Iterator[Symbols] = (row_of_integers(piece, who, "tokens") for piece in pieces)
    for level in reversed(levels):
        stream = _decoded(level, stream, ignored)
    # Without levels they are the caller's own.
    return (as_bytes(piece) if levels else piece.astype(np.uint8).tobytes() for piece in stream)


def _decoded(level: Level, stream: Iterator[Symbols], ignored: list[int]) -> Iterator[Symbols]:
    size = None
    if level.route.windows_decode_alone:
        per = level.window_tokens or 1
        size = max(1, PIECE_SYMBOLS // 16 // per) * per  # a token decodes to several symbols
    for piece in _regrouped(stream, size):
        back = level.decode(piece)
        ignored.append(back.ignored)
        yield back.symbols


def _regrouped(stream: Iterator[Symbols], size: int | None) -> Iterator[Symbols]:
    """The same symbols in pieces of `size` (the last may be shorter); None: in one piece."""
    held: list[Symbols] = []
    count = 0
    for piece in stream:
        at = 0
        while size is not None and count + len(piece) - at >= size:
            end = at + size - count
            yield np.concatenate([*held, piece[at:end]]) if held else piece[at:end]
            held, count, at = [], 0, end
        if at < len(piece):
            held.append(piece[at:])
            count += len(piece) - at
    if held:
        yield np.concatenate(held) if len(held) > 1 else held[0]
