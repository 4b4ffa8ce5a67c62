"""Corpus readers of tables: `parquet` files, and `datasets` of Hugging Face. Each needs an extra of its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackc.api import Register, hookimpl, require
from stackc_datasets.config import DatasetsConfig, ParquetConfig

if TYPE_CHECKING:
    from stackc_datasets.parquet import ParquetReader
    from stackc_datasets.reader import DatasetsReader

__all__ = ["DatasetsConfig", "ParquetConfig"]


def _parquet(config: ParquetConfig) -> ParquetReader:
    require("pyarrow.parquet", "parquet", "parquet")
    from stackc_datasets.parquet import ParquetReader

    return ParquetReader(config)


def _datasets(config: DatasetsConfig) -> DatasetsReader:
    require("datasets", "datasets", "datasets")
    from stackc_datasets.reader import DatasetsReader

    return DatasetsReader(config)


@hookimpl
def stackc_register_readers(register: Register) -> None:
    register(
        "datasets", _datasets, DatasetsConfig, "Hugging Face datasets, streamed: of the Hub, saved, or local files"
    )
    register("parquet", _parquet, ParquetConfig, "a column of parquet files, by glob")
