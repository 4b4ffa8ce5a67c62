"""The reader `parquet`: every type of text, and every way in which a file can be wrong."""

from __future__ import annotations

import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stackc.api import CorpusError, PluginError
from stackc.parts.registry import registry
from stackc.testing import ReaderContract
from stackc_datasets import ParquetConfig
from stackc_datasets.parquet import ParquetReader


def reader(**fields: Any) -> ParquetReader:
    return ParquetReader(ParquetConfig(**fields))


def write(path: Path, values: list[Any], kind: Any = None, column: str = "text", **more: Any) -> Path:
    table = pa.table({"id": list(range(len(values))), column: pa.array(values, kind)})
    pq.write_table(table, path, **more)
    return path


def read(path: Path | str, **fields: Any) -> list[bytes]:
    return list(reader(train=str(path), **fields).documents("train"))


def complaint(path: Path | str, **fields: Any) -> str:
    with pytest.raises(CorpusError) as caught:
        read(path, **fields)
    assert "\n" not in str(caught.value)
    return str(caught.value)


class TestParquetContract(ReaderContract):
    def make(self, folder: Path) -> tuple[ParquetReader, dict[str, list[bytes]]]:
        write(folder / "a.parquet", ["one", "", None, "zwölf"], row_group_size=2)
        write(folder / "b.parquet", [b"\xff\0", b"two"])
        write(folder / "held.parquet", ["three"])
        made = reader(train=(str(folder / "?.parquet"), str(folder / "a*")), valid=str(folder / "held.parquet"))
        return made, {"train": [b"one", b"", "zwölf".encode(), b"\xff\0", b"two"], "valid": [b"three"], "test": []}

    def make_missing(self, folder: Path) -> ParquetReader:
        return reader(train=str(folder / "*.parquet"))


@pytest.mark.parametrize(
    "kind",
    [
        pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary(), pa.binary_view(),
        pa.dictionary(pa.int32(), pa.string()),
    ],
    ids=str,
)  # fmt: skip
def test_every_type_of_text(kind: Any, tmp_path: Path) -> None:
    assert read(write(tmp_path / "a.parquet", ["one", None, "two"], kind)) == [b"one", b"two"]


def test_long_rows_are_cut(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", ["x" * 2500, "y"], column="body")
    found = read(tmp_path / "a.parquet", column="body", document_bytes=1024)
    assert [len(one) for one in found] == [1024, 1024, 452, 1]


def test_what_is_wrong(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", ["one"], column="texts")
    assert complaint(path) == f"{path}: no column 'text'; did you mean 'texts'? (corpus.column)"
    assert "no column 'zzz'; there are id, texts" in complaint(path, column="zzz")
    assert "column 'id' holds int64, neither text nor bytes" in complaint(path, column="id")
    assert "no file matches" in complaint(tmp_path / "*.none")
    assert "corpus.train: no text in it" in complaint(write(tmp_path / "b.parquet", [None, ""], pa.string()))


def test_two_columns_of_one_name(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table([["one"], ["two"], ["x"]], names=["text", "text", "id"]), path)
    assert complaint(path) == f"{path}: 2 columns are named 'text'; rename all but one"
    pq.write_table(pa.table([["one"], ["two"], ["x"]], names=["text", "id", "id"]), path)
    assert read(path) == [b"one"]


@pytest.mark.parametrize("kind", [OverflowError, RuntimeError, KeyError, pa.ArrowMemoryError])
def test_whatever_the_library_raises(kind: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.parquet", ["one"])

    def opened(*args: Any, **kwargs: Any) -> Any:
        raise kind("words")

    monkeypatch.setattr(pq, "ParquetFile", opened)
    assert complaint(path).startswith(f"{path}: cannot be read as parquet (")


def test_damaged_files(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.parquet", [f"row {i} " * 20 for i in range(2000)], row_group_size=500, write_page_checksum=True
    )
    good = path.read_bytes()
    for bad in (b"", b"no parquet", good[:-9], good[: len(good) // 2]):
        path.write_bytes(bad)
        assert f"{path}: cannot be read as parquet" in complaint(path)
    bad_page = bytearray(good)
    bad_page[len(good) // 3] ^= 0xFF
    path.write_bytes(bad_page)
    assert f"{path}: cannot be read as parquet" in complaint(path)


def test_a_large_row_group_is_not_held(tmp_path: Path) -> None:
    rows = [f"{i:06d}" * 1000 for i in range(5000)]  # 30 MB in one row group
    write(tmp_path / "a.parquet", rows, row_group_size=5000, compression="zstd", use_dictionary=False)
    del rows
    before, most = pa.total_allocated_bytes(), 0
    tracemalloc.start()
    for document in reader(train=str(tmp_path / "a.parquet")).documents("train"):
        most = max(most, pa.total_allocated_bytes() - before)
        assert len(document) == 6000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most + peak < 12_000_000


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    part = registry().get("reader", "parquet")
    with pytest.raises(PluginError, match=r'part parquet needs pyarrow.*: pip install "stackc\[parquet\]"'):
        part.factory(part.config(train="x"))


def test_a_table_that_changes_after_its_fingerprint_is_an_error(tmp_path: Path) -> None:
    made = reader(train=str(write(tmp_path / "a.parquet", ["one", "two"])))
    made.fingerprint("train")
    assert list(made.documents("train")) == [b"one", b"two"]
    write(tmp_path / "a.parquet", ["one", "three"])
    said = r"^corpus\.train: its text changed while it was read; run the command again$"
    with pytest.raises(CorpusError, match=said):
        list(made.documents("train"))
