"""What other programs read of a stack's tokens."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import stackc
from recipes_of_tests import corpus, counting
from stackc.cli import main


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    corpus(folder)
    (folder / "recipe.toml").write_text(counting())
    stackc.build(folder / "recipe.toml", folder / "stack")
    return folder / "stack"


def export(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["export", *map(str, arguments)])


@pytest.mark.parametrize("eos", [False, True])
def test_a_flat_file_reads_as_nanogpt_reads_it(stack: Path, tmp_path: Path, eos: bool) -> None:
    done = export(stack, "--to", "bin", "-o", tmp_path / "train.bin", *(["--eos"] if eos else []))
    assert done.exit_code == 0, done.output
    data = np.memmap(tmp_path / "train.bin", dtype=np.uint16, mode="r")
    rng = np.random.default_rng(0)
    block = 8
    x = np.stack([data[i : i + block].astype(np.int64) for i in rng.integers(len(data) - block, size=4)])
    assert x.shape == (4, block)
    meta = json.loads((tmp_path / "train.bin.json").read_text())
    assert (len(data), meta["documents"], meta["vocab_size"]) == (meta["tokens"], 3, 1024 + eos)
    opened = stackc.load(stack)
    texts = [(stack.parent / f"train-{one}.txt").read_bytes() for one in "abc"]
    rows = [opened.encode(text).tolist() + [1024] * eos for text in texts]
    assert data.tolist() == [token for row in rows for token in row]


def test_parquet_has_a_row_a_document(stack: Path, tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet", reason="needs the extra parquet")
    (tmp_path / "a").write_bytes(b"It is a truth")
    (tmp_path / "b").write_bytes(b"")
    assert export(stack, tmp_path / "a", tmp_path / "b", "--to", "parquet", "-o", tmp_path / "o").exit_code == 0
    rows = pq.read_table(tmp_path / "o").to_pylist()
    assert [(row["document"], row["source_bytes"]) for row in rows] == [(0, 13), (1, 0)]
    opened = stackc.load(stack)
    assert opened.decode(np.array(rows[0]["tokens"])) == b"It is a truth"
    assert rows[1]["tokens"] == []
    assert export(stack, "--split", "test", "--to", "parquet", "-o", tmp_path / "t").exit_code == 0
    assert opened.decode(np.array(pq.read_table(tmp_path / "t").to_pylist()[0]["tokens"])).startswith(b"test. ")


def test_a_tokenizer_folder(stack: Path, tmp_path: Path) -> None:
    hf = pytest.importorskip("stackc.hf", reason="needs the extra hf", exc_type=stackc.StackcError)
    assert export(stack, "--to", "hf-tokenizer", "-o", tmp_path / "t").exit_code == 0
    tokenizer = hf.StackTokenizer.from_pretrained(tmp_path / "t")
    assert (tokenizer.vocab_size, tokenizer.eos_token_id) == (1024, 1024)  # the id of --eos


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--to", "parquet", "--eos"], "only for --to bin"),
        (["--to", "bin", "--split", "test", "nothing"], "--split: cannot be combined with files"),
        (["--to", "bin", "nothing"], "nothing: cannot read"),
        (["--to", "bin", "--level", "M9"], "no level 'M9'"),
        (["--to", "hf-tokenizer", "--split", "test"], "holds no text"),
    ],
)
def test_what_cannot_be_is_one_line(stack: Path, tmp_path: Path, options: list[str], said: str) -> None:
    done = export(stack, *options, "-o", tmp_path / "out")
    assert (done.exit_code, said in done.stderr, done.stderr.count("\n")) == (2, True, 1), done.output
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ("bin", "name a file (/dev/stdout is standard output) with -o"),
        ("parquet", "name a file (/dev/stdout is standard output) with -o"),
        ("hf-tokenizer", "name a folder with -o"),
    ],
)
def test_a_dash_is_no_name(stack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, to: str, said: str) -> None:
    monkeypatch.chdir(tmp_path)
    for force in [], ["--force"]:
        done = export(stack, "--to", to, "-o", "-", *force)
        assert (done.exit_code, done.stderr) == (2, f"error: -: --to {to} needs a name; {said}\n")
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("to", ["bin", "parquet"])
def test_standard_output_gets_what_a_file_gets(stack: Path, tmp_path: Path, to: str) -> None:
    if to == "parquet":
        pytest.importorskip("pyarrow.parquet", reason="needs the extra parquet")
    assert export(stack, "--to", to, "-o", tmp_path / "file").exit_code == 0
    arguments = [sys.executable, "-m", "stackc", "export", str(stack), "--to", to, "-o", "/dev/stdout", "--quiet"]
    piped = subprocess.run(arguments, stdout=subprocess.PIPE, check=True).stdout
    assert piped == (tmp_path / "file").read_bytes()
