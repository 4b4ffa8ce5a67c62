"""What corpus readers promise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # numpy takes a quarter of the time of `stackc plugins list`, which needs no array
    pass


class Reader(Protocol):
    """Streams the documents of a corpus, never holding all of it in memory."""

    def documents(self, split: str) -> Iterator[bytes]:
        """The documents of a split ("train", "valid" or "test"), in a fixed order.

        Raises:
            CorpusError: no such file, or one that cannot be read.
        """

    def fingerprint(self, split: str) -> str:
        """A hash of everything that `documents` would yield: of content, not of names or times."""
