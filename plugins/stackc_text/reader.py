"""Documents of a split: finds its files, reads each as its suffix says, cuts what is too long."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackc.api import CorpusError
from stackc_text.lines import json_texts
from stackc_text.opening import Kind, kind_of, open_pieces

if TYPE_CHECKING:
    from stackc_text import TextConfig


class TextReader:
    """Each text file is a document, each line of a JSON-lines file another.

    A document longer than ``document_bytes`` becomes several of that size and a rest. A level cuts documents
    into segments anyway, so a cut costs at most one shorter segment: of a hundred at the default sizes
    (2^20 bytes, segments of 10,240). No more than two pieces are held in memory.
    """

    def __init__(self, config: TextConfig) -> None:
        self.config = config
        self._fingerprints: dict[str, str] = {}

    def documents(self, split: str) -> Iterator[bytes]:
        """The documents of "train", "valid" or "test": pattern by pattern, files in sorted order, each file once.

        A split without patterns has no documents.

        Raises:
            CorpusError: a pattern without a file, a file that cannot be read, a split without a byte, or documents
                that are not those of the fingerprint taken before.
        """
        digest = hashlib.sha256()
        for document in self._documents(split):
            _add(digest, document)
            yield document
        if self._fingerprints.get(split, digest.hexdigest()) != digest.hexdigest():
            raise CorpusError(f"corpus.{split}: its files changed while they were read; run the command again")

    def _documents(self, split: str) -> Iterator[bytes]:
        paths = self.files(split)
        total = 0
        for path in paths:
            for document in self._file(path):
                total += len(document)
                yield document
        if paths and total == 0:
            raise CorpusError(f"corpus.{split}: {_count(paths)} without any text in it ({paths[0]})")

    def fingerprint(self, split: str) -> str:
        """SHA-256 over every document's length (8 bytes, little-endian) and content."""
        digest = hashlib.sha256()
        for document in self._documents(split):
            _add(digest, document)
        self._fingerprints[split] = digest.hexdigest()
        return self._fingerprints[split]

    def files(self, split: str) -> list[Path]:
        """The files of a split. Raises `CorpusError` for a pattern that matches none."""
        patterns = getattr(self.config, split)
        found: dict[str, Path] = {}
        for pattern in (patterns,) if isinstance(patterns, str) else patterns:
            matches = sorted(glob.glob(pattern, recursive=True))
            files = [Path(match) for match in matches if os.path.isfile(match)]
            if not files:
                raise CorpusError(_no_match(split, pattern, matches))
            for path in files:
                kind_of(path)  # an unknown suffix is told before the first file is read
                found.setdefault(os.path.realpath(path), path)
        return list(found.values())

    def _file(self, path: Path) -> Iterator[bytes]:
        size = self.config.document_bytes
        if kind_of(path).kind is Kind.TEXT:
            yield from _regroup(open_pieces(path, size), size)
            return
        for text in json_texts(path, open_pieces(path, 1 << 16)):
            yield from _regroup([text], size)


def _add(digest: Any, document: bytes) -> None:
    digest.update(len(document).to_bytes(8, "little"))
    digest.update(document)


def _regroup(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in pieces of exactly `size` and a rest; one empty piece where there is nothing."""
    held = b""
    first = True
    for piece in pieces:
        held += piece
        start = 0
        while len(held) - start > size:
            yield held[start : start + size]
            start, first = start + size, False
        held = held[start:]
    if held or first:
        yield held


def _no_match(split: str, pattern: str, matches: list[str]) -> str:
    if matches and not any(os.path.isdir(match) for match in matches):
        return f"corpus.{split}: {pattern} is not an ordinary file"
    if matches:
        return f"corpus.{split}: {pattern} is a folder; name its files, such as {pattern.rstrip(os.sep)}{os.sep}*.txt"
    if glob.has_magic(pattern):
        return f"corpus.{split}: no file matches {pattern}"
    return f"corpus.{split}: no such file: {pattern}"


def _count(paths: list[Path]) -> str:
    return "one file" if len(paths) == 1 else f"{len(paths)} files"
