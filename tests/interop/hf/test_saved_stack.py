"""The stack in a tokenizer's folder, opened by itself: it codes to the saved levels, and says what it lacks."""

from __future__ import annotations

import io
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import stackc
from golden_stacks import FOLDER
from stackc import ArtifactError, StackcError
from stackc.cli import main
from stackc.hf import StackTokenizer
from stackc.stack.lower_levels import open_levels

DATA = b"It is a truth universally acknowledged"

SAVED = [("counting", "M1"), ("two", "M1"), ("two", "M2")]
"""All levels of a stack, or one of two (`PARTIAL`); the top model never."""

PARTIAL = ("two", "M1")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(one) for one in arguments])


@pytest.fixture(scope="module", params=SAVED, ids="-".join)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """The stack in a tokenizer's folder, the name of the whole stack, and the level."""
    name, level = request.param
    folder = tmp_path_factory.mktemp("saved")
    StackTokenizer.from_stack(FOLDER / name, level).save_pretrained(folder)
    return folder / "stack", name, level


def test_it_codes_to_the_saved_level(case: tuple[Path, str, str], tmp_path: Path) -> None:
    place, name, level = case
    whole, opened = stackc.load(FOLDER / name), stackc.load(place)
    assert opened.sha256 == whole.sha256
    tokens = whole.encode(DATA, level).tolist()
    assert opened.encode(DATA, level).tolist() == tokens
    assert opened.decode(opened.encode(DATA, level), level) == DATA
    assert opened.token_alphabet(level) == whole.token_alphabet(level)
    assert pickle.loads(pickle.dumps(opened)).encode(DATA, level).tolist() == tokens
    (tmp_path / "text").write_bytes(DATA)
    named = ["--level", level] if (name, level) == PARTIAL else []
    assert run("encode", place, tmp_path / "text", "-o", tmp_path / "tokens.npy", *named).exit_code == 0
    assert np.load(tmp_path / "tokens.npy").tolist() == tokens
    assert run("decode", place, tmp_path / "tokens.npy", "-o", tmp_path / "back", *named).exit_code == 0
    assert (tmp_path / "back").read_bytes() == DATA


def test_it_is_a_tokenizer_of_the_saved_level(case: tuple[Path, str, str], tmp_path: Path) -> None:
    place, name, level = case
    ours = StackTokenizer.from_stack(place, level if (name, level) == PARTIAL else None)
    assert ours.init_kwargs["level"] == level
    assert ours("It is").input_ids == StackTokenizer.from_stack(FOLDER / name, level)("It is").input_ids
    done = run("export", place, "--to", "hf-tokenizer", "-o", tmp_path / "again", "--level", level)
    assert done.exit_code == 0
    assert StackTokenizer.from_pretrained(tmp_path / "again")("It is").input_ids == ours("It is").input_ids


def test_it_is_shown_with_what_it_holds(case: tuple[Path, str, str]) -> None:
    place, name, level = case
    shown = run("inspect", place, "--verify")
    assert shown.exit_code == 0
    assert stackc.load(FOLDER / name).sha256 in shown.stdout
    assert f"held: the levels up to {level}, which code to their tokens; this folder belongs to a tok" in shown.stdout
    assert "all SHA-256 match" in shown.stdout
    assert str(place) in run("inspect", place.parent).stderr, "the folder around it says where the levels are"


def test_what_needs_the_whole_stack_says_so_in_one_line(
    case: tuple[Path, str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, name, level = case
    (tmp_path / "text").write_bytes(DATA)
    whole = [
        ("compress", tmp_path / "text", "--stack", place),
        ("pack", place, "-o", tmp_path / "one.stack"),
        ("eval", place, tmp_path / "text"),
        ("generate", place, "--prompt", "It"),
        ("report", place, "-o", tmp_path / "page.html"),
    ]
    for arguments in whole:
        done = run(*arguments)
        assert (done.exit_code, done.stderr.count("\n")) == (2, 1), arguments
        assert "build the stack again" not in done.stderr
        said = f"belongs to a tokenizer and holds the levels up to {level} alone; for this, name the stack that"
        assert said in done.stderr, arguments
    with pytest.raises(ArtifactError, match="belongs to a tokenizer"):
        stackc.load(place).evaluate([DATA])
    packed = io.BytesIO()
    stackc.load(FOLDER / name).compress(io.BytesIO(DATA), packed)
    (tmp_path / "text.stk").write_bytes(packed.getvalue())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STACKC_PATH", os.pathsep.join(map(str, (place, FOLDER / name))))
    done = run("decompress", tmp_path / "text.stk", "-o", tmp_path / "back")
    assert (done.exit_code, (tmp_path / "back").read_bytes()) == (0, DATA), "the whole stack is found behind it"


def test_damage_of_its_own_parts_is_no_lack(case: tuple[Path, str, str], tmp_path: Path) -> None:
    place = case[0]
    shutil.copytree(place.parent, tmp_path / "saved")
    part = next(path for path in sorted((tmp_path / "saved/stack").rglob("*.safetensors")) if path.stat().st_size)
    data = bytearray(part.read_bytes())
    data[-1] ^= 1
    for damaged in (bytes(data), bytes(data[:-1]), None):
        part.unlink()
        if damaged is not None:
            part.write_bytes(damaged)
        with pytest.raises(StackcError, match=f"{part.name}.*; save the tokenizer again"):
            _ = stackc.load(tmp_path / "saved/stack").levels
        assert "save the tokenizer again" in run("inspect", tmp_path / "saved/stack", "--verify").stderr


def test_a_level_that_was_not_saved_is_named(tmp_path: Path) -> None:
    """The last level of the stack too: whoever names none gets no lower one instead."""
    StackTokenizer.from_stack(FOLDER / "two", "M1").save_pretrained(tmp_path)
    with pytest.raises(StackcError, match="levels up to M1; use level='M1', or save a tokenizer of M2 from the stack"):
        StackTokenizer.from_stack(tmp_path / "stack", "M2")
    said = "here are the levels up to M1 alone, .* name M1 as the level, or use the whole stack for M2"
    for stack in (stackc.load(tmp_path / "stack"), open_levels(FOLDER / "two", "M1")):
        for level in ("M2", None):
            with pytest.raises(StackcError, match=said):
                stack.encode(DATA, level)
    (tmp_path / "text").write_bytes(DATA)
    for named in ([], ["--level", "M2"]):
        done = run("encode", tmp_path / "stack", tmp_path / "text", "-o", tmp_path / "t.npy", *named)
        assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
        assert "name M1 as the level" in done.stderr


def test_a_whole_stack_next_to_a_tokenizers_settings_is_opened_whole(tmp_path: Path) -> None:
    StackTokenizer.from_stack(FOLDER / "two", "M1").save_pretrained(tmp_path)
    shutil.rmtree(tmp_path / "stack")
    shutil.copytree(FOLDER / "two", tmp_path / "stack")
    opened = stackc.load(tmp_path / "stack")
    assert opened.encode(DATA).tolist() == stackc.load(FOLDER / "two").encode(DATA).tolist()
    assert opened.top.alphabet == 256


def test_settings_that_cannot_be_read_or_name_no_level_change_nothing(tmp_path: Path) -> None:
    StackTokenizer.from_stack(FOLDER / "counting").save_pretrained(tmp_path)
    for settings in ("not JSON", '{"level": "M9"}', '{"level": 1}', "[]"):
        (tmp_path / "tokenizer_config.json").write_text(settings)
        with pytest.raises(ArtifactError, match="a part of the stack is missing or cut short"):
            stackc.load(tmp_path / "stack")
