"""Builds: the whole chain on mixed parts, reuse, and the same bytes however often a build is killed."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import stackc
from processes_of_tests import Forked, Warm
from recipes_of_tests import corpus, counting, four_level, mixed, two_level
from stackc.api.errors import ArtifactError, CorpusError
from stackc.api.files import sha256_file

OTHER_FILES = {
    "source code": Path(__file__).read_bytes()[:3000],
    "another script": ("Καὶ τὸν μὲν ὕπνος ᾕρει, 天地玄黃 宇宙洪荒 " * 20).encode(),
    "binary": bytes(i * i * 7919 >> 5 & 255 for i in range(2500)),
    "empty": b"",
    "one byte": b"\xff",
    "invalid UTF-8": b"abc\xc3\x28\xf0\x9f" * 30,
    "a thousand equal bytes": bytes(1000),
}


@pytest.fixture
def recipe(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        corpus(tmp_path)
        path = tmp_path / "recipe.toml"
        path.write_text(text)
        return path

    return write


def parts(folder: Path) -> dict[str, str]:
    """SHA-256 of every part that the manifest names, and of the manifest itself."""
    named = json.loads((folder / "manifest.json").read_text())["parts"]
    assert all(sha256_file(folder / name) == part["sha256"] for name, part in named.items())
    return {name: sha256_file(folder / name) for name in [*named, "manifest.json"]}


@pytest.mark.parametrize(
    ("text", "trained"),
    [(two_level(), ["M1", "M2", "M3"]), (four_level(), ["M1"])],
    ids=["two levels", "four mixed levels"],
)
def test_a_build_is_lossless_repeatable_and_reused(
    text: str, trained: list[str], recipe: Callable[[str], Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = recipe(text)
    stack = stackc.build(path, tmp_path / "one")
    for name, data in OTHER_FILES.items():
        tokens = stack.encode(data)
        assert stack.decode(tokens) == data, name
        for level in stack.levels[:-1]:
            assert stack.decode(stack.encode(data, level.name), level.name) == data, (name, level.name)
    report = json.loads((tmp_path / "one" / "report" / "report.json").read_text())
    assert report["round_trip"]
    assert [row["name"] for row in report["levels"]] == [*(level.name for level in stack.levels), stack.recipe.top.name]

    stackc.build(path, tmp_path / "two")
    assert parts(tmp_path / "one") == parts(tmp_path / "two")

    logged = [json.loads(line) for line in (tmp_path / "one" / "logs" / "metrics.jsonl").read_text().splitlines()]
    assert {line["stage"] for line in logged} == {f"{name}/model" for name in trained}
    assert all({"time", "step", "loss"} <= line.keys() for line in logged)
    for name in trained:
        assert list((tmp_path / "one" / "logs" / "tensorboard" / f"{name}-model").glob("events.*"))

    capfd.readouterr()
    stackc.build(path, tmp_path / "one", show="plain")
    said = capfd.readouterr().err.splitlines()
    assert said
    assert all("already finished, reused" in line for line in said)
    assert parts(tmp_path / "one") == parts(tmp_path / "two")


KILLS = [
    # Ended the way a power cut does, before (even) or after (odd) the given call. Each run goes further.
    ("preparing a stage", ("stackc.pipeline.workspace", "Workspace", "_prepare"), 2),
    ("training", ("stackc_torch.training.loop", "Run", "save"), 3),
    ("encoding", ("stackc.stack.store", "StoreWriter", "keep"), 2),
    ("joining", ("stackc.stack.store", "StoreWriter", "finish"), 1),
    ("finishing a stage", ("stackc.pipeline.workspace", "Workspace", "_finish"), 4),
    ("writing the manifest", ("stackc.pipeline.build", "", "write_manifest"), 1),
]

KILLER = """
import functools, importlib, os, signal, sys
import stackc, stackc.stack.store
stackc.stack.store.CHUNK_SYMBOLS = 2000
recipe, out, module, owner, method, call = sys.argv[1:]
if module:
    owner = functools.reduce(getattr, filter(None, [owner]), importlib.import_module(module))
    inner, calls = getattr(owner, method), [0]
    def patched(*args, **kwargs):
        calls[0] += 1
        result = inner(*args, **kwargs) if calls[0] % 2 else None
        if calls[0] == int(call):
            os.kill(os.getpid(), signal.SIGKILL)
        return result if calls[0] % 2 else inner(*args, **kwargs)
    setattr(owner, method, patched)
