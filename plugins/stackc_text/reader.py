"""Documents of a split: finds its files, reads each as its suffix says, cuts long documents."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from stackc.api import CorpusError, corpus_files
from stackc_text.config import TextConfig
from stackc_text.decompress import Kind, kind_of, open_pieces
from stackc_text.lines import json_texts


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
        found = corpus_files(split, getattr(self.config, split))
        for path in found:
            kind_of(path)  # an unknown suffix is reported before the first file is read
        return found

    def _file(self, path: Path) -> Iterator[bytes]:
        size, window = self.config.document_bytes, self.config.zst_window
        if kind_of(path).kind is Kind.TEXT:
            yield from _regroup(open_pieces(path, size, window), size)
            return
        for text in json_texts(path, open_pieces(path, 1 << 16, window)):
            yield from _regroup([text], size)


def _add(digest: Any, document: bytes) -> None:
    digest.update(len(document).to_bytes(8, "little"))
    digest.update(document)


def _regroup(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in pieces of exactly `size` and a rest; one empty piece if there is nothing."""
    held = bytearray()
    first = True
    for piece in pieces:
        held += piece
        while len(held) > size:
            yield bytes(held[:size])
            first = False
            del held[:size]
    if held or first:
        yield bytes(held)


def _count(paths: list[Path]) -> str:
    return "one file" if len(paths) == 1 else f"{len(paths)} files"
