"""Reading the corpus: once, by any number of processes, to the same store and the same fingerprint."""

from __future__ import annotations

import gzip
import json
import os
import random
import signal
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import attrs
import pytest

import stackc
from recipes_of_tests import corpus, counting
from stackc.api import CorpusError, StackcError
from stackc.api.files import sha256_file
from stackc.pipeline import fingerprints, reading
from stackc.pipeline.context import Context
from stackc.pipeline.display import Display
from stackc.pipeline.engines import files as engines_files
from stackc.pipeline.engines.processes import Processes
from stackc.pipeline.fingerprints import NAME, Remembered, State, state_of
from stackc.pipeline.workspace import Workspace
from stackc.recipe import load_recipe
from stackc.stack.runtime import Runtime
from stackc.stack.store import Store
from stackc_text.config import TextConfig
from stackc_text.reader import TextReader


class _Nobody:
    def update(self, done: int, total: int, **figures: float) -> None: ...
    def log(self, step: int, **scalars: float) -> None: ...
    def say(self, text: str) -> None: ...


def files(folder: Path) -> None:
    """Files of every kind, one empty, of one document and of many."""
    rng = random.Random(3)
    corpus(folder)
    for number in range(4):
        lines = [{"text": "é" * rng.randrange(40) + str(rng.random())} for _ in range(rng.randrange(200))]
        data = "".join(json.dumps(line) + "\n" for line in lines).encode()
        (folder / f"train-{number}.jsonl.gz").write_bytes(gzip.compress(data))
    (folder / "train-empty.txt").write_bytes(b"")
    (folder / "train-long.txt").write_bytes(rng.randbytes(5000))


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    files(tmp_path)
    path = tmp_path / "recipe.toml"
    path.write_text(counting().replace('"train-*.txt"', '"train-*.*"\ndocument_bytes = 1024'))
    return path


def context(recipe: Path, out: Path, threads: int = 1, engine: str = "local") -> Context:
    loaded, nobody = load_recipe(recipe), cast(None)
    runtime = Runtime.of(loaded.run, threads=threads, engine=engine)
    work = Workspace(out, Display(None, "quiet"))
    return Context(recipe=loaded, work=work, runtime=runtime, ranks=nobody, orders=nobody)


def cast(value: Any) -> Any:
    return value


def read(recipe: Path, out: Path, threads: int, split: str = "train", engine: str = "local") -> tuple[str, Any]:
    """The fingerprint, and the files of the store."""
    scratch = out / "scratch"
    scratch.mkdir(parents=True)
    build = context(recipe, out, threads, engine)
    found = reading.read_split(build, split, scratch, out / "store", _Nobody())
    assert list(scratch.iterdir()) == []
    return found, {path.name: sha256_file(path) for path in (out / "store").iterdir()}


def test_any_number_of_workers_reads_the_same(recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = read(recipe, tmp_path / "1", 1)
    monkeypatch.setattr(reading, "WORTH_WORKERS", 0)
    assert read(recipe, tmp_path / "2", 2) == read(recipe, tmp_path / "3", 3) == alone
    config = TextConfig(train=str(tmp_path / "train-*.*"), document_bytes=1024)
    documents = list(TextReader(config).documents("train"))
    assert alone[0] == TextReader(config).fingerprint("train")
    assert [one.tobytes() for one in Store(tmp_path / "3" / "store").text().documents()] == documents


def test_batches_of_any_size_are_the_same(recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = read(recipe, tmp_path / "1", 1)
    for size in (1, 1000, 1 << 20):
        monkeypatch.setattr(engines_files, "BATCH", size)
        assert read(recipe, tmp_path / f"batches of {size}", 1) == alone


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("train-x.jsonl", b'{"text": 5}\n', r"train-x\.jsonl:1: a text field that is not a string"),
        ("train-x.txt.gz", b"no gzip", r"train-x\.txt\.gz: "),
    ],
)
def test_a_worker_says_what_is_wrong_with_its_file(
    name: str, content: bytes, said: str, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "WORTH_WORKERS", 0)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CorpusError, match=said) as caught:
        read(recipe, tmp_path / "2", 2)
    assert "\n" not in str(caught.value)


def test_files_without_text_are_an_error_whoever_reads_them(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "WORTH_WORKERS", 0)
    for path in tmp_path.glob("train-*"):
        path.unlink()
    for name in "ab":
        (tmp_path / f"train-{name}.txt").write_bytes(b"")
    for threads in (1, 2):
        with pytest.raises(CorpusError, match=r"^corpus\.train: 2 files without any text in it"):
            read(recipe, tmp_path / str(threads), threads)


