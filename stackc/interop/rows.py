"""Ids in rows, as trainers of `datasets` and `transformers` read them: a Parquet file, or a dataset in a folder.

A row is a document, or a block of equal size: the ids of all documents end to end, cut every N ids.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stackc.api.errors import StackcError
from stackc.api.extras import need
from stackc.api.files import no_wider, write_atomically
from stackc.api.messages import amount
from stackc.interop.export import Exported, Report, Tokens, part
from stackc.stack.store import Chunk

COLUMN = "input_ids"
"""The column of ids: the name that causal language models of `transformers` take."""

GROUP_IDS = 1 << 22
"""Ids of a row group, about."""


def export_parquet(
    tokens: Tokens, out: Path, *, block: int | None = None, report: Report = lambda done: None
) -> Exported:
    """Write rows to a Parquet file.

    Columns: input_ids list<uint16 or uint32>; without `block`, document int64 and source_bytes int64 too. The file's
    key-value metadata has ``stackc.stack`` (SHA-256), ``stackc.level``, ``stackc.vocab_size`` and ``stackc.eos``. A row
    group has about four million ids. A whole document must fit in memory.

    Args:
        tokens: what to write.
        out: the file.
        block: ids in a row; None: a document in a row. Ids at the end that do not fill a row are left out.
        report: progress.

    Raises:
        StackcError: pyarrow is not installed; a block below 1, or longer than the text; see `Tokens.started`.
    """
    pa, pq = (need(module, "parquet", "export to Parquet") for module in ("pyarrow", "pyarrow.parquet"))
    made = tokens.started()
    tables = _blocks(pa, tokens, made, _checked(block), report) if block else _documents(pa, tokens, made, report)
    schema = _schema(pa, tokens, made, block)
    with write_atomically(out, no_wider(*tokens.files)) as file, pq.ParquetWriter(file, schema) as writer:
        for table in tables:
            writer.write_table(table)
            made.rows += table.num_rows
        if block and not made.rows:
            raise StackcError(
                f"--block {block}: the text has {amount(made.left_out, 'id')}, less than a row; choose a smaller block"
            )
    return made


def export_dataset(
    tokens: Tokens, out: Path, *, block: int | None = None, report: Report = lambda done: None
) -> Exported:
    """Write the rows of `export_parquet` as a folder for ``datasets.load_from_disk``.

    Args:
        tokens: what to write.
        out: the folder; files of the same names that it has are replaced.
        block: see `export_parquet`.
        report: progress.

    Raises:
        StackcError: `datasets` or pyarrow is not installed; a block below 1, or longer than the text; see
            `Tokens.started`.
    """
    datasets = need("datasets", "datasets", "export a dataset")
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.absolute().parent) as scratch:
        table, cache, folder = (Path(scratch) / name for name in ("rows.parquet", "cache", "dataset"))
        made = export_parquet(tokens, table, block=block, report=report)
        datasets.disable_progress_bars()
        rows = datasets.Dataset.from_parquet(str(table), cache_dir=str(cache))
        rows.info.description = ", ".join(f"{key} {value}" for key, value in _metadata(tokens, made).items())
        rows.save_to_disk(str(folder))
        if out.is_dir() and not any(out.iterdir()):
            out.rmdir()
        if out.is_dir():
            shutil.copytree(folder, out, dirs_exist_ok=True)
        else:
            folder.replace(out)
    return made


def _checked(block: int) -> int:
    if block < 1:
        raise StackcError(f"--block {block}: a row has at least one id")
    return block


def _metadata(tokens: Tokens, made: Exported) -> dict[str, str]:
    known = {"stack": tokens.stack.sha256, "level": tokens.level_name, "vocab_size": made.ids, "eos": made.eos}
    return {f"stackc.{key}": str(value) for key, value in known.items() if value is not None}


def _schema(pa: Any, tokens: Tokens, made: Exported, block: int | None) -> Any:
    ids = pa.field(COLUMN, pa.list_(getattr(pa, made.dtype)()))
    whole = [] if block else [pa.field("document", pa.int64()), pa.field("source_bytes", pa.int64())]
    return pa.schema([*whole, ids], metadata=_metadata(tokens, made))


def _table(pa: Any, schema: Any, values: npt.NDArray[Any], offsets: npt.NDArray[Any], *others: Any) -> Any:
    ids = pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), pa.array(values))
    return pa.table([*others, ids], schema=schema)


def _documents(pa: Any, tokens: Tokens, made: Exported, report: Report) -> Iterator[Any]:
    schema = _schema(pa, tokens, made, None)
    for chunk in _whole(tokens.chunks()):
        number = len(chunk.source_bytes)
        values, offsets = chunk.symbols.astype(made.dtype), chunk.offsets
        if made.eos is not None:
            values, offsets = np.insert(values, offsets[1:], made.eos), offsets + np.arange(number + 1)
        index = pa.array(np.arange(made.documents, made.documents + number))
        yield _table(pa, schema, values, offsets, index, pa.array(chunk.source_bytes))
        made.add(number, chunk, report)


def _blocks(pa: Any, tokens: Tokens, made: Exported, block: int, report: Report) -> Iterator[Any]:
    schema = _schema(pa, tokens, made, block)
    held: list[npt.NDArray[Any]] = []
    waiting = 0
    for values in tokens.runs(made, report):
        held.append(values)
        waiting += len(values)
        if waiting >= max(block, GROUP_IDS):
            joined = np.concatenate(held)
            rows = len(joined) // block
            yield _table(pa, schema, joined[: rows * block], np.arange(rows + 1) * block)
            held, waiting = [joined[rows * block :]], len(joined) - rows * block
    joined = np.concatenate(held) if held else np.zeros(0, made.dtype)
    rows = len(joined) // block
    if rows:
        yield _table(pa, schema, joined[: rows * block], np.arange(rows + 1) * block)
    made.left_out = len(joined) - rows * block


def _whole(chunks: Iterator[tuple[Chunk, bool]]) -> Iterator[Chunk]:
    """Whole documents: parts of one document are joined."""
    held: list[Chunk] = []
    for chunk, ended in chunks:
        if not ended:
            held.append(chunk)
        elif held:
            parts = [*held, chunk]
            wide = np.concatenate([one.symbols for one in parts])
            yield part(wide, int(sum(one.source_bytes.sum() for one in parts)))
            held = []
        else:
            yield chunk
