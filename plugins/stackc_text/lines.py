"""JSON lines: one object with a ``text`` field on every line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from stackc.api import CorpusError

MAX_LINE = 64 << 20
"""Bytes of the longest line that is read: a line must be held whole to be understood."""


def json_texts(path: Path, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The ``text`` of every line, in UTF-8; blank lines are passed over, and lines whose text is null.

    Raises:
        CorpusError: with ``file:line``, for a line that is not such an object.
    """
    for number, line in enumerate(_lines(path, pieces), 1):
        if line.strip() and (text := _text(line, f"{path}:{number}")) is not None:
            yield text


def _text(line: bytes, where: str) -> bytes | None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{where}: not JSON ({error}); each line must be an object with a text field") from error
    if not isinstance(entry, dict):
        raise CorpusError(f"{where}: not a JSON object; each line must be an object with a text field")
    text = entry.get("text")
    if text is None and "text" in entry:
        return None  # as a row without a value of the other readers
    if not isinstance(text, str):
        found = "no text field" if "text" not in entry else f"a text field that is not a string ({text!r:.40})"
        raise CorpusError(f"{where}: {found}")
    return text.encode("utf-8", "surrogatepass")  # JSON can hold halves of surrogate pairs


def _lines(path: Path, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Lines without their end, whatever the size of the pieces; the last may lack its line end."""
    held: list[bytes] = []
    size = number = 0
    for piece in pieces:
        *ended, rest = piece.split(b"\n")
        for line in ended:
            number += 1
            yield b"".join([*held, line])
            held, size = [], 0
        held.append(rest)
        size += len(rest)
        if size > MAX_LINE:
            raise CorpusError(f"{path}:{number + 1}: a line of more than {MAX_LINE >> 20} MiB")
    if size:
        yield b"".join(held)
