"""The text that peers are trained on: the stack's own training text, or pieces spread evenly over it."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path

import attrs
import numpy as np

from stackc.stack.store import Store

PIECE = 1 << 16


@attrs.frozen(kw_only=True)
class Sample:
    """Pieces of the training text.

    Attributes:
        pieces: at most `PIECE` bytes each; none crosses a document boundary.
        total: bytes of the whole training text.
    """

    pieces: list[bytes]
    total: int

    @property
    def size(self) -> int:
        return sum(len(piece) for piece in self.pieces)

    @property
    def digest(self) -> str:
        """SHA-256 of the pieces and their lengths."""
        whole = hashlib.sha256()
        for piece in self.pieces:
            whole.update(len(piece).to_bytes(8, "little") + piece)
        return whole.hexdigest()

    def texts(self) -> list[str]:
        """The pieces as text, without invalid UTF-8, such as characters that were cut in two."""
        return [piece.decode("utf-8", "ignore") for piece in self.pieces]


def sample(folder: Path, limit: int) -> Sample:
    """At most `limit` bytes (at least 1) of the store in `folder`: all of it, or evenly spread pieces.

    Raises:
        ArtifactError: `folder` holds no readable store.
    """
    store = Store(folder)
    total = len(store.symbols)
    piece = min(PIECE, limit)
    if total <= limit:
        spans = [(start, min(start + piece, total)) for start in range(0, total, piece)]
    else:
        count = limit // piece
        spans = [(start, start + piece) for start in _spread(total - piece, count)]
    pieces = []
    for start, end in spans:
        borders = store.offsets[(store.offsets > start) & (store.offsets < end)].tolist()
        for first, last in itertools.pairwise([start, *np.unique(borders).astype(int).tolist(), end]):
            pieces.append(store.symbols[first:last].tobytes())
    return Sample(pieces=pieces, total=total)


def _spread(last: int, count: int) -> list[int]:
    """`count` evenly spaced positions from 0 to `last`."""
    return [last * i // max(1, count - 1) for i in range(count)]
