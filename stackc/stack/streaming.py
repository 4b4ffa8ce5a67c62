"""Coding without end in flat memory: bytes in, tokens out, and back, piece by piece, through all levels.

A level codes each segment of a document alone, so a document's tokens are those of its pieces, one after another,
where the pieces are whole segments. The way back is as easy where no window depends on what came before; elsewhere a
level must see all of a document's tokens before it can tell where a segment begins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from stackc.coding.documents import row_of_integers
from stackc.coding.level import Level

Symbols = npt.NDArray[Any]

PIECE_SYMBOLS = 1 << 24
"""Symbols that a level codes at once."""


Encode = Callable[[Level, Iterator[Symbols]], Iterator[Symbols]]
"""The tokens of a level's runs of whole segments, run by run."""


def encode_here(level: Level, runs: Iterator[Symbols]) -> Iterator[Symbols]:
    return (level.encode(run).tokens for run in runs)


def encode_stream(levels: list[Level], pieces: Iterable[bytes], encode: Encode = encode_here) -> Iterator[Symbols]:
    """The tokens of one document that comes in pieces of any sizes; the same as of all of it at once."""
    stream: Iterator[Symbols] = (np.frombuffer(piece, np.uint8) for piece in pieces)
    for level in levels:
        size = max(1, PIECE_SYMBOLS // level.segment) * level.segment
        stream = encode(level, _regrouped(stream, size))
    return stream


def decode_stream(levels: list[Level], pieces: Iterable[Symbols], ignored: list[int]) -> Iterator[bytes]:
    """The bytes of one document's tokens, which come in pieces of any sizes.

    Args:
        ignored: at the end, the tokens of incomplete last codes that were not decoded are added, level by level.

    Raises:
        CodingError: as `Level.decode`.
    """
    who = levels[-1].name if levels else "tokens"
    stream: Iterator[Symbols] = (row_of_integers(piece, who, "tokens") for piece in pieces)
    for level in reversed(levels):
        stream = _decoded(level, stream, ignored)
    return (piece.astype(np.uint8, copy=False).tobytes() for piece in stream)


def _decoded(level: Level, stream: Iterator[Symbols], ignored: list[int]) -> Iterator[Symbols]:
    size = None
    if level.windows_decode_alone:
        per = level.window_tokens or 1
        size = max(1, PIECE_SYMBOLS // 16 // per) * per  # a token stands for several symbols
    for piece in _regrouped(stream, size):
        back = level.decode(piece)
        ignored.append(back.ignored)
        yield back.symbols


def _regrouped(stream: Iterator[Symbols], size: int | None) -> Iterator[Symbols]:
    """The same symbols in pieces of `size` (the last may be shorter); None: all in one."""
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
