"""The reader `datasets`, on local files and saved datasets; what the Hub would be asked for is caught."""

from __future__ import annotations

import csv
import glob
import gzip
import json
import lzma
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import datasets
import fsspec.compression
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from packed_files import packed_files
from recipes_of_tests import TEXT, counting
from stackc.api import CorpusError, PluginError, RecipeError
from stackc.parts.registry import registry
from stackc.pipeline.build import build
from stackc.recipe import load_recipe
from stackc.testing import ReaderContract
from stackc_datasets import DatasetsConfig
from stackc_datasets.reader import DatasetsReader


def reader(**fields: Any) -> DatasetsReader:
    return DatasetsReader(DatasetsConfig(**fields))


def lines(path: Path, *rows: Any) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def complaint(made: DatasetsReader, split: str = "train") -> str:
    with pytest.raises(CorpusError) as caught:
        list(made.documents(split))
    assert "\n" not in str(caught.value)
    return str(caught.value)


class TestLocalContract(ReaderContract):
    def make(self, folder: Path) -> tuple[DatasetsReader, dict[str, list[bytes]]]:
        first = lines(folder / "a.jsonl", {"text": "one", "id": 1}, {"text": None, "id": 2}, {"text": "zwölf", "id": 3})
        second = lines(folder / "b.jsonl", {"text": "three", "id": 4})
        made = reader(format="json", train_files=(first, str(folder / "*.jsonl")), valid_files=second)
        return made, {"train": [b"one", "zwölf".encode(), b"three"], "valid": [b"three"], "test": []}

    def make_missing(self, folder: Path) -> DatasetsReader:
        return reader(format="json", train_files=str(folder / "*.jsonl"))


class TestSavedContract(ReaderContract):
    def make(self, folder: Path) -> tuple[DatasetsReader, dict[str, list[bytes]]]:
        parts = {"train": ["one", "", None], "held": ["two"]}
        made = datasets.DatasetDict({name: datasets.Dataset.from_dict({"body": rows}) for name, rows in parts.items()})
        made.save_to_disk(folder / "saved")
        found = reader(saved=str(folder / "saved"), column="body", valid="held")
        return found, {"train": [b"one", b""], "valid": [b"two"], "test": []}

    def make_missing(self, folder: Path) -> DatasetsReader:
        return reader(saved=str(folder / "nowhere"))


def test_bytes_and_one_dataset_without_splits(tmp_path: Path) -> None:
    datasets.Dataset.from_dict({"text": [b"\xff\0", b"x"]}).save_to_disk(tmp_path / "saved")
    assert list(reader(saved=str(tmp_path / "saved")).documents("train")) == [b"\xff\0", b"x"]
    assert "no split 'held'; there are train" in complaint(reader(saved=str(tmp_path / "saved"), test="held"), "test")


def test_text_and_csv(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\ntwo\n")
    assert list(reader(format="text", train_files=str(tmp_path / "a.txt")).documents("train")) == [b"one", b"two"]
    (tmp_path / "a.csv").write_text("id,body\n1,one\n2,two\n")
    made = reader(format="csv", train_files=str(tmp_path / "a.csv"), column="body", document_bytes=1024)
    assert list(made.documents("train")) == [b"one", b"two"]


def test_what_is_wrong_with_the_data(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", {"texts": "one", "id": 1})
    assert "no column 'text'; did you mean 'texts'? (corpus.column)" in complaint(
        reader(format="json", train_files=path)
    )
    assert "column 'id' holds int64" in complaint(reader(format="json", train_files=path, column="id"))
    path = lines(tmp_path / "b.jsonl", {"text": ["one"]})
    assert "neither text nor bytes" in complaint(reader(format="json", train_files=path))
    path = lines(tmp_path / "c.jsonl", {"text": ""})
    assert "corpus.train: no text in it" in complaint(reader(format="json", train_files=path))
    (tmp_path / "d.jsonl").write_text('{"text": "one"}\n{"text":')
    assert "cannot be read" in complaint(reader(format="json", train_files=str(tmp_path / "d.jsonl")))
    assert (
        complaint(reader(format="json", train_files=(path, "nowhere"))) == "corpus.train_files: no such file: nowhere"
    )
    (tmp_path / "saved").mkdir()
    assert "cannot be read" in complaint(reader(saved=str(tmp_path / "saved")))
    assert "one folder, not 2" in complaint(reader(saved=("a", "b")))


WRONG = [
    ("json", b'{"text": "one"}\n{"text": one\n', "cannot be read (JSON parse error"),
    ("json", b'{"txt": "one"}\n', "no column 'text'; did you mean 'txt'?"),
    ("text", b"one\n\xff\xfe\n", "cannot be read ('utf-8' codec can't decode byte 0xff"),
    ("parquet", b"PAR1", "cannot be read ("),
]

COMMANDS = """
import json, os, sys
for arguments in json.loads(sys.argv[1]):
    sys.argv[1:] = arguments
    try:
        from stackc.cli import run
        run()
    except SystemExit as end:
        print("exit code", end.code, file=sys.stderr, flush=True)
"""


def test_the_file_that_is_wrong_is_named_in_one_line(tmp_path: Path) -> None:
    """Also on standard error, where the library logs what it raises: of commands in one process, which share the
    seconds that the library takes to be imported.
    """
    (tmp_path / "recipe.toml").write_text(counting())
    good = {"json": b'{"text": "one"}\n', "text": b"one\n"}
    commands, expected = [], []
    for number, (form, content, said) in enumerate(WRONG):
        folder = tmp_path / str(number)
        folder.mkdir()
        names = [str(folder / name) for name in ("a", "b", "c")]
        for name in names:
            Path(name).write_bytes(good.get(form, content))
        wrong = names[1] if form in good else names[0]
        Path(wrong).write_bytes(content)
        assert complaint(reader(format=form, train_files=tuple(names))).startswith(f"{wrong}: {said}")
        files = ", ".join(f'"{name}"' for name in names)
        changes = f'corpus={{reader = "datasets", format = "{form}", train_files = [{files}]}}'
        commands.append(["build", str(tmp_path / "recipe.toml"), "--out", str(folder / "out"), "--set", changes])
        expected.append(f"error: {wrong}: {said}")
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS, json.dumps(commands)], capture_output=True, text=True, check=True
    )
    lines = done.stderr.splitlines()
    assert lines[1::2] == ["exit code 2"] * len(WRONG), done.stderr
    assert [line.startswith(start) for line, start in zip(lines[::2], expected, strict=True)] == [True] * len(WRONG)


