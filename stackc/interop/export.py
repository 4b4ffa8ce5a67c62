"""A stack's tokens in the files of other programs: Parquet, a flat .bin, or a Hugging Face tokenizer's folder.

Documents come from a split of the stack's token store or from files, each a document; a run of them at a time.
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
from stackc.api.files import is_special, no_wider, read_pieces, write_atomically
from stackc.stack.stack import Stack
from stackc.stack.store import Chunk, Store

Report = Callable[[int], None]
"""Told the source bytes that were done since it was last told."""


@attrs.frozen(kw_only=True)
class Exported:
    """What was written.

    Attributes:
        documents, tokens: how many, end-of-document ids not counted.
        source_bytes: that they stand for.
        dtype: of a token: "uint16" or "uint32".
        ids: different ids that there may be, with that of the end of a document.
    """

    documents: int
    tokens: int
    source_bytes: int
    dtype: str
    ids: int


@attrs.frozen(kw_only=True)
class Tokens:
    """What to export.

    Args:
        stack: whose tokens.
        level: which ones; None: the last level's.
        split: of the stack's own text, where there are no files.
        files: each a document.
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
        """Bytes to come; None where a file does not say."""
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
        """Runs of documents, and whether the last one ends here (else its tokens go on in the next run)."""
        if not self.files:
            for chunk in self._store.chunks():
                yield chunk, True
        for file in self.files:
            size = 0

            def counted(path: Path = file) -> Iterator[bytes]:
                nonlocal size
                for piece in read_pieces(path):
                    size += len(piece)
                    yield piece

            done = 0
            for tokens in self.stack.encode_stream(counted(), self.level):
                yield _part(tokens, size - done), False
                done = size
            yield _part(np.zeros(0, np.uint8), size - done), True


def _part(tokens: Any, source_bytes: int) -> Chunk:
    return Chunk(symbols=tokens, offsets=np.array([0, len(tokens)]), source_bytes=np.array([source_bytes], np.int64))


def export_bin(tokens: Tokens, out: Path, *, eos: bool = False, report: Report = lambda done: None) -> Exported:
    """Write all tokens end to end, little-endian, and ``OUT.json`` beside them, which says what they are.

    Args:
        out: uint16 where every id is below 2^16, else uint32; a device or a pipe gets no ``OUT.json``.
        eos: after each document, the id one past the alphabet: the first special token of a `StackTokenizer`.
    """
    end = tokens.alphabet if eos else None
    ids = tokens.alphabet + eos
    kind = np.dtype("<u2" if ids <= 1 << 16 else "<u4")
    documents = count = size = 0
    with write_atomically(out, no_wider(*tokens.files)) as file:
        for chunk, ended in tokens.chunks():
            ends = chunk.offsets[1:] if ended else chunk.offsets[1:-1]
            values = chunk.symbols.astype(kind)
            file.write((values if end is None else np.insert(values, ends, end)).tobytes())
            documents, count, size = documents + len(ends), count + len(values), size + int(chunk.source_bytes.sum())
            report(int(chunk.source_bytes.sum()))
    levels = tokens.stack.recipe.levels[: tokens.stack.level_index(tokens.level)]
    meta = {
        "format": 1,
        "dtype": kind.name,
        "vocab_size": ids,
        "eos": end,
        "documents": documents,
        "tokens": count + (documents if eos else 0),
        "source_bytes": size,
        "stack": tokens.stack.sha256,
        "level": levels[-1].name if levels else None,
    }
    if (beside := meta_name(out)) is not None:
        with write_atomically(beside) as file:
            file.write(json.dumps(meta, indent=1).encode())
    return Exported(documents=documents, tokens=count, source_bytes=size, dtype=kind.name, ids=ids)


def meta_name(out: Path) -> Path | None:
    """Where `export_bin` says what it wrote: ``OUT.json``; None beside a device or a pipe."""
    return None if is_special(out) else out.with_name(f"{out.name}.json")


def export_parquet(tokens: Tokens, out: Path, *, report: Report = lambda done: None) -> Exported:
    """Write a row for each document: document int64, source_bytes int64, tokens list<uint16 or uint32>.

    A row group is a run of documents of about four million tokens; a document is held whole.

    Raises:
        StackcError: without pyarrow.
    """
    pa, pq = (need(module, "parquet", "export to Parquet") for module in ("pyarrow", "pyarrow.parquet"))
    wide = tokens.alphabet > 1 << 16
    item, kind = (pa.uint32(), np.uint32) if wide else (pa.uint16(), np.uint16)
    schema = pa.schema([("document", pa.int64()), ("source_bytes", pa.int64()), ("tokens", pa.list_(item))])
    documents = count = size = 0
    with write_atomically(out, no_wider(*tokens.files)) as file, pq.ParquetWriter(file, schema) as writer:
        for chunk in _whole(tokens.chunks()):
            number = len(chunk.source_bytes)
            column = pa.ListArray.from_arrays(
                pa.array(chunk.offsets.astype(np.int32)), pa.array(chunk.symbols.astype(kind))
            )
            index = pa.array(np.arange(documents, documents + number))
            writer.write_table(pa.table([index, pa.array(chunk.source_bytes), column], schema=schema))
            documents, count, size = (
                documents + number, count + len(chunk.symbols), size + int(chunk.source_bytes.sum())
            )  # fmt: skip
            report(int(chunk.source_bytes.sum()))
    return Exported(
        documents=documents, tokens=count, source_bytes=size, dtype=np.dtype(kind).name, ids=tokens.alphabet
    )


def _whole(chunks: Iterator[tuple[Chunk, bool]]) -> Iterator[Chunk]:
    """Documents that came in parts, each in one."""
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