def _square(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def test_a_worker_that_dies_is_one_line() -> None:
    results = Processes(2, "nothing is kept").map(_square, range(5))
    assert [next(results), next(results), next(results)] == [0, 1, 4]
    with pytest.raises(StackcError, match=r"^shard 3: its worker was ended by SIGKILL; nothing is kept$"):
        next(results)


# -- what is remembered


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "a.txt"
    path.write_bytes(b"some text")
    return path


def chosen(text: Path) -> Any:
    """A reader of the file, as a recipe has it."""
    corpus(text.parent)
    path = text.parent / "recipe.toml"
    path.write_text(counting().replace('"train-*.txt"', f'"{text.name}"'))
    return load_recipe(path).corpus.reader


def old(path: Path, seconds: float = 60) -> None:
    """As if the file had been written a while ago: the inode's own time cannot be set."""
    then = time.time_ns() - int(seconds * 1e9)
    os.utime(path, ns=(then, then))


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Lets a minute pass on the clock."""

    def wait() -> None:
        now = time.time_ns() + 60_000_000_000
        monkeypatch.setattr(fingerprints.time, "time_ns", lambda: now)

    return wait


def _replaced(path: Path) -> None:
    """Another file of the same name, size and times."""
    before = path.stat()
    other = path.with_name("other")
    other.write_bytes(b"Some text")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)


def _set_back(path: Path) -> None:
    """Other bytes in the same file, and its time set back."""
    before = path.stat()
    path.write_bytes(b"Some text")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _renamed(path: Path) -> None:
    """The same file under a name by which it is read otherwise."""
    path.rename(path.with_name("b.txt"))
    path.with_name("b.txt").rename(path)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (lambda path: None, True),
        (lambda path: path.read_bytes(), True),
        (_replaced, False),
        (_set_back, False),
        (lambda path: path.write_bytes(b"some texts"), False),
        (lambda path: os.utime(path), False),
        (_renamed, False),  # it costs a reading, and nothing else
    ],
    ids=["as it was", "read", "replaced", "set back", "longer", "touched", "renamed and back"],
)
def test_a_file_that_may_have_changed_has_another_state(change: Any, same: bool, text: Path) -> None:
    reader = chosen(text)
    old(text)
    before = state_of(reader, "train", [text])
    assert before is not None
    change(text)
    after = state_of(reader, "train", [text])
    assert after is not None
    assert (before.sha256 == after.sha256) is same


def test_how_files_are_read_is_part_of_their_state(text: Path) -> None:
    reader = chosen(text)
    other = attrs.evolve(reader, config=attrs.evolve(reader.config, document_bytes=2048))
    found = [state_of(*one) for one in ((reader, "train", [text]), (other, "train", [text]), (reader, "test", [text]))]
    assert len({one.sha256 for one in found if one is not None}) == 3
    assert state_of(reader, "train", []) is state_of(reader, "train", None) is None
    assert state_of(reader, "train", [text.with_name("gone")]) is None


def test_a_file_of_this_moment_is_not_trusted(text: Path, tmp_path: Path, patient: Callable[[], None]) -> None:
    reader, remembered = chosen(text), Remembered(tmp_path / NAME)
    fresh = state_of(reader, "train", [text])
    assert fresh is not None
    assert not fresh.settled
    remembered.keep(fresh, "f")
    assert remembered.find(fresh) is None
    old(text)  # its modification time is old now, that of its inode is not
    assert not cast(state_of(reader, "train", [text])).settled
    patient()
    settled = state_of(reader, "train", [text])
    assert cast(settled).settled
    remembered.keep(settled, "f")
    assert remembered.find(settled) == "f"
    assert Remembered(tmp_path / NAME, recheck=True).find(settled) is None
    future = time.time_ns() + 3_600_000_000_000
    os.utime(text, ns=(future, future))
    assert not cast(state_of(reader, "train", [text])).settled


def state(name: str) -> State:
    return State(sha256=name, settled=True)


def test_what_is_remembered_survives_lines_of_any_kind(tmp_path: Path) -> None:
    path, remembered = tmp_path / NAME, Remembered(tmp_path / NAME)
    assert remembered.find(state("a")) is None
    remembered.keep(state("a"), "1")
    with path.open("ab") as file:
        file.write(b'[]\n{"state": "a"}\n{"state": "b", "fingerprint": 5}\n\xff\n{"state": "c", "fi')
    remembered.keep(state("d"), "4")
    assert [remembered.find(state(name)) for name in "abcd"] == ["1", None, None, "4"]
    remembered.keep(state("a"), "2")
    assert remembered.find(state("a")) == "2"
    remembered.forget(state("a"))
    assert remembered.find(state("a")) is None


def test_a_file_of_fingerprints_stays_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprints, "MOST_BYTES", 1000)
    remembered = Remembered(tmp_path / NAME)
    for number in range(100):
        remembered.keep(state(f"state {number}"), "f")
    assert (tmp_path / NAME).stat().st_size < 1200
    assert remembered.find(state("state 99")) == "f"


@pytest.mark.parametrize("kind", ["folder", "link", "pipe", "others may write", "nowhere"])
def test_a_file_that_others_may_have_written_is_not_believed(kind: str, tmp_path: Path) -> None:
    real = Remembered(tmp_path / "real")
    real.keep(state("a"), "1")
    path = tmp_path / ("nowhere/x" if kind == "nowhere" else NAME)
    if kind == "folder":
        path.mkdir()
    elif kind == "link":
        path.symlink_to(tmp_path / "real")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "others may write":
        path.write_bytes((tmp_path / "real").read_bytes())
        path.chmod(0o666)
    remembered = Remembered(path)
    assert remembered.find(state("a")) is None
    remembered.keep(state("b"), "2")
    assert remembered.find(state("b")) is None
    assert (tmp_path / "real").read_bytes().count(b"state") == 1


def _keep(path: Path, name: str) -> None:
    for number in range(50):
        Remembered(path).keep(state(f"{name}{number}"), f"{number}")


def test_two_processes_keep_every_line(tmp_path: Path) -> None:
    path = tmp_path / NAME
    forks = [get_context("fork").Process(target=_keep, args=(path, name)) for name in "ab"]
    for fork in forks:
        fork.start()
    for fork in forks:
        fork.join()
    assert [Remembered(path).find(state(f"{name}{n}")) for name in "ab" for n in range(50)] == [
        str(n) for _ in "ab" for n in range(50)
    ]


# -- builds


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The splits that are read, one after another."""
    found: list[str] = []
    inner = reading.read_split

    def noted(build: Context, split: str, *rest: Any) -> str:
        found.append(split)
        return inner(build, split, *rest)

    monkeypatch.setattr(reading, "read_split", noted)
    return found


def test_a_corpus_is_read_once_and_not_again(
    recipe: Path, tmp_path: Path, readings: list[str], patient: Callable[[], None], capfd: pytest.CaptureFixture[str]
) -> None:
    patient()
    runs = tmp_path / "runs"
    one = stackc.build(recipe, runs / "one")
    assert readings == ["test", "valid", "train"]
    again = stackc.build(recipe, runs / "one")
    assert readings == ["test", "valid", "train"]
    assert again.sha256 == one.sha256
    stackc.build(recipe, runs / "two")  # another stack knows the fingerprint, and has no text yet
    assert readings == ["test", "valid", "train", "train", "valid", "test"]
    stackc.build(recipe, runs / "two", recheck=True)
    assert readings[6:] == ["test", "valid", "train"]
    assert not list(tmp_path.rglob("*.partial"))
    (runs / NAME).unlink()
    made = (runs / "two" / "corpus" / "train" / "symbols.bin").stat()
    stackc.build(recipe, runs / "two")
    assert readings[9:] == ["test", "valid", "train"]
    assert (runs / "two" / "corpus" / "train" / "symbols.bin").stat() == made


def test_text_that_is_not_that_of_its_fingerprint_is_noticed_and_forgotten(
    recipe: Path, tmp_path: Path, patient: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    patient()
    monkeypatch.setattr(Remembered, "find", lambda self, state: "0" * 64)
    with pytest.raises(CorpusError, match=r"^corpus\.train: its text changed while it was read; run the command"):
        stackc.build(recipe, tmp_path / "runs" / "one")
    monkeypatch.undo()
    stackc.build(recipe, tmp_path / "runs" / "one")


def test_a_fault_of_a_small_split_is_told_before_the_large_one_is_read(
    recipe: Path, tmp_path: Path, readings: list[str]
) -> None:
    (tmp_path / "test.txt").write_bytes(b"")
    with pytest.raises(CorpusError, match=r"^corpus\.test"):
        stackc.build(recipe, tmp_path / "runs" / "one")
    assert readings == ["test"]
    (tmp_path / "test.txt").unlink()
    with pytest.raises(CorpusError, match=r"^corpus\.test: no such file"):
        stackc.build(recipe, tmp_path / "runs" / "one")
    assert readings == ["test"]
