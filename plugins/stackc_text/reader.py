"""Documents of a split: finds its files, reads each as its suffix says, cuts long documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from stackc.api import CorpusError, HashedReader, corpus_files
from stackc_text.config import TextConfig
from stackc_text.decompress import kind_of, open_pieces
from stackc_text.lines import json_texts


class TextReader(HashedReader):
    """Each text file is a document, each line of a JSON-lines file another.

    A document longer than ``document_bytes`` becomes several of that size and a rest. A level cuts documents
    into segments anyway, so a cut costs at most one shorter segment: of a hundred at the default sizes
    (2^20 bytes, segments of 10,240). No more than two pieces are held in memory.
    """

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.config = config

    def read(self, split: str) -> Iterator[bytes]:
        """The documents of a split: pattern by pattern, files in sorted order, each file once.

        A split without patterns has no documents.

        Raises:
            CorpusError: a pattern without a file, a file that cannot be read, or a split without a byte.
        """
        paths = self.files(split)
        total = 0
        for path in paths:
            for document in self.read_file(split, path):
                total += len(document)
                yield document
        if paths and total == 0:
            raise CorpusError(f"corpus.{split}: {_count(paths)} without any text in it ({paths[0]})")

    def files(self, split: str) -> list[Path]:
        """The files of a split. Raises `CorpusError` for a pattern that matches none."""
        found = corpus_files(split, getattr(self.config, split))
        for path in found:
            kind_of(path)  # an unknown suffix is reported before the first file is read
        return found

    def read_file(self, split: str, path: Path) -> Iterator[bytes]:
        """The documents of one file. Raises `CorpusError` if it cannot be read."""
        size, window = self.config.document_bytes, self.config.zst_window
        if not kind_of(path).json_lines:
            yield from _regroup(open_pieces(path, size, window), size)
            return
        for text in json_texts(path, open_pieces(path, 1 << 16, window)):
            yield from _regroup([text], size)


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
