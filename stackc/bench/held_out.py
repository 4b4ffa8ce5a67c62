"""Whether the text of a benchmark was trained on: passages of it are searched for in the stack's training text.

The stack and all trained peers learn from that text alone, so a text that does not occur in it is new to all of them.
"""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

from stackc.api.errors import ArtifactError
from stackc.stack.store import FILES, Store

PASSAGE = 256
"""Bytes: long enough that other texts do not have them by chance."""

MOST = 16

LIMIT = 1 << 30
"""Bytes of training text that are searched, at most: a second or two for all passages."""


def passages(text: bytes) -> list[bytes]:
    """Up to `MOST` pieces of `text`, evenly spread from its beginning to its end."""
    count = max(1, min(MOST, len(text) // PASSAGE))
    last = max(0, len(text) - PASSAGE)
    return [text[start : start + PASSAGE] for start in (last * i // max(1, count - 1) for i in range(count))]


def trained_on(store: Path, text: bytes) -> dict[str, Any]:
    """How much of a text the stack and the trained peers have seen.

    Args:
        store: the folder of the stack's training text.
        text: the text of the benchmark, at least one byte.

    Returns:
        ``passages``, of how many pieces of the text it was asked; ``known``, how many of them occur in the training
        text; None if that is not there, or too long to be searched.
    """
    asked = passages(text)
    return {"passages": len(asked), "known": _known(store, asked)}


def _known(store: Path, asked: list[bytes]) -> int | None:
    try:
        size = len(Store(store).symbols)
    except ArtifactError:
        return None
    if not 0 < size <= LIMIT:
        return None
    with (store / FILES[0]).open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
        return sum(whole.find(one) >= 0 for one in asked)
