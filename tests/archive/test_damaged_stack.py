"""A file whose own copy of its stack is damaged, on every command: with another copy at hand they go on and say so."""

from __future__ import annotations

import io
import json
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import stackc
from recipes_of_tests import TEXT
from stackc.archive.format import EMBEDDED_HEAD_SIZE, HEADER_SIZE
from stackc.archive.reader import read_header
from stackc.cli import main

Get = Callable[[str], stackc.Stack]

DATA = (TEXT * 2).encode()
PACK = HEADER_SIZE + EMBEDDED_HEAD_SIZE
SAID = "te.stk: the stack in it is damaged"


def run(*arguments: object, stdin: bytes = b"") -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=stdin)


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 64]) + data[place + 1 :]


@pytest.fixture
def whole(stack: Get, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """te.stk, with damage in the stack in it, and no other copy to be found; the file without damage is returned."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STACKC_PATH", raising=False)
    (tmp_path / "text").write_bytes(DATA)
    made = stackc.compress("text", "whole", stack=stack("counting").folder, block_size=200, embed_stack=True)
    data = made.read_bytes()
    (tmp_path / "te.stk").write_bytes(flipped(data, 400))
    made.unlink()
    return data


READING = (
    "decompress te.stk -o out --force", "decompress te.stk --range 100:300 -o out --force",
    "decompress te.stk --salvage -o out --force",
)  # fmt: skip


@pytest.mark.parametrize("given", [True, False])
def test_with_another_copy_it_decodes_and_a_line_says_why(
    stack: Get, whole: bytes, monkeypatch: pytest.MonkeyPatch, given: bool
) -> None:
    more = ["--stack", str(stack("counting").folder)] if given else []
    if not given:
        monkeypatch.setenv("STACKC_PATH", str(stack("counting").folder.parent))
    for line in READING:
        done = run(*line.split(), *more)
        assert (done.exit_code, done.stderr.count(SAID)) == (0, 1) or "salvage" in line, done.output
        assert Path("out").read_bytes() == (DATA[100:300] if "range" in line else DATA)
        if "salvage" not in line:
            assert done.stderr.startswith(f"warning: {SAID}; the ")
            assert done.stderr.endswith(" is used\n")
    done = run("decompress", "-", "-o", "-", *more, stdin=Path("te.stk").read_bytes())
    assert (done.exit_code, done.stdout_bytes) == (0, DATA)
    assert done.stderr.startswith("warning: standard input: the stack in it is damaged; ")
    checked = run("verify", "te.stk", *more)
    assert checked.exit_code == 2, "the file is not as it was written"
    assert checked.stderr.splitlines()[-1] == f"error: {SAID}; all else of the file decodes to its original"
    assert "decodes to its original" not in checked.stdout
    if not given:
        shown = run("inspect", "te.stk")
        assert (shown.exit_code, "bytes, DAMAGED; " in shown.stdout) == (0, True)
        assert shown.stderr == f"warning: {SAID}; the copy in {stack('counting').folder} is used\n"
        assert json.loads(run("inspect", "te.stk", "--json").stdout)["embedded_damage"] == "the stack in it is damaged"
        with pytest.warns(UserWarning, match=SAID):
            stackc.decompress("te.stk", "out", force=True)
    out = io.BytesIO()
    with pytest.warns(UserWarning, match="the stack in it is damaged"):
        stack("counting").decompress(io.BytesIO(Path("te.stk").read_bytes()), out)
    assert out.getvalue() == DATA


def test_without_one_the_error_is_a_line_that_says_what_to_do(whole: bytes) -> None:
    for line in (*READING, "verify te.stk", "inspect te.stk", "inspect te.stk --json"):
        done = run(*line.split())
        assert (done.exit_code, done.stderr.count("\n")) == (2, 1), done.output
        assert done.stderr.startswith(f"error: {SAID}, and ")
        assert "with --stack" in done.stderr
        assert not Path("out").exists()
    quick = run("verify", "te.stk", "--quick")
    assert (quick.exit_code, quick.stderr) == (2, f"error: {SAID}; all other checksums match\n")


def test_a_wrong_stack_decodes_nothing(stack: Get, whole: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    other = stack("twice").folder
    for line in (*READING, "verify te.stk"):
        done = run(*line.split(), "--stack", other)
        assert (done.exit_code, done.stderr.count("\n")) == (2, 1), done.output
        assert "give the stack that wrote it" in done.stderr
    monkeypatch.setenv("STACKC_PATH", str(other))
    assert run("decompress", "te.stk", "-o", "out").exit_code == 2
    assert not Path("out").exists()


def test_other_damage_is_said_all_the_same(stack: Get, whole: bytes) -> None:
    Path("te.stk").write_bytes(flipped(flipped(whole, 400), len(whole) - 200))
    for more in ([], ["--quick"]):
        done = run("verify", "te.stk", "--stack", stack("counting").folder, *more)
        assert done.exit_code == 2
        assert "all " not in done.stderr
    assert run("decompress", "te.stk", "--stack", stack("counting").folder, "-o", "out").exit_code == 2


def test_a_copy_elsewhere_that_is_damaged_too_is_named(
    stack: Get, copy_of: Callable[[str, Path], Path], whole: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("copies").mkdir()
    copy = copy_of("counting", Path("copies"))
    (copy / "M2" / "frozen" / "frequencies.safetensors").write_bytes(b"x")
    monkeypatch.setenv("STACKC_PATH", "copies")
    done = run("decompress", "te.stk", "-o", "out")
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith(f"error: {SAID}, and no copy elsewhere can be opened (")
    monkeypatch.setenv("STACKC_PATH", os.pathsep.join(["copies", str(stack("counting").folder)]))
    assert run("decompress", "te.stk", "-o", "out").exit_code == 0
    assert Path("out").read_bytes() == DATA


def test_where_the_blocks_begin_is_lost_salvage_finds_them(stack: Get, whole: bytes) -> None:
    Path("te.stk").write_bytes(flipped(whole, PACK - 10))
    done = run("decompress", "te.stk", "--stack", stack("counting").folder, "-o", "out")
    assert (done.exit_code, "--salvage finds them" in done.stderr, done.stderr.count("\n")) == (2, True, 1)
    assert run("decompress", "te.stk", "--stack", stack("counting").folder, "-o", "out", "--salvage").exit_code == 0
    assert Path("out").read_bytes() == DATA


def test_inspect_of_a_folder_says_it_too(stack: Get, whole: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("d").mkdir()
    Path("te.stk").rename("d/te.stk")
    Path("d/whole.stk").write_bytes(whole)
    done = run("inspect", "d")
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith(f"error: d/{SAID}, and no copy of it was found: ")
    assert "in 1 of the files; DAMAGED in 1 of them; NOT FOUND in" in done.stdout
    monkeypatch.setenv("STACKC_PATH", str(stack("counting").folder))
    done = run("inspect", "d")
    place = stack("counting").folder
    assert (done.exit_code, done.stderr) == (0, f"warning: d/{SAID}; the copy in {place} is used\n")
    found = json.loads(run("inspect", "d", "--json").stdout)
    assert found["damaged_stacks"] == {"d/te.stk": f"d/{SAID}"}
    assert (found["unreadable"], found["stacks"][0]["embedded_in"]) == ({}, 1)


def test_what_read_header_tells(whole: bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_header(io.BytesIO(whole)).damage == ""
        assert read_header(io.BytesIO(flipped(whole, PACK))).damage == "the stack in it is damaged"
