"""Names of files may hold new lines: an error about one is a line, and no name prints a line of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import stackc
from recipes_of_tests import TEXT
from stackc.api.errors import RecipeError
from stackc.api.messages import one_line
from stackc.cli import COMMANDS, main

Get = Callable[[str], stackc.Stack]

FORGED = "ok.stk: decodes to its original"
NAME = f"{FORGED}\nb"
"""The name of a file whose first line looks like one of `stackc verify`."""


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def here(stack: Get, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the stack S."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "S").symlink_to(stack("counting").folder)
    (tmp_path / "text").write_text(TEXT)
    return tmp_path


FAILING = (
    "compress {}", "compress text --stack {}", "compress text -o {}/", "compress text text -o {}", "compress . {}",
    "decompress {}", "decompress {}.stk", "decompress {}.stk --salvage -o out", "decompress text.stk --stack {}",
    "decompress text.stk -o {}/", "verify {}.stk", "verify {}.stk text.stk --quick", "verify text.stk --stack {}",
    "encode {} text -o t.bin", "encode S {} -o t.bin", "encode S text -o {}", "encode S text -o {}/no/t.bin",
    "encode S text -o t.bin --level {}", "decode {} t.bin -o out", "decode S {}.bin -o out", "decode S {}.npy -o out",
    "inspect {}", "inspect {}.stk", "inspect S --texts --level {}", "eval {} text", "eval S {}", "generate {} x",
    "export {} text --to bin -o out.bin", "export S {} --to bin -o out.bin", "export S text --to bin -o {}/no/x.bin",
    "pack {} -o out", "pack S -o {}/no/out", "report {} -o page.html", "report S -o {}/no/page.html", "compare {} S",
    "build {}", "build {}.toml", "build smoke --set {}=1", "sweep {}", "bench {} text", "bench S {}",
    "plugins check {}", "plugins new {} --kind coder", "{}", "pack S S {}", "export S --to {} -o out", "doctor {}",
    "decompress text.stk --range {}", "compress text --block-size {}",
)  # fmt: skip


def test_the_list_has_every_command() -> None:
    assert {line.split()[0] for line in FAILING} - {"{}"} == set(COMMANDS)


@pytest.mark.parametrize("line", FAILING)
def test_an_error_about_a_name_is_one_line(here: Path, line: str) -> None:
    assert run("compress", "text", "--stack", "S").exit_code == 0
    done = run(*[word.replace("{}", NAME) for word in line.split()])
    assert done.exit_code == 2
    lines = [one for one in done.output.split("\n") if one and one.startswith(("error", FORGED, "b"))]
    errors = [one for one in done.stderr.split("\n") if one.startswith("error: ")]
    assert len(errors) >= 1
    assert set(lines) == set(errors), "no line is made by a name"
    assert len(errors) == 1 or line.startswith(("verify", "compress"))


def test_lines_about_files_are_one_each(here: Path) -> None:
    """With names that exist: what the commands say of their work."""
    (here / "d").mkdir()
    inside = here / "d" / NAME
    inside.write_text(TEXT)
    shown = one_line(f"d/{NAME}.stk")
    assert run("compress", inside.relative_to(here), "--stack", "S", "--block-size", 300).stderr.startswith(
        f"{shown}: "
    )
    assert run("verify", f"d/{NAME}.stk", "--stack", "S").stdout == f"{shown}: decodes to its original\n"
    assert run("verify", "d", "--stack", "S").stdout == f"{shown}: decodes to its original\n"
    assert run("inspect", f"d/{NAME}.stk").stdout.startswith(f"{shown}: ")
    assert run("inspect", f"d/{NAME}.stk").stdout.count("\n") == 5
    packed = bytearray(Path(f"d/{NAME}.stk").read_bytes())
    packed[-200] ^= 1
    Path(f"d/{NAME}.stk").write_bytes(packed)
    for done in (
        run("verify", "d", "--stack", "S"),
        run("decompress", f"d/{NAME}.stk", "--stack", "S", "-o", "out"),
    ):
        assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
        assert done.stderr.startswith(f"error: {shown}: ")
    done = run("decompress", f"d/{NAME}.stk", "--stack", "S", "-o", NAME, "--salvage")
    assert all(line.startswith((shown, one_line(NAME))) for line in done.stderr.splitlines()), done.stderr
    done = run("encode", "S", f"d/{NAME}", "-o", f"{NAME}.bin")
    assert done.stderr.startswith(one_line(f"{NAME}.bin: ")), done.stderr
    assert run("decode", "S", f"{NAME}.bin", "-o", "d/\nback").stderr.startswith("d/\\nback: ")
    assert run("pack", "S", "-o", "d/\npacked").stderr.count("\n") == 1
    assert run("export", "S", "text", "--to", "bin", "-o", "d/\n.bin").stderr.count("\n") == 1


def test_json_is_whole_whatever_a_name_holds(here: Path) -> None:
    odd = "\n\t\x7f\x1b[31m\u2028\u202e.stk"
    (here / "d").mkdir()
    assert run("compress", "text", "-o", f"d/{odd}").exit_code == 0
    assert json.loads(run("inspect", "d", "--json").stdout)["stacks"][0]["files"] == [f"d/{odd}"]
    said = run("inspect", "d").stdout + run("verify", "d").stdout
    assert not set(odd.removesuffix(".stk")) - set("\n[31m") & set(said)


def test_errors_of_several_lines_keep_them(here: Path) -> None:
    assert RecipeError("a\nb", ["one", "two\nthree"]).lines == ["a\nb: 2 problems", "  one", "  two\nthree"]
    Path("two.toml").write_text("[stack]\nodd = 1\nother = 2\n")
    done = run("build", "two.toml")
    assert done.exit_code == 2
    assert [line[:2] for line in done.stderr.splitlines()[1:]] == ["  "] * (done.stderr.count("\n") - 1)
    assert done.stderr.count("\n") > 2


def test_a_missing_choice_is_one_line() -> None:
    done = run("export", "S", "-o", "out")
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "parquet" in done.stderr
