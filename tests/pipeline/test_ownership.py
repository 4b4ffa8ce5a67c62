"""Builds and saved tokenizers leave alone what neither made: refused in one line, before anything is written."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import stackc
from recipes_of_tests import corpus, counting
from stackc.api.errors import ArtifactError
from stackc.pipeline.stages import clear
from stackc.stack.lower_levels import copy_levels

LINE = b'{"time": 1.5, "stage": "top/model", "step": 1}\n'


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    corpus(folder)
    (folder / "recipe.toml").write_text(counting())
    stackc.build(folder / "recipe.toml", folder / "stack")
    return folder


def content(folder: Path) -> dict[str, object]:
    return {
        str(path.relative_to(folder)): os.readlink(path)
        if path.is_symlink()
        else path.read_bytes()
        if path.is_file()
        else None
        for path in folder.rglob("*")
    }


FOREIGN: dict[str, tuple[str, Callable[[Path], object]]] = {
    "another program's manifest": ("manifest.json", lambda at: at.write_text('{"name": "my web app"}')),
    "a manifest of no bytes": ("manifest.json", lambda at: at.write_bytes(b"")),
    "a manifest that is no object": ("manifest.json", lambda at: at.write_text("[1, 2]")),
    "a link to a manifest": ("manifest.json", lambda at: at.symlink_to("elsewhere")),
    "a folder": ("manifest.json", Path.mkdir),
    "a pipe": ("manifest.json", os.mkfifo),
    "a lock": (".lock", lambda at: at.write_text("held by my program")),
    "a lock that is a number": (".lock", lambda at: at.write_text("4711")),
    "a lock that is a link": (".lock", lambda at: at.symlink_to("elsewhere")),
    "a lock that is a pipe": (".lock", os.mkfifo),
    "a lock that is a folder": (".lock", Path.mkdir),
    "logs that are a file": ("logs", lambda at: at.write_text("mine")),
    "another program's metrics": ("logs/metrics.jsonl", lambda at: at.write_text('{"loss": 1}\n')),
    "metrics that are a link": ("logs/metrics.jsonl", lambda at: at.symlink_to("../elsewhere")),
    "a stage that is a file": ("M1/counts", lambda at: at.write_text("mine")),
    "a level that is a file": ("M1", lambda at: at.write_text("mine")),
    "a stage that is a link": ("report", lambda at: at.symlink_to("elsewhere")),
    "a file in a stage": ("report/mine.txt", lambda at: at.write_text("mine")),
    "another program's mark": ("report/stage.json", lambda at: at.write_text('{"key": "lights"}')),
    "another program's key": ("M1/tokens/train/.pending", lambda at: at.write_text("deals")),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_what_no_build_wrote_is_left_alone(made: Path, tmp_path: Path, what: str) -> None:
    name, plant = FOREIGN[what]
    (tmp_path / "elsewhere").write_bytes(LINE)
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    plant(tmp_path / name)
    before = content(tmp_path)
    with pytest.raises(ArtifactError) as caught:
        stackc.build(made / "recipe.toml", tmp_path)
    assert str(caught.value) == f"{tmp_path / name}: no build wrote this; move it, or give the stack another --out"
    assert content(tmp_path) == before


def test_files_that_are_in_no_ones_way_may_be_there(made: Path, tmp_path: Path) -> None:
    """A build in a folder that has other files, with logs and locks of stackc's own, old ones too."""
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "notes.txt").write_text("mine")
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "metrics.jsonl").write_bytes(LINE)
    stackc.build(made / "recipe.toml", tmp_path)
    (tmp_path / ".lock").write_text("4711")
    stackc.build(made / "recipe.toml", tmp_path, overrides=("stack.seed=7",))
    assert (tmp_path / "notes.txt").read_text() == (tmp_path / "corpus" / "notes.txt").read_text() == "mine"
    assert (tmp_path / "logs" / "metrics.jsonl").read_bytes().startswith(LINE)


@pytest.mark.parametrize("name", ["notes.txt", ".notes", "more/notes.txt"])
def test_a_file_among_the_parts_of_a_finished_stage_is_not_removed_with_them(
    made: Path, tmp_path: Path, name: str
) -> None:
    stackc.build(made / "recipe.toml", tmp_path)
    mine = tmp_path / "corpus" / "train" / name
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("mine")
    stackc.build(made / "recipe.toml", tmp_path)  # all is reused, nothing is removed
    (tmp_path / "other").mkdir()
    corpus(tmp_path / "other")
    (tmp_path / "other" / "train-a.txt").write_text("another text")
    (tmp_path / "other" / "recipe.toml").write_text(counting())
    before = content(tmp_path)
    with pytest.raises(ArtifactError, match=f"{name}: no build wrote this"):
        stackc.build(tmp_path / "other" / "recipe.toml", tmp_path)
    after = content(tmp_path)
    assert {key for key in before if before[key] != after.get(key)} <= {".lock"}


def test_a_tokenizer_is_not_saved_over_what_is_not_a_stacks(made: Path, tmp_path: Path) -> None:
    stack = made / "stack"
    level = json.loads((stack / "manifest.json").read_text())["levels"][-1]["name"]
    part = next(
        str(path.relative_to(stack)) for path in (stack / level).rglob("*.safetensors") if "dictionary" in str(path)
    )
    for name in ("manifest.json", part):
        target = tmp_path / name.replace("/", "-")
        (target / name).parent.mkdir(parents=True)
        (target / name).write_text('{"name": "my web app"}')
        before = content(target)
        with pytest.raises(ArtifactError, match=f"{name}: exists already and does not belong to a stack; move it"):
            copy_levels(stack, level, target)
        assert content(target) == before
    made_files = copy_levels(stack, level, tmp_path / "saved")
    (tmp_path / "saved" / "manifest.json").unlink()  # as if the save had been killed, or another process were at it
    assert copy_levels(stack, level, tmp_path / "saved") == made_files
    assert copy_levels(stack, level, tmp_path / "saved") == made_files


def test_processes_that_save_one_tokenizer_into_one_folder_all_succeed(made: Path, tmp_path: Path) -> None:
    """As the ranks of a training do."""
    stack = made / "stack"
    level = json.loads((stack / "manifest.json").read_text())["levels"][-1]["name"]
    with ThreadPoolExecutor(4) as pool:
        for saved in [pool.submit(copy_levels, stack, level, tmp_path / "saved") for _ in range(20)]:
            saved.result()
    for path in copy_levels(stack, level, tmp_path / "saved"):
        assert path.read_bytes() == (stack / path.relative_to(tmp_path / "saved")).read_bytes()
    assert not [path for path in (tmp_path / "saved").rglob("*") if path.name.startswith(".")]


def test_a_stage_whose_removal_was_killed_is_known_and_begun_anew(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = tmp_path / "corpus" / "train"
    (stage / "chunks").mkdir(parents=True)
    for name in ("a", "b", "chunks/000000.safetensors"):
        (stage / name).write_bytes(b"half")
    (stage / ".pending").write_text("1" * 64)
    real, calls = Path.unlink, []

    def killed(path: Path, missing_ok: bool = False) -> None:
        calls.append(path)
        if len(calls) == 2:
            raise KeyboardInterrupt
        real(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", killed)
    with pytest.raises(KeyboardInterrupt):
        clear(tmp_path, stage)
    monkeypatch.undo()
    assert (stage / ".pending").read_text() == "0" * 64
    stackc.build(made / "recipe.toml", tmp_path)
    assert {path.name for path in stage.iterdir()} == {"index.safetensors", "stage.json", "store.json", "symbols.bin"}
