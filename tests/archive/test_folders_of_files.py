"""`stackc verify` and `inspect` of folders and of several names: nothing is left out, and nothing stops the others."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import stackc
from recipes_of_tests import TEXT
from stackc.cli import main

Get = Callable[[str], stackc.Stack]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder ``d`` with one good file, good.stk."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STACKC_PATH", raising=False)
    (tmp_path / "text").write_text(TEXT)
    (tmp_path / "d").mkdir()
    stackc.compress("text", "d/good.stk")
    return tmp_path


def refuse(monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    """As for a user without rights: the tests may run as root, who has all."""
    scandir = os.scandir

    def refused(path: str) -> object:
        if os.fspath(path) == folder:
            raise PermissionError(13, "Permission denied", folder)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)


UNREAD = {
    "d/gone.stk": "a link to nowhere.stk, which does not exist",
    "d/loop.stk": "cannot read (Too many levels of symbolic links)",
    "d/pipe.stk": "not a regular file; in a folder, pipes and devices are not read",
    "d/socket.stk": "not a regular file; in a folder, pipes and devices are not read",
    "d/device.stk": "not a regular file; in a folder, pipes and devices are not read",
    "d/sub": "cannot read (Permission denied)",
}


def test_what_a_folder_holds_and_cannot_be_read_is_a_line(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("d/gone.stk").symlink_to("nowhere.stk")
    Path("d/loop.stk").symlink_to("loop.stk")
    Path("d/device.stk").symlink_to("/dev/zero")
    os.mkfifo("d/pipe.stk")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("d/socket.stk")
    Path("d/sub").mkdir()
    shutil.copy("d/good.stk", "d/sub/more.stk")
    assert run("inspect", "d/sub").exit_code == 0
    refuse(monkeypatch, "d/sub")
    done = run("verify", "d")
    assert done.exit_code == 2
    assert done.stdout == "d/good.stk: decodes to its original\n6 files: 1 intact, 5 not; 1 folder not checked\n"
    said = sorted(f"error: {name}: {text}" for name, text in UNREAD.items())
    assert sorted(done.stderr.splitlines()) == said
    shown = run("inspect", "d")
    assert (shown.exit_code, sorted(shown.stderr.splitlines())) == (2, said)
    assert shown.stdout.startswith("d: 6 files, 1 stack\n")
    found = json.loads(run("inspect", "d", "--json").stdout)["unreadable"]
    assert found == {name: f"{name}: {text}" for name, text in UNREAD.items()}


@pytest.mark.skipif(shutil.which("setpriv") is None or os.geteuid() != 0, reason="gives up the rights of root")
def test_a_folder_without_rights(here: Path) -> None:
    Path("d/sub").mkdir(mode=0)
    Path("d/listed").mkdir()
    shutil.copy("d/good.stk", "d/listed/more.stk")
    Path("d/listed").chmod(0o444)
    without = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", sys.executable, "-m", "stackc"]
    for command in ("verify", "inspect"):
        done = subprocess.run([*without, command, "d"], capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert sorted(done.stderr.splitlines()) == [
            "error: d/listed/more.stk: cannot read (Permission denied)",
            "error: d/sub: cannot read (Permission denied)",
        ]
    Path("d/sub").chmod(0o700)
    Path("d/listed").chmod(0o700)


def test_a_folder_that_cannot_be_read_itself(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, "d")
    for command in ("verify", "inspect"):
        done = run(command, "d")
        assert (done.exit_code, done.stderr) == (2, "error: d: cannot read (Permission denied)\n")


BAD = {
    "empty": "empty: no .stk files in this folder or below it",
    "missing.stk": "missing.stk: cannot read (No such file or directory)",
    "text": "text: not a .stk file (its first bytes are wrong)",
    "x" * 300: f"{'x' * 300}: File name too long",
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("good", ["d/good.stk", "d"])
def test_a_name_that_is_wrong_stops_no_other(here: Path, bad: str, first: bool, good: str) -> None:
    Path("empty").mkdir()
    done = run("verify", *([bad, good] if first else [good, bad]))
    assert (done.exit_code, done.stderr) == (2, f"error: {BAD[bad]}\n")
    summary = "1 file: 1 intact; 1 folder not checked" if bad == "empty" else "2 files: 1 intact, 1 not"
    assert done.stdout == f"d/good.stk: decodes to its original\n{summary}\n"
    alone = run("verify", bad)
    assert (alone.exit_code, alone.stdout, alone.stderr) == (2, "", f"error: {BAD[bad]}\n")
