"""What other programs read of a stack's tokens."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import attrs
import numpy as np
import pytest
from click.testing import CliRunner, Result

import stackc
from recipes_of_tests import corpus, counting
from stackc.cli import main
from stackc.interop.end_of_text import end_of_text
from stackc.interop.export import Tokens


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
    assert opened.decode(np.array(rows[0]["input_ids"])) == b"It is a truth"
    assert rows[1]["input_ids"] == []
    assert export(stack, "--split", "test", "--to", "parquet", "-o", tmp_path / "t").exit_code == 0
    assert opened.decode(np.array(pq.read_table(tmp_path / "t").to_pylist()[0]["input_ids"])).startswith(b"test. ")


def ids_of(stack: Path, name: str, end: int) -> list[int]:
    """The ids that an export of the training text must have."""
    opened = stackc.load(stack)
    texts = [(stack.parent / f"{name}-{one}.txt").read_bytes() for one in "abc"]
    return [token for text in texts for token in [*opened.encode(text).tolist(), end]]


@pytest.mark.parametrize(("dtype", "magic", "version"), [("uint16", 20240520, 1), ("uint32", 20240801, 7)])
def test_llmc_reads_its_header(stack: Path, tmp_path: Path, dtype: str, magic: int, version: int) -> None:
    out = tmp_path / "train.bin"
    done = export(stack, "--to", "llmc", "--eos", "--dtype", dtype, "-o", out)
    assert done.exit_code == 0, done.output
    header = np.fromfile(out, "<i4", 256)
    data = np.fromfile(out, dtype, offset=1024)
    assert header[:3].tolist() == [magic, version, len(data)]
    assert not header[3:].any()
    assert out.stat().st_size == 1024 + len(data) * data.itemsize  # what its loader checks
    assert data.tolist() == ids_of(stack, "train", 1024)


@pytest.mark.parametrize("to", ["parquet", "datasets"])
def test_rows_of_equal_size(stack: Path, tmp_path: Path, to: str) -> None:
    pq = pytest.importorskip("pyarrow.parquet", reason="needs the extra parquet")
    out = tmp_path / "rows"
    if to == "datasets":
        datasets = pytest.importorskip("datasets", reason="needs the extra datasets")
    done = export(stack, "--to", to, "--eos", "--eos-id", "zero", "--block", "7", "-o", out)
    assert done.exit_code == 0, done.output
    wanted = ids_of(stack, "train", 0)
    assert f"({len(wanted) % 7} ids left out)" in done.stderr
    if to == "parquet":
        known = {key.decode(): value.decode() for key, value in pq.read_schema(out).metadata.items()}
        known = {key: value for key, value in known.items() if key.startswith("stackc.")}
        assert known == {
            "stackc.stack": stackc.load(stack).sha256,
            "stackc.level": "M1",
            "stackc.vocab_size": "1024",
            "stackc.eos": "0",
        }
        rows = pq.read_table(out).to_pylist()
    else:
        loaded = datasets.load_from_disk(str(out))
        assert stackc.load(stack).sha256 in loaded.info.description
        rows = list(loaded)
    assert [row["input_ids"] for row in rows] == [wanted[i : i + 7] for i in range(0, len(wanted) - 6, 7)]
    assert {tuple(row) for row in rows} == {("input_ids",)}


@pytest.mark.parametrize("to", ["parquet", "datasets"])
@pytest.mark.parametrize("empty", [False, True])
def test_a_text_of_less_than_a_row_is_one_line(stack: Path, tmp_path: Path, to: str, empty: bool) -> None:
    """`datasets` raised an error of its own for a table without rows; Parquet had one, which nothing can train on."""
    pytest.importorskip("datasets", reason="needs the extra datasets")
    files = [tmp_path / "empty.txt"] if empty else []
    for file in files:
        file.write_text("")
    done = export(stack, "--to", to, "--block", "1000000", "-o", tmp_path / "out", *files)
    count = 0 if empty else len(ids_of(stack, "train", -1)) - 3  # without the ends
    said = f"error: --block 1000000: the text has {count:,} ids, less than a row; choose a smaller block\n"
    assert (done.exit_code, done.stderr.removeprefix("\r")) == (2, said)
    assert list(tmp_path.iterdir()) == files


def test_exports_and_tokenizer_agree_on_the_end(stack: Path, tmp_path: Path) -> None:
    hf = pytest.importorskip("stackc.hf", reason="needs the extra hf", exc_type=stackc.StackcError)
    for choice, end in ("next", 1024), ("zero", 0):
        assert (
            export(stack, "--to", "bin", "--eos", "--eos-id", choice, "-o", tmp_path / f"{choice}.bin").exit_code == 0
        )
        meta = json.loads((tmp_path / f"{choice}.bin.json").read_text())
        data = np.fromfile(tmp_path / f"{choice}.bin", meta["dtype"])
        assert (meta["eos"], data[-1], int((data == end).sum())) == (end, end, 3)
        folder = tmp_path / choice
        assert export(stack, "--to", "hf-tokenizer", "--eos-id", choice, "-o", folder).exit_code == 0
        own = hf.StackTokenizer.from_pretrained(folder, special_tokens_pattern="eos")
        assert (own.eos_token_id, own.pad_token_id, len(own)) == (
            end,
            1024 + (choice == "next"),
            meta["vocab_size"] + 1,
        )
        texts = [(stack.parent / f"train-{one}.txt").read_bytes().decode() for one in "abc"]
        assert [token for row in own(texts).input_ids for token in row] == data.tolist()
        assert own.decode(own(texts[0]).input_ids) == texts[0] + "<|endoftext|>"
        assert own.decode(own(texts[0]).input_ids, skip_special_tokens=True) == texts[0]
        assert len(own.get_vocab()) == len(own)
        assert own.convert_ids_to_tokens([end]) == ["<|endoftext|>"]
        assert own("a<|endoftext|>b", add_special_tokens=False).input_ids.count(end) == 1


@pytest.mark.parametrize("split", ["train", "valid"])
def test_code_0_is_never_written(stack: Path, tmp_path: Path, split: str) -> None:
    assert export(stack, "--to", "bin", "--split", split, "-o", tmp_path / "a.bin").exit_code == 0
    assert np.fromfile(tmp_path / "a.bin", np.uint16).all()


def test_an_end_that_does_not_fit_names_the_option(stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = stackc.load(stack)
    tokens = Tokens(stack=opened, eos=True)
    monkeypatch.setattr(Tokens, "alphabet", property(lambda self: 1 << 16))
    with pytest.raises(stackc.StackcError, match="the id 65,536 does not fit into uint16; use --eos-id zero"):
        tokens.started()
    fits = attrs.evolve(tokens, eos_id="zero").started()
    assert (fits.dtype, fits.ids, fits.eos) == ("uint16", 65_536, 0)
    wide = attrs.evolve(tokens, dtype="uint32").started()
    assert (wide.dtype, wide.ids, wide.eos) == ("uint32", 65_537, 65_536)
    monkeypatch.setattr(Tokens, "alphabet", property(lambda self: 1 << 17))
    assert attrs.evolve(tokens, eos=False).started().dtype == "uint32"
    with pytest.raises(stackc.StackcError, match="131,072 tokens do not fit"):
        attrs.evolve(tokens, dtype="uint16").started()


def test_pieces_may_write_token_0() -> None:
    level = SimpleNamespace(
        name="M1", texts=object(), window_tokens=None, spec=SimpleNamespace(windowing=SimpleNamespace(bits=None))
    )
    with pytest.raises(stackc.StackcError, match="M1: --eos-id zero: its token 0 may occur in a text"):
        end_of_text([level], 1024, "zero")  # type: ignore[list-item]
    with pytest.raises(stackc.StackcError, match="bytes have no code"):
        end_of_text([], 256, "zero")


def test_a_tokenizer_folder(stack: Path, tmp_path: Path) -> None:
    hf = pytest.importorskip("stackc.hf", reason="needs the extra hf", exc_type=stackc.StackcError)
    assert export(stack, "--to", "hf-tokenizer", "-o", tmp_path / "t").exit_code == 0
    tokenizer = hf.StackTokenizer.from_pretrained(tmp_path / "t")
    assert (tokenizer.vocab_size, tokenizer.eos_token_id) == (1024, 1024)  # the id of --eos


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--to", "bin", "--eos-id", "zero"], "add --eos"),
        (["--to", "bin", "--block", "8"], "--block: only for parquet and datasets"),
        (["--to", "hf-tokenizer", "--eos"], "--eos: not for --to hf-tokenizer"),
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
        ("datasets", "name a folder with -o"),
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
