"""A stack's tokens on their way to files for other programs.

Documents come from a split of the stack's token store, or from files, one document each, and are written in groups: a
whole split may be larger than memory. `flat` and `rows` write them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from stackc.api.errors import ArtifactError, StackcError
from stackc.api.files import Counted, read_pieces
from stackc.interop.end_of_text import EndId, end_of_text
from stackc.stack.stack import Stack
from stackc.stack.store import Chunk, Store

Report = Callable[[int], None]
"""Called with the source bytes that were processed since the last call."""


@attrs.define(kw_only=True)
class Exported:
    """The counts of what was written.

    Attributes:
        dtype: of an id: "uint16" or "uint32".
        ids: number of different ids, the end of a text included.
        eos: the id of the end of a text; None: none is written.
        documents, tokens: numbers of them, without ends of texts.
        source_bytes: bytes that the tokens represent.
        rows: rows of a table that were written.
        left_out: ids at the end that did not fill a row.
    """

    dtype: str
    ids: int
    eos: int | None = None
    documents: int = 0
    tokens: int = 0
    source_bytes: int = 0
    rows: int = 0
    left_out: int = 0

    def add(self, documents: int, chunk: Chunk, report: Report) -> None:
        size = int(chunk.source_bytes.sum())
        self.documents += documents
        self.tokens += len(chunk.symbols)
        self.source_bytes += size
        report(size)


@attrs.frozen(kw_only=True)
class Tokens:
    """The tokens to export.

    Attributes:
        stack: the stack.
        level: the level of the tokens; None: the last.
        split: part of the stack's own text, if there are no files.
        files: one document each.
        eos: write an id after each document.
        eos_id: which one, see `end_of_text`.
        dtype: of an id; None: uint16 if every token fits, else uint32.
    """

    stack: Stack
    level: str | None = None
    split: str = "train"
    files: tuple[Path, ...] = ()
    eos: bool = False
    eos_id: EndId = "next"
    dtype: str | None = None

    @property
    def alphabet(self) -> int:
        return self.stack.token_alphabet(self.level)

    @property
    def level_name(self) -> str | None:
        """The level's name; None for bytes."""
        levels = self.stack.recipe.levels[: self.stack.level_index(self.level)]
        return levels[-1].name if levels else None

    @property
    def source_bytes(self) -> int | None:
        """Bytes to process; None if a file's size is unknown."""
        if self.files:
            return sum(file.stat().st_size for file in self.files) if all(map(Path.is_file, self.files)) else None
        return int(self._store.source_bytes.sum())

    @property
    def _store(self) -> Store:
        try:
            return self.stack.own_text(self.split, self.level_name)
        except ArtifactError as error:
            raise ArtifactError(f"{error}, or name files to encode") from error

    def started(self) -> Exported:
        """Counts of nothing, with the type of the ids and the end of a text.

        Raises:
            StackcError: ids that the type does not hold; an `eos_id` that the level does not have.
        """
        levels = self.stack.levels[: self.stack.level_index(self.level)]
        end = end_of_text(levels, self.alphabet, self.eos_id) if self.eos else None
        ids = max(self.alphabet, -1 if end is None else end + 1)
        kind = self.dtype or ("uint16" if self.alphabet <= 1 << 16 else "uint32")
        if ids > 1 << 16 and kind == "uint16":
            if self.alphabet > 1 << 16:
                raise StackcError(f"--dtype uint16: {self.alphabet:,} tokens do not fit; use --dtype uint32")
            raise StackcError(
                f"--eos: the id {end:,} does not fit into uint16; use --eos-id zero, if the level has a code that is "
                "never written, or --dtype uint32"
            )
        return Exported(dtype=kind, ids=ids, eos=end)

    def chunks(self) -> Iterator[tuple[Chunk, bool]]:
        """Groups of documents, and whether the last document ends here (else the next group continues it)."""
        if not self.files:
            for chunk in self._store.chunks():
                yield chunk, True
        for file in self.files:
            pieces, done = Counted(read_pieces(file)), 0
            for tokens in self.stack.encode_stream(pieces, self.level):
                yield part(tokens, pieces.size - done), False
                done = pieces.size
            yield part(np.zeros(0, np.uint8), pieces.size - done), True

    def runs(self, made: Exported, report: Report) -> Iterator[npt.NDArray[Any]]:
        """All ids in order, ends of texts included, group by group; counted in `made`."""
        for chunk, ended in self.chunks():
            ends = chunk.offsets[1:] if ended else chunk.offsets[1:-1]
            values = chunk.symbols.astype(np.dtype(made.dtype).newbyteorder("<"))
            yield values if made.eos is None else np.insert(values, ends, made.eos)
            made.add(len(ends), chunk, report)


def part(tokens: Any, source_bytes: int) -> Chunk:
    """A group with one document, or a part of one."""
    return Chunk(symbols=tokens, offsets=np.array([0, len(tokens)]), source_bytes=np.array([source_bytes], np.int64))
