"""A stack's tokens in files for other programs: Parquet or a flat .bin.

Documents come from a split of the stack's token store, or from files, one document each, and are written in runs: a
whole split may be larger than memory.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from stackc.api.errors import ArtifactError
from stackc.api.extras import need
from stackc.api.files import Counted, is_special, no_wider, read_pieces, write_atomically
from stackc.stack.stack import Stack
from stackc.stack.store import Chunk, Store

Report = Callable[[int], None]
"""Called with the source bytes that were processed since the last call."""


@attrs.define(kw_only=True)
class Exported:
    """The counts of what was written.

    Attributes:
        dtype: of a token: "uint16" or "uint32".
        ids: number of ids, including the id for the end of a document.
        documents, tokens: numbers of them, without end-of-document ids.
        source_bytes: bytes that the tokens represent.
    """

    dtype: str
    ids: int
    documents: int = 0
    tokens: int = 0
    source_bytes: int = 0

    def add(self, documents: int, chunk: Chunk, report: Report) -> None:
        size = int(chunk.source_bytes.sum())
        self.documents += documents
        self.tokens += len(chunk.symbols)
        self.source_bytes += size
        report(size)


@attrs.frozen(kw_only=True)
class Tokens:
    """The tokens to export.

    Args:
        stack: the stack.
        level: the level of the tokens; None: the last.
        split: part of the stack's own text, if there are no files.
        files: one document each.
    """

    stack: Stack
    level: str | None = None
    split: str = "train"
    files: tuple[Path, ...] = ()

    @property
    def alphabet(self) -> int:
        return self.stack.token_alphabet(self.level)

    @property
    def source_bytes(self) -> int | None:
        """Bytes to process; None if a file's size is unknown."""
        if self.files:
            return sum(file.stat().st_size for file in self.files) if all(map(Path.is_file, self.files)) else None
        return int(self._store.source_bytes.sum())

    @property
    def _store(self) -> Store:
        levels = self.stack.recipe.levels[: self.stack.level_index(self.level)]
        folder = self.stack.folder / (f"{levels[-1].name}/tokens" if levels else "corpus") / self.split
        if not (folder / "store.json").is_file():
            raise ArtifactError(f"{folder}: the stack has no tokens of its text {self.split!r}; name files to encode")
        return Store(folder)

    def chunks(self) -> Iterator[tuple[Chunk, bool]]:
        """Runs of documents, and whether the last document ends here (else the next run continues it)."""
        if not self.files:
            for chunk in self._store.chunks():
                yield chunk, True
        for file in self.files:
            pieces, done = Counted(read_pieces(file)), 0
            for tokens in self.stack.encode_stream(pieces, self.level):
                yield _part(tokens, pieces.size - done), False
                done = pieces.size
            yield _part(np.zeros(0, np.uint8), pieces.size - done), True


def _part(tokens: Any, source_bytes: int) -> Chunk:
    return Chunk(symbols=tokens, offsets=np.array([0, len(tokens)]), source_bytes=np.array([source_bytes], np.int64))


def export_bin(tokens: Tokens, out: Path, *, eos: bool = False, report: Report = lambda done: None) -> Exported:
    """Write all tokens end to end, little-endian, and ``OUT.json`` next to them, which describes them.

    Args:
        out: uint16 if every id is below 2^16, else uint32; a device or a pipe gets no ``OUT.json``.
        eos: write the id one past the alphabet after each document: the first special token of a `StackTokenizer`.
    """
    end = tokens.alphabet if eos else None
    ids = tokens.alphabet + eos
    kind = np.dtype("<u2" if ids <= 1 << 16 else "<u4")
    made = Exported(dtype=kind.name, ids=ids)
    with write_atomically(out, no_wider(*tokens.files)) as file:
        for chunk, ended in tokens.chunks():
            ends = chunk.offsets[1:] if ended else chunk.offsets[1:-1]
            values = chunk.symbols.astype(kind)
            file.write((values if end is None else np.insert(values, ends, end)).tobytes())
            made.add(len(ends), chunk, report)
    levels = tokens.stack.recipe.levels[: tokens.stack.level_index(tokens.level)]
    meta = {
        "format": 1,
        "dtype": made.dtype,
        "vocab_size": ids,
        "eos": end,
        "documents": made.documents,
        "tokens": made.tokens + (made.documents if eos else 0),
        "source_bytes": made.source_bytes,
        "stack": tokens.stack.sha256,
        "level": levels[-1].name if levels else None,
    }
    if (beside := meta_name(out)) is not None:
        with write_atomically(beside) as file:
            file.write(json.dumps(meta, indent=1).encode())
    return made


def meta_name(out: Path) -> Path | None:
    """The file in which `export_bin` describes its output: ``OUT.json``; None for a device or a pipe."""
    return None if is_special(out) else out.with_name(f"{out.name}.json")


def export_parquet(tokens: Tokens, out: Path, *, report: Report = lambda done: None) -> Exported:
    """Write one row per document: document int64, source_bytes int64, tokens list<uint16 or uint32>.

    A row group is a run of documents of about four million tokens. A whole document must fit in memory.

    Raises:
        StackcError: pyarrow is not installed.
    """
    pa, pq = (need(module, "parquet", "export to Parquet") for module in ("pyarrow", "pyarrow.parquet"))
    wide = tokens.alphabet > 1 << 16
    item, kind = (pa.uint32(), np.uint32) if wide else (pa.uint16(), np.uint16)
    schema = pa.schema([("document", pa.int64()), ("source_bytes", pa.int64()), ("tokens", pa.list_(item))])
    made = Exported(dtype=np.dtype(kind).name, ids=tokens.alphabet)
    with write_atomically(out, no_wider(*tokens.files)) as file, pq.ParquetWriter(file, schema) as writer:
        for chunk in _whole(tokens.chunks()):
            number = len(chunk.source_bytes)
            column = pa.ListArray.from_arrays(
                pa.array(chunk.offsets.astype(np.int32)), pa.array(chunk.symbols.astype(kind))
            )
            index = pa.array(np.arange(made.documents, made.documents + number))
            writer.write_table(pa.table([index, pa.array(chunk.source_bytes), column], schema=schema))
            made.add(number, chunk, report)
    return made


def _whole(chunks: Iterator[tuple[Chunk, bool]]) -> Iterator[Chunk]:
    """Whole documents: parts of one document are joined."""
    held: list[Chunk] = []
    for chunk, ended in chunks:
        if not ended:
            held.append(chunk)
        elif held:
            parts = [*held, chunk]
            wide = np.concatenate([part.symbols for part in parts])
            yield _part(wide, int(sum(part.source_bytes.sum() for part in parts)))
            held = []
        else:
            yield chunk
