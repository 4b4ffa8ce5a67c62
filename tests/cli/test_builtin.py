"""Compressing without a stack of one's own: those that ship are found again by their hash, and never change."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import stackc
from stackc.cli import main
from stackc.stack.finding import GENERAL, builtin
from stackc.stack.manifest import manifest_alone, stack_sha256

TEXT = b"".join(b"line %d: nothing of note happened in the village that day\n" % (i * i) for i in range(300))

STACK = "58265525c657bbce1924920fbfa2afc419b8bf7fee512b2f61276a549e38afff"

BITS = {
    GENERAL: (STACK, "48d6b538cd28f922"),
    "general-2": ("71c98b91234babf95d666c8b8e76e8c50cf49f1c221c01dcb248686fef37145a", "8b0135a0f2276290"),
    "general-1": ("67299321f56c1c9cd2c9eafaf87f94df0ef161e7005511ee5cbc2914abe72d04", "99bc8a46c6124661"),
    "fast-1": ("e0ce99e15f53f0df5f466853b3994310b571d748a34be4d78980d069e52c1d64", "1c2698be67d82d60"),
    "fast-2": ("508f6caad50a0b311219c25a937b055707c9bb89e13196b08614afb5a8a8035b", "d6116a15311152b7"),
}
"""SHA-256 of each stack, and of the block of `TEXT`. They may never change: files would no longer decode."""


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(one) for one in arguments])


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with no stack in it and no STACKC_PATH."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STACKC_PATH", raising=False)
    Path("text").write_bytes(TEXT)
    return tmp_path


def test_a_file_is_compressed_and_found_again_without_naming_a_stack() -> None:
    done = run("compress", "text")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr.endswith(f", with the built-in stack {GENERAL}\n")
    assert Path("text.stk").stat().st_size < len(TEXT) / 8
    assert run("decompress", "text.stk", "-o", "back").exit_code == 0
    assert Path("back").read_bytes() == TEXT
    assert run("verify", "text.stk").exit_code == 0
    shown = run("inspect", "text.stk").stdout
    assert STACK in shown
    assert GENERAL in shown
    assert stackc.compress("text", "again.stk").read_bytes() == Path("text.stk").read_bytes()
    assert stackc.compress("text", "named.stk", stack=GENERAL).read_bytes() == Path("text.stk").read_bytes()


@pytest.mark.parametrize("name", list(BITS))
def test_its_bits_never_change(name: str) -> None:
    folder = builtin(name)
    assert folder is not None
    (payload,) = stackc.load(folder).codec.encode([TEXT])
    assert payload is not None
    assert (stack_sha256(manifest_alone(folder)), hashlib.sha256(payload).hexdigest()[:16]) == BITS[name]


@pytest.mark.parametrize("name", list(BITS))
def test_every_built_in_stack_is_found_by_name_and_by_hash(name: str) -> None:
    assert run("compress", "text", "--stack", name).exit_code == 0
    assert run("decompress", "text.stk", "-o", "back").exit_code == 0
    assert Path("back").read_bytes() == TEXT


@pytest.mark.parametrize("name", ["general-99", "no/such/folder"])
def test_a_stack_that_is_not_there_is_one_line_that_names_those_that_are(name: str) -> None:
    done = run("compress", "text", "--stack", name)
    assert done.exit_code == 2
    every = ", ".join(sorted(BITS))
    assert done.stderr.endswith(f"name a folder, or one that is built in: {every}\n")
    assert len(done.stderr.splitlines()) == 1


def test_a_folder_of_its_name_is_meant_by_its_path_only(here: Path) -> None:
    (here / GENERAL).mkdir()
    assert run("compress", "text", "--stack", GENERAL).exit_code == 0
    done = run("compress", "text", "--stack", f"./{GENERAL}", "--force")
    assert (done.exit_code, "not a stack (no manifest.json)" in done.stderr) == (2, True)
    assert run("inspect", GENERAL).exit_code == 0
    assert builtin("") is builtin("..") is builtin(f"x/{GENERAL}") is None


@pytest.mark.parametrize("typed", [f"./{GENERAL}", f"{GENERAL}/", f".//{GENERAL}", "./none", "none/", "no/../none"])
def test_a_name_is_shown_as_it_was_typed(typed: str) -> None:
    """A path has lost its "./": the message would say that a built-in stack is not there, and list it."""
    assert run("compress", "text").exit_code == 0
    commands = ["compress text --stack", "decompress text.stk -o out --stack", "verify text.stk --stack"]
    if GENERAL in typed:
        commands += ["inspect", "pack", "export --to bin -o out"]
    for line in commands:
        done = run(*line.split(), typed)
        assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
        meant = " (./NAME means a folder)" if GENERAL in typed else ""
        assert done.stderr.startswith(f"error: {typed}: no such stack{meant}; name a folder, or one that is built in: ")
    with pytest.raises(stackc.StackcError, match=f"^{typed}: no such stack"):
        stackc.compress("text", "out", stack=typed)


@pytest.mark.parametrize("name", list(BITS))
def test_the_machine_path_of_nobody_is_in_it(name: str) -> None:
    folder = builtin(name)
    assert folder is not None
    corpus = manifest_alone(folder)["recipe"]["corpus"]
    assert [corpus[split] for split in ("train", "valid", "test")] == [
        f"data/smoke_{split}.txt.xz" for split in ("train", "valid", "test")
    ]


def test_torch_is_not_imported_for_a_model_that_needs_no_device() -> None:
    """It takes longer than all else before the first byte."""
    code = (
        "import sys, stackc\n"
        "stackc.decompress(stackc.compress('text', 'one.stk'), 'one.txt')\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
