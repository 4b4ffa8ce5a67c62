"""The reader `datasets`: Hugging Face datasets, streamed row by row."""

from __future__ import annotations

import contextlib
import glob
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import datasets

from stackc.api import CorpusError, corpus_files
from stackc_datasets.config import DatasetsConfig
from stackc_datasets.documents import TableReader, check_column, reading, wrong_type
from stackc_datasets.opening import check_packed, unpacking

_TYPES = ("string", "large_string", "binary", "large_binary")


class DatasetsReader(TableReader):
    """Each row is a document, of a dataset of the Hub, a saved one, or local files. No code of a dataset is run."""

    def __init__(self, config: DatasetsConfig) -> None:
        if problems := config.problems(256, None):
            raise CorpusError(f"corpus: {problems[0]}")
        super().__init__(config.document_bytes)
        self._config = config

    def rows(self, split: str) -> Iterator[bytes] | None:
        config = self._config
        files = self.files(split)
        if files is not None:
            return self._of_files(f"corpus.{split}_files", [str(path) for path in files]) if files else None
        name = getattr(config, split)
        if name is None:
            return None
        if config.name is not None:
            return self._rows(f"{config.name}, split {name}", lambda: self._hub(name))
        return self._rows(f"{self._folder()}, split {name}", lambda: self._saved(name))

    def files(self, split: str) -> list[Path] | None:
        """The local files of a split, which are read as one dataset; None for any other source."""
        if self._config.format is None:
            return None
        patterns = getattr(self._config, f"{split}_files")
        return corpus_files(f"{split}_files", patterns) if patterns else []

    def _of_files(self, where: str, files: list[str]) -> Iterator[bytes]:
        """The rows of local files, read as one dataset; errors name the file in which they are found."""
        try:
            yield from self._rows(where, lambda: self._local(files))
            return
        except CorpusError as error:
            found = error
        # The library does not say where it was: look at the files one by one.
        for file in files:
            check_packed(file, self._config.zst_window)
            for _ in self._rows(file, lambda: self._local([file])):  # noqa: B023  called at once
                pass
        raise found

    def _local(self, files: list[str]) -> Any:
        config = self._config
        options: dict[str, Any] = {}
        if config.format == "csv":  # pandas would take some texts for numbers (1.50) and others for nothing (NA, null)
            options = {"converters": {config.column: str}, "keep_default_na": False, "na_filter": False}
        names = {"all": [glob.escape(file) for file in files]}  # the library takes names for patterns
        return datasets.load_dataset(config.format, data_files=names, split="all", streaming=True, **options)

    def _hub(self, split: str) -> Any:
        config = self._config
        return datasets.load_dataset(config.name, config.config, split=split, revision=config.revision, streaming=True)

    def _folder(self) -> str:
        saved = self._config.saved
        folders = (saved,) if isinstance(saved, str) else saved
        if len(folders) != 1:
            raise CorpusError(f"corpus.saved: one folder, not {len(folders)}")
        return folders[0]

    def _saved(self, split: str) -> Any:
        """A saved dataset is its own split "train"; a saved dictionary of datasets has splits."""
        loaded = datasets.load_from_disk(self._folder())
        parts = loaded if isinstance(loaded, datasets.DatasetDict) else {"train": loaded}
        if split not in parts:
            raise CorpusError(f"{self._folder()}: no split {split!r}; there are {', '.join(parts)}")
        return parts[split]

    def _rows(self, where: str, load: Any) -> Iterator[bytes]:
        column = self._config.column
        with _without_log(), unpacking(self._config.zst_window):
            with reading(where):
                data = load()
            if data.features is not None:
                check_column(where, column, data.features)
                kind = getattr(data.features[column], "dtype", type(data.features[column]).__name__)
                if kind not in _TYPES:
                    raise wrong_type(where, column, kind)
                data = data.select_columns([column])
            for number, row in enumerate(_read(where, data), 1):
                check_column(f"{where}, row {number}", column, row)
                value = row[column]
                if isinstance(value, str):
                    yield value.encode("utf-8", "surrogatepass")
                elif isinstance(value, bytes):
                    yield value
                elif value is not None:
                    raise wrong_type(f"{where}, row {number}", column, type(value).__name__)


@contextlib.contextmanager
def _without_log() -> Iterator[None]:
    """The library logs what it raises as well; once is enough."""
    before = datasets.logging.get_verbosity()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    try:
        yield
    finally:
        datasets.logging.set_verbosity(before)


def _read(where: str, data: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    with reading(where):
        yield from data