def test_lines_of_text_are_documents_without_their_ends(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\r\n\n two \nlast")
    found = list(reader(format="text", train_files=str(tmp_path / "a.txt")).documents("train"))
    assert found == [b"one", b"", b" two ", b"last"]


@pytest.mark.parametrize("packing", [".gz", ".xz", ".bz2", ".zst"])
def test_packed_files_whole_or_refused(packing: str, tmp_path: Path) -> None:
    for name, (data, content) in packed_files(packing).items():
        path = tmp_path / (name + ".txt" + packing)
        path.write_bytes(data)
        made = reader(format="text", train_files=str(path))
        if content is None:
            assert complaint(made).startswith(f"{path}: damaged {packing} file ("), name
        elif content:
            assert b"".join(row + b"\n" for row in made.documents("train")) == content, name


@pytest.mark.parametrize("form", ["json", "csv"])
def test_a_packed_file_that_is_damaged_is_named_not_its_text(form: str, tmp_path: Path) -> None:
    rows = [os.urandom(40).hex() for _ in range(20_000)]
    text = "text\n" + "\n".join(rows) if form == "csv" else "".join(json.dumps({"text": row}) + "\n" for row in rows)
    data = bytearray(gzip.compress(text.encode()))
    (tmp_path / "a.gz").write_bytes(data)
    made = reader(format=form, train_files=str(tmp_path / "*.gz"))
    assert list(made.documents("train")) == [row.encode() for row in rows]
    data[len(data) // 2] ^= 0xFF
    (tmp_path / "b.gz").write_bytes(data)
    assert complaint(made).startswith(f"{tmp_path / 'b.gz'}: damaged .gz file (")


def test_readers_that_end_in_any_order_leave_the_library_as_it_was(tmp_path: Path) -> None:
    before = dict(fsspec.compression.compr)
    for name in ("a", "b"):
        (tmp_path / f"{name}.jsonl.xz").write_bytes(lzma.compress(b'{"text": "one"}\n') + bytes(4) + lzma.compress(
            b'{"text": "two"}\n'
        ))  # fmt: skip
    made = reader(format="json", train_files=str(tmp_path / "*.xz"))
    first, second = made.documents("train"), made.documents("train")
    assert (next(first), next(second)) == (b"one", b"one")
    first.close()  # type: ignore[attr-defined]
    assert list(second) == [b"two", b"one", b"two"]
    assert fsspec.compression.compr == before


def test_rows_of_csv_are_text_as_they_stand(tmp_path: Path) -> None:
    values = ["NA", "null", "", "nan", "1.50", "007", "True", "None", "-inf", " x "]
    with (tmp_path / "a.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["id", "text"], *enumerate(values)])
    found = list(reader(format="csv", train_files=str(tmp_path / "a.csv")).documents("train"))
    assert found == [value.encode() for value in values]
    (tmp_path / "b.csv").write_text("text\n007\n1.50\n")
    assert list(reader(format="csv", train_files=str(tmp_path / "b.csv")).documents("train")) == [b"007", b"1.50"]


@pytest.mark.parametrize("name", ["a[1].jsonl", "a*.jsonl", "a?.jsonl", "~a.jsonl", ".a.jsonl", "config.json"])
def test_a_name_is_no_pattern(name: str, tmp_path: Path) -> None:
    lines(tmp_path / "a1.jsonl", {"text": "another file"})
    path = lines(tmp_path / name, {"text": "this one"})
    assert list(reader(format="json", train_files=glob.escape(path)).documents("train")) == [b"this one"]


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_two_columns_of_one_name(form: str, tmp_path: Path) -> None:
    table = pa.table([["one"], ["two"]], names=["text", "text"])
    path = tmp_path / "a"
    if form == "parquet":
        pq.write_table(table, path)
    else:
        with pa.ipc.new_stream(str(path), table.schema) as file:
            file.write_table(table)
    assert complaint(reader(format=form, train_files=str(path))).startswith(f"{path}: cannot be read (")


@pytest.mark.parametrize("kind", [RuntimeError, AttributeError, OverflowError, MemoryError])
def test_whatever_the_library_raises(kind: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = lines(tmp_path / "a.jsonl", {"text": "one"})

    def load_dataset(*args: Any, **kwargs: Any) -> Any:
        raise kind("some words\nof its own")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    text = complaint(reader(format="json", train_files=path))
    assert text == f"{path}: cannot be read (some words of its own); repair it or leave it out"


COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_the_hub_is_asked_for_one_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def load_dataset(*args: Any, **kwargs: Any) -> Any:
        asked.append((args, kwargs))
        return datasets.IterableDataset.from_generator(lambda: iter([{"text": "one"}, {"text": "two"}]))

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    made = reader(name="allenai/c4", config="en", revision=COMMIT, valid="validation")
    assert list(made.documents("train")) == [b"one", b"two"]
    assert list(made.documents("valid")) == [b"one", b"two"]
    assert list(made.documents("test")) == []
    wanted = {"revision": COMMIT, "streaming": True}
    assert asked == [(("allenai/c4", "en"), {"split": split, **wanted}) for split in ("train", "validation")]


def test_the_hub_out_of_reach() -> None:
    assert "no-such/dataset, split train: cannot be read" in complaint(reader(name="no-such/dataset", revision=COMMIT))


@pytest.mark.parametrize(
    ("fields", "lines_of_it"),
    [
        (
            {},
            ["corpus: datasets reads one source: name (of the Hub), saved (a folder) or format (of local files); none"],
        ),
        ({"name": "a/b", "format": "json", "revision": COMMIT}, ["name and format are given"]),
        ({"name": "a/b"}, ["corpus.revision: a commit of 40 hexadecimal digits"]),
        ({"name": "a/b", "revision": "main"}, ["corpus.revision: a commit of 40 hexadecimal digits"]),
        (
            {"name": "a/b", "revision": COMMIT, "test_files": "x"},
            ["corpus.test_files: has no effect with name; remove it"],
        ),
        ({"saved": "x", "config": "en"}, ["corpus.config: has no effect with saved; remove it"]),
        (
            {"format": "json", "valid": "held", "train": "all"},
            ["corpus.train_files: missing", "corpus.valid: has no effect with format", "corpus.train: has no effect"],
        ),
        ({"format": "jsonl", "train_files": "x"}, ["corpus.format:"]),
    ],
)
def test_recipes_that_cannot_work(fields: dict[str, str], lines_of_it: list[str], tmp_path: Path) -> None:
    table = "".join(f'{key} = "{value}"\n' for key, value in fields.items())
    text = counting()
    begin, end = text.index('reader = "text"'), text.index("segment =")
    (tmp_path / "r.toml").write_text(f'{text[:begin]}reader = "datasets"\n{table}{text[end:]}')
    with pytest.raises(RecipeError) as caught:
        load_recipe(tmp_path / "r.toml")
    for line in lines_of_it:
        assert line in str(caught.value)


def test_a_reader_made_without_a_recipe_checks_too() -> None:
    with pytest.raises(CorpusError, match="corpus: revision: a commit"):
        reader(name="a/b")


def test_built_from_a_dataset_as_from_its_text(tmp_path: Path) -> None:
    lines(tmp_path / "train.jsonl", *({"text": TEXT * n} for n in (1, 3, 2)))
    text = counting()
    begin, end = text.index('reader = "text"'), text.index("segment =")
    stacks = []
    for name, keys in (("datasets", 'format = "json"\ntrain_files'), ("text", "train")):
        path = tmp_path / f"{name}.toml"
        path.write_text(f'{text[:begin]}reader = "{name}"\n{keys} = "train.jsonl"\n{text[end:]}')
        stacks.append(build(load_recipe(path), tmp_path / name))
    data = TEXT.encode()
    assert stacks[0].encode(data).tolist() == stacks[1].encode(data).tolist()


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    part = registry().get("reader", "datasets")
    with pytest.raises(PluginError, match=r'part datasets needs datasets: pip install "stackc\[datasets\]"'):
        part.factory(part.config(name="a/b", revision=COMMIT))