stackc.build(recipe, out)
"""


Run = Callable[..., int]


LATE = ("torch._dynamo", "tensorboard.summary.writer.record_writer")
"""What training imports when it begins."""


@pytest.fixture(scope="module")
def warm() -> Iterator[Warm]:
    made = Warm("stackc.pipeline.build", "stackc_torch.training.loop", *LATE)
    yield made
    made.close()


@pytest.fixture(scope="module")
def run(warm: Warm) -> Run:
    """Build in a process of its own, killed before or after a call: its exit code."""

    def call(recipe: Path, out: Path, where: tuple[str, str, str] = ("", "", ""), call: int = 0) -> int:
        return warm.start(KILLER, str(recipe), str(out), *where, str(call)).wait()

    return call


def test_a_killed_build_ends_in_the_same_bytes(recipe: Callable[[str], Path], run: Run, tmp_path: Path) -> None:
    path = recipe(two_level())
    assert run(path, tmp_path / "whole") == 0
    for place, where, call in KILLS:
        assert run(path, tmp_path / "killed", where, call) == -signal.SIGKILL, place
        if place == "writing the manifest":
            break
        assert not (tmp_path / "killed" / "manifest.json").exists(), "nothing unfinished under a final name"
        with pytest.raises(ArtifactError, match="not a stack"):
            stackc.load(tmp_path / "killed")
    assert run(path, tmp_path / "killed") == 0
    assert parts(tmp_path / "whole") == parts(tmp_path / "killed")


@pytest.mark.parametrize("kills", [2, pytest.param(50, marks=[pytest.mark.long, pytest.mark.timeout(1800)])])
def test_kills_at_random_moments(
    recipe: Callable[[str], Path], warm: Warm, run: Run, tmp_path: Path, kills: int
) -> None:
    """Counts, transformers and a tunstall dictionary, killed by the clock, and gone on with until they are done."""
    path, out, rng = recipe(mixed()), tmp_path / "killed", random.Random(kills)
    process, begun = started(warm, path, tmp_path / "whole")
    assert process.wait() == 0
    seconds = time.monotonic() - begun
    expected, killed, finished = parts(tmp_path / "whole"), 0, 0
    while killed < kills:
        process, begun = started(warm, path, out)
        end = begun + rng.uniform(0.0, 1.0) * seconds
        while process.poll() is None and time.monotonic() < end:
            time.sleep(0.005)
        process.kill()
        if process.wait() == 0:
            assert parts(out) == expected
            finished, seconds = finished + 1, min(seconds, time.monotonic() - begun)  # the first had to compile
            shutil.rmtree(out)
        else:
            killed += 1
            unfinished = not (out / "manifest.json").exists()
            assert unfinished or parts(out) == expected, "under its final name the manifest is whole"
    assert run(path, out) == 0
    assert parts(out) == expected
    assert not list(out.rglob("*.partial"))
    print(f"{killed} kills, {finished + 1} builds finished")


@pytest.mark.parametrize("left", [[], [f".stackc-{'0' * 32}.partial"]])
def test_a_build_that_was_killed_as_it_marked_a_stage_goes_on(
    recipe: Callable[[str], Path], tmp_path: Path, left: list[str]
) -> None:
    """Between making the folder and writing the mark."""
    folder = tmp_path / "out" / "corpus" / "train"
    folder.mkdir(parents=True)
    for name in left:
        (folder / name).write_bytes(b"half a k")
    stackc.build(recipe(counting()), tmp_path / "out")
    assert not list((tmp_path / "out").rglob("*.partial"))


def started(warm: Warm, recipe: Path, out: Path) -> tuple[Forked, float]:
    """A build in a process of its own, which holds its folder, and since when."""
    process = warm.start(KILLER, str(recipe), str(out), "", "", "", "0")
    lock = out / ".lock"
    while process.poll() is None and not (lock.exists() and lock.read_text().split()[-1:] == [str(process.pid)]):
        time.sleep(0.01)
    return process, time.monotonic()


def test_a_change_renews_what_follows_and_nothing_else(
    recipe: Callable[[str], Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = recipe(two_level(steps=4))
    stackc.build(path, tmp_path / "s")
    capfd.readouterr()
    stackc.build(path, tmp_path / "s", overrides=("level.2.windowing.bits=16",), show="plain")
    said = capfd.readouterr().err
    for name in ("corpus/train", "M1/model", "M1/frozen", "M1/dictionary", "M1/tokens/train", "M2/model"):
        assert f"{name}: already finished, reused" in said, name
    for name in ("M2/tokens/train", "M3/model", "M3/frozen", "report"):
        assert f"{name}: done in" in said, name
    # Speed-only fields renew nothing.
    stackc.build(path, tmp_path / "s", overrides=("level.2.windowing.bits=16", "run.lanes=3"), show="plain")
    assert "done in" not in capfd.readouterr().err
    # The text decides, not its name.
    (tmp_path / "train-c.txt").write_text("changed")
    stackc.build(path, tmp_path / "s", overrides=("level.2.windowing.bits=16",), show="plain")
    assert "corpus/train: done in" in capfd.readouterr().err


def test_files_of_others_are_never_removed(recipe: Callable[[str], Path], tmp_path: Path) -> None:
    """A folder that happens to have the name of a stage is no stage's: --out . was a way to lose files."""
    made = recipe(two_level())
    mine = tmp_path / "out" / "corpus" / "train" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("precious")
    with pytest.raises(ArtifactError, match="no build wrote this; move it, or give"):
        stackc.build(made, tmp_path / "out")
    assert mine.read_text() == "precious"


