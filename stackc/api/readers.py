"""What corpus readers promise."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Protocol

from stackc.api.errors import CorpusError


class Reader(Protocol):
    """Streams the documents of a corpus, never holding all of it in memory."""

    def documents(self, split: str) -> Iterator[bytes]:
        """The documents of a split ("train", "valid" or "test"), in a fixed order.

        Raises:
            CorpusError: no such file, or one that cannot be read.
        """

    def fingerprint(self, split: str) -> str:
        """A hash of everything that `documents` would yield: of content, not of names or times."""


class HashedReader:
    """A `Reader` whose fingerprint is a hash of its documents, and that notices if they change after it was taken.

    A subclass writes `read`.
    """

    def __init__(self) -> None:
        self._fingerprints: dict[str, str] = {}

    def read(self, split: str) -> Iterator[bytes]:
        """The documents of a split, see `Reader.documents`."""
        raise NotImplementedError

    def documents(self, split: str) -> Iterator[bytes]:
        """The documents of "train", "valid" or "test".

        Raises:
            CorpusError: as `read`, or documents that are not those of the fingerprint taken before.
        """
        digest = hashlib.sha256()
        for document in self.read(split):
            digest.update(_framed(document))
            yield document
        if self._fingerprints.get(split, digest.hexdigest()) != digest.hexdigest():
            raise CorpusError(f"corpus.{split}: its text changed while it was read; run the command again")

    def fingerprint(self, split: str) -> str:
        """SHA-256 over every document's length (8 bytes, little-endian) and content."""
        digest = hashlib.sha256()
        for document in self.read(split):
            digest.update(_framed(document))
        self._fingerprints[split] = digest.hexdigest()
        return self._fingerprints[split]


def _framed(document: bytes) -> bytes:
    return len(document).to_bytes(8, "little") + document
