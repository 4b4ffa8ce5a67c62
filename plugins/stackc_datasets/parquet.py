"""The reader `parquet`: one column of parquet files, a batch of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from stackc.api import corpus_files
from stackc_datasets.config import ParquetConfig
from stackc_datasets.documents import TableReader, check_column, reading, wrong_type

BATCH = 256
"""Rows that are held at once."""

BUFFER = 1 << 20
"""Bytes that are read ahead of what is needed."""


class ParquetReader(TableReader):
    """Each row of a file is a document. A row group is read page by page, and never held whole."""

    def __init__(self, config: ParquetConfig) -> None:
        super().__init__(config.document_bytes)
        self._config = config

    def rows(self, split: str) -> Iterator[bytes] | None:
        paths = self.files(split)
        return self._rows(paths) if paths else None

    def files(self, split: str) -> list[Path]:
        """The files of a split. Raises `CorpusError` for a pattern that matches none."""
        patterns = getattr(self._config, split)
        return corpus_files(split, patterns) if patterns else []

    def read_file(self, split: str, path: Path) -> Iterator[bytes]:
        """The documents of one file. Raises `CorpusError` if it cannot be read."""
        return self.cut(self._rows([path]))

    def _rows(self, paths: list[Path]) -> Iterator[bytes]:
        for path in paths:
            with (
                reading(str(path), " as parquet"),
                pq.ParquetFile(path, buffer_size=BUFFER, pre_buffer=False, page_checksum_verification=True) as file,
            ):
                yield from self._column(path, file)

    def _column(self, path: Path, file: pq.ParquetFile) -> Iterator[bytes]:
        column = self._config.column
        check_column(str(path), column, file.schema_arrow.names)
        kind = file.schema_arrow.field(column).type
        inner = kind.value_type if pa.types.is_dictionary(kind) else kind
        if not any(is_kind(inner) for is_kind in _KINDS):
            raise wrong_type(str(path), column, kind)
        for batch in file.iter_batches(batch_size=BATCH, columns=[column]):
            values = batch.column(0)
            plain = values.dictionary_decode() if pa.types.is_dictionary(values.type) else values
            # Not decoded to text and back: invalid UTF-8 passes through unchanged.
            yield from (row for row in plain.cast(pa.large_binary()).to_pylist() if row is not None)


_KINDS = (
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_binary_view,
    pa.types.is_fixed_size_binary,
)
