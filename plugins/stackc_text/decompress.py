"""What a file is, by its suffixes, and its bytes in pieces, whatever it is compressed with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO

import attrs

from stackc.api import CorpusError, unpacked

COMPRESSED = (".gz", ".xz", ".zst")
TEXT = (".txt", ".md")
JSON_LINES = (".jsonl", ".json")  # C4 ships JSON lines as .json.gz
ARCHIVES = (".tar", ".zip", ".7z")


@attrs.frozen(kw_only=True)
class FileKind:
    """Whether a file holds JSON lines, not plain text, and how it is compressed ("" for not at all)."""

    json_lines: bool
    compression: str


def kind_of(path: Path) -> FileKind:
    """Read off the suffixes: ``.txt .md`` text, ``.jsonl .json`` JSON lines, either with ``.gz .xz .zst`` after.

    A compressed file with any other suffix inside (``dump.gz``, ``notes.en.xz``) is text.

    Raises:
        CorpusError: some other suffix, or an archive of several files.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    compression = suffixes.pop() if suffixes and suffixes[-1] in COMPRESSED else ""
    inner = suffixes[-1] if suffixes else ""
    if inner in JSON_LINES:
        return FileKind(json_lines=True, compression=compression)
    if inner in TEXT or (compression and inner not in ARCHIVES):
        return FileKind(json_lines=False, compression=compression)
    raise CorpusError(
        f"{path}: the text reader does not know {inner or 'a file without a suffix'}; it reads .txt, .md and .jsonl, "
        "each plain or followed by .gz, .xz or .zst"
    )


def open_pieces(path: Path, size: int, zst_window: int) -> Iterator[bytes]:
    """The content of a file, unpacked, in pieces: of `size` bytes, or those of `stackc.api.unpacked`.

    Raises:
        CorpusError: it is missing, unreadable or damaged, or needs a package that is not installed.
    """
    compression = kind_of(path).compression
    try:
        with path.open("rb") as raw:
            yield from unpacked(raw, compression, str(path), zst_window) if compression else _plain(raw, size)
    except OSError as error:
        raise CorpusError(f"{path}: cannot read ({error.strerror or error})") from error


def _plain(raw: IO[bytes], size: int) -> Iterator[bytes]:
    while piece := raw.read(size):
        yield piece
