"""A stack that is kept: used after the process changed its folder, pickled, and asked with what is no row of tokens."""

from __future__ import annotations

import hashlib
import json
import pickle
import shutil
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import stackc
from golden_stacks import DATA, FOLDER
from recipes_of_tests import corpus, counting
from stackc.api import ArtifactError, CodingError, PluginError
from stackc.api.files import sha256_file
from stackc.coding.level import Level
from stackc.stack.manifest import checking_parts

torch.set_num_threads(1)

TEXT = DATA[:300]


@pytest.mark.parametrize("name", ["counting", "two", "recurrent"])
def test_a_stack_of_a_relative_folder_works_after_chdir(name: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(FOLDER)
    stack = stackc.load(name)
    monkeypatch.chdir(tmp_path)
    assert stack.decode(stack.encode(TEXT)) == TEXT
    assert stack.generate(b"It", tokens=2).startswith(b"It")
    stackc.decompress(FOLDER / f"{name}.stk", tmp_path / "out", stack=stack)
    assert (tmp_path / "out").read_bytes() == DATA


def test_a_build_and_a_recipe_of_relative_names_work_after_chdir(tmp_path: Path, monkeypatch: Any) -> None:
    corpus(tmp_path)
    (tmp_path / "recipe.toml").write_text(counting())
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    recipe = stackc.load_recipe("recipe.toml", ('corpus.train="train-*.txt"',))
    assert recipe.source is not None
    assert recipe.source.is_absolute()
    monkeypatch.chdir(tmp_path / "elsewhere")
    stack = stackc.build(recipe, "built")
    monkeypatch.chdir("/")
    assert stack.decode(stack.encode(TEXT)) == TEXT
    assert (tmp_path / "elsewhere/built/manifest.json").is_file()


@pytest.mark.parametrize("name", ["counting", "two"])
def test_another_bits_version_of_one_part_says_what_to_install(name: str, tmp_path: Path) -> None:
    """Of each part in turn: the stack is refused when it is opened, and so is its file."""
    folder = Path(shutil.copytree(FOLDER / name, tmp_path / name))
    path = folder / "manifest.json"
    right = json.loads(path.read_text())
    for part, made_by in right["plugins"].items():
        other = made_by | {"bits_version": made_by["bits_version"] + 1, "version": "9.8"}
        path.write_text(json.dumps(right | {"plugins": right["plugins"] | {part: other}}))
        kind, own = part.split(" ", 1)
        with pytest.raises(PluginError) as caught:
            stackc.decompress(FOLDER / f"{name}.stk", tmp_path / "out", stack=folder)
        said = str(caught.value)
        assert f"of the {kind} {own!r}" in said
        assert f"pip install {made_by['distribution']}==9.8" in said
        assert "\n" not in said
        path.write_text(json.dumps(right | {"plugins": right["plugins"] | {part: other | {"distribution": ""}}}))
        with pytest.raises(PluginError, match=f"use the plugin '{made_by['plugin']}' that it was built with"):
            stackc.load(folder)
    path.write_text(json.dumps(right))
    stackc.decompress(FOLDER / f"{name}.stk", tmp_path / "out", stack=folder)
    assert (tmp_path / "out").read_bytes() == DATA


def used(stack: stackc.Stack) -> None:
    stack.encode(TEXT)
    stack.generate(b"It", tokens=1)
    _ = stack.codec


@pytest.mark.parametrize("name", ["counting", "two", "recurrent"])
@pytest.mark.parametrize("use", [lambda stack: None, used])
def test_a_stack_and_its_levels_pickle_at_any_time(name: str, use: Callable[[stackc.Stack], None]) -> None:
    stack = stackc.load(FOLDER / name)
    use(stack)
    again = pickle.loads(pickle.dumps(stack))
    assert again.sha256 == stack.sha256
    assert again.decode(stack.encode(TEXT)) == TEXT
    symbols: Any = np.frombuffer(TEXT, np.uint8)
    for level in stack.levels:
        copy = pickle.loads(pickle.dumps(level))
        assert copy.name == level.name
        assert (copy.encode(symbols).tokens == level.encode(symbols).tokens).all()
        symbols = level.encode(symbols).tokens


def test_a_pickle_opens_no_other_stack(tmp_path: Path) -> None:
    shutil.copytree(FOLDER / "counting", tmp_path / "stack")
    stack = stackc.load(tmp_path / "stack")
    held = pickle.dumps((stack, *stack.levels))
    shutil.rmtree(tmp_path / "stack")
    shutil.copytree(FOLDER / "two", tmp_path / "stack")
    with pytest.raises(ArtifactError, match="when it was pickled"):
        pickle.loads(held)


NOT_ROWS: list[Any] = [
    [[1, 2], [3, 4]],
    np.zeros((2, 3), np.uint16),
    [626.5],
    np.array([1.0, 2.0]),
    [[1], [2, 3]],
    7,
    None,
    "text",
    [True, False],
    [1 << 70],
    np.array([1 + 2j]),
]


@pytest.mark.parametrize("values", NOT_ROWS, ids=str)
def test_what_is_no_row_of_integers_is_refused_by_name(values: Any) -> None:
    stack = stackc.load(FOLDER / "counting")
    level: Level = stack.levels[0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for work, who in (
            (lambda: stack.decode(values), "counting"),
            (lambda: level.decode(values), level.name),
            (lambda: level.encode(values), level.name),
            (lambda: list(stack.decode_stream([values])), stack.levels[-1].name),
        ):
            with pytest.raises(CodingError, match=r"integers") as caught:
                work()
            assert who in str(caught.value)
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [-1, 1 << 40, (1 << 64) - 1])
def test_integers_outside_the_alphabet_are_refused(value: int) -> None:
    stack = stackc.load(FOLDER / "counting")
    with pytest.raises(CodingError, match=f"M1: code {value} is outside the dictionary of 1024 texts"):
        stack.decode([value])  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["<i8", ">i8", ">u4", "<i4", object])