def test_a_damaged_part_is_made_again(recipe: Callable[[str], Path], tmp_path: Path) -> None:
    made, out = recipe(four_level()), tmp_path / "out"
    stackc.build(made, out)
    before = parts(out)
    path = out / "M1" / "frozen" / "frozen.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    stackc.build(made, out)
    assert parts(out) == before


def test_an_empty_corpus_is_an_error(recipe: Callable[[str], Path], tmp_path: Path) -> None:
    path = recipe(two_level())
    for name in ("a", "b", "c"):
        (tmp_path / f"train-{name}.txt").write_text("")
    with pytest.raises(CorpusError):
        stackc.build(path, tmp_path / "s")


def test_a_second_build_says_who_holds_the_folder(recipe: Callable[[str], Path], tmp_path: Path) -> None:
    from stackc.pipeline.workspace import held

    path = recipe(two_level())
    with held(tmp_path / "s"), pytest.raises(ArtifactError, match=f"another build .process {os.getpid()}."):
        stackc.build(path, tmp_path / "s")


def test_damaged_and_newer_stacks_are_named(recipe: Callable[[str], Path], tmp_path: Path) -> None:
    stack = tmp_path / "s"
    stackc.build(recipe(two_level(steps=2)), stack)
    manifest = json.loads((stack / "manifest.json").read_text())
    (stack / "M1" / "frozen" / "frozen.safetensors").write_bytes(b"cut")
    with pytest.raises(ArtifactError, match=r"M1/frozen/frozen\.safetensors: .*build the stack again"):
        stackc.load(stack)
    (stack / "manifest.json").write_text(json.dumps({**manifest, "format": 99}))
    with pytest.raises(ArtifactError, match="a stack of format 99; this stackc reads up to 1"):
        stackc.load(stack)
    (stack / "manifest.json").write_text("{")
    with pytest.raises(ArtifactError, match="not a readable manifest"):
        stackc.load(stack)
