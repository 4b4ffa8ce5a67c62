"""What corpus readers promise."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from stackc.api.errors import CorpusError


class Reader(Protocol):
    """Streams the documents of a corpus, never holding all of it in memory.

    Optional, found by `hasattr`: ``files(split) -> list[Path] | None``, the local files on which the documents of a
    split depend, in a fixed order; None if they depend on anything else. While none of them changes, stackc remembers
    the split's fingerprint from one build to the next.
    """

    def documents(self, split: str) -> Iterator[bytes]:
        """The documents of a split ("train", "valid" or "test"), in a fixed order.

        Raises:
            CorpusError: no such file, or one that cannot be read.
        """

    def fingerprint(self, split: str) -> str:
        """A hash of everything that `documents` would yield: of content, not of names or times."""


class HashedReader:
    """A `Reader` whose fingerprint is a hash of its documents, and that notices if they change after it was taken.

    A subclass writes `read`. It may write `files` too (see `Reader`), and `read_file` if a split's documents are those
    of its files one after another: then worker processes read the files, and the fingerprint is computed from what
    they read. So a build reads such a corpus once.
    """

    def __init__(self) -> None:
        self._fingerprints: dict[str, str] = {}

    def read(self, split: str) -> Iterator[bytes]:
        """The documents of a split, see `Reader.documents`."""
        raise NotImplementedError

    def files(self, split: str) -> list[Path] | None:
        """The files of a split, see `Reader`; those of one without text are an empty list."""
        return None

    def read_file(self, split: str, path: Path) -> Iterator[bytes]:
        """The documents of one of `files`. A split without any text is an error of `read` alone."""
        raise NotImplementedError

    def documents(self, split: str) -> Iterator[bytes]:
        """The documents of "train", "valid" or "test".

        Raises:
            CorpusError: as `read`, or documents that are not those of the fingerprint taken before.
        """
        digest = hashlib.sha256()
        for document in self.read(split):
            digest.update(framed(document))
            yield document
        if self._fingerprints.get(split, digest.hexdigest()) != digest.hexdigest():
            raise changed_while_read(split)

    def fingerprint(self, split: str) -> str:
        """SHA-256 over every document's length (8 bytes, little-endian) and content."""
        digest = hashlib.sha256()
        for document in self.read(split):
            digest.update(framed(document))
        self._fingerprints[split] = digest.hexdigest()
        return self._fingerprints[split]


def framed(document: bytes) -> bytes:
    """A document as `HashedReader.fingerprint` hashes it."""
    return len(document).to_bytes(8, "little") + document


def changed_while_read(split: str) -> CorpusError:
    """The error for documents that are not those of the split's fingerprint."""
    return CorpusError(f"corpus.{split}: its text changed while it was read; run the command again")