def test_rows_of_any_integers_decode(kind: Any) -> None:
    stack = stackc.load(FOLDER / "counting")
    tokens = stack.encode(TEXT)
    given = tokens.tolist() if kind is object else tokens.astype(kind)
    assert stack.decode(given) == TEXT
    assert stack.decode([]) == b""  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["counting", "two"])
@pytest.mark.parametrize("place", [12, -1])
def test_a_damaged_part_is_named_as_such_whatever_loading_it_says(name: str, place: int, tmp_path: Path) -> None:
    """It is loaded while it is hashed: at byte 12 loading fails first, at the last byte it does not fail."""
    copy = Path(shutil.copytree(FOLDER / name, tmp_path / name))
    top = stackc.load(copy).recipe.top.name
    (part,) = (copy / top / "frozen").iterdir()
    data = bytearray(part.read_bytes())
    data[place] ^= 1
    part.write_bytes(data)
    stack = stackc.load(copy)
    for _ in range(2):  # nothing of the first attempt is kept
        with pytest.raises(ArtifactError, match=f"{part}: SHA-256 does not match the manifest"):
            _ = stack.top
    data[place] ^= 1
    part.write_bytes(data)
    assert stack.top.alphabet


def test_every_part_is_hashed_and_the_block_ends_after_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "M1" / "frozen").mkdir(parents=True)
    parts = {}
    for number in range(5):
        (tmp_path / "M1" / "frozen" / f"{number}").write_bytes(bytes([number]))
        parts[f"M1/frozen/{number}"] = {"sha256": hashlib.sha256(bytes([number])).hexdigest(), "bytes": 1}
    hashed = []

    def slowly(path: Path) -> str:
        time.sleep(0.02)
        hashed.append(path.name)
        return sha256_file(path)

    monkeypatch.setattr("stackc.stack.manifest.sha256_file", slowly)
    with checking_parts(tmp_path, {"parts": {**parts, "M1/model/x": {}}}, "M1", "frozen"):
        pass
    assert sorted(hashed) == ["0", "1", "2", "3", "4"]
    parts["M1/frozen/4"]["sha256"] = "0" * 64
    with (
        pytest.raises(ArtifactError, match="frozen/4: SHA-256"),
        checking_parts(tmp_path, {"parts": parts}, "M1", "frozen"),
    ):
        raise ValueError("what loading says")
