"""Numbers agree with their nouns, and names are printed as they are, in messages, tables and reports."""

from __future__ import annotations

import ast
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

import stackc
from recipes_of_tests import corpus, counting
from stackc.api.messages import amount, literal, megabytes
from stackc.cli import main
from stackc.pipeline.display import Display
from stackc.report.table import COLUMNS, print_evaluation


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 bytes"), (1, "1 byte"), (2, "2 bytes"), (1024, "1,024 bytes")],
)
def test_amounts(count: int, said: str) -> None:
    assert amount(count, "byte") == said


@pytest.mark.parametrize("allowed", [0, 1, 2, 999, 1000, 1001, 123_456])
@pytest.mark.parametrize("more", [1, 0.5, 499_999, 500_000, 1_000_000])
def test_what_is_more_than_allowed_looks_like_more(allowed: int, more: float) -> None:
    number, _, unit = megabytes(allowed * 1_000_000 + more).partition(" ")
    assert int(number.replace(",", "")) > allowed
    assert unit == "MB"
    assert megabytes(allowed * 1_000_000) == f"{allowed:,} MB"


def test_no_size_that_is_refused_is_rounded_to_the_nearest() -> None:
    """In messages on `run.memory`, the needed size is written by `megabytes`."""
    root = Path(stackc.__file__).parents[1]
    for path in (*root.glob("stackc/**/*.py"), *root.glob("plugins/**/*.py")):
        text = path.read_text()
        sizes = re.findall(r"\{([\w.]+) / 1e6:,\.0f\}", text) if "run.memory" in text else []
        assert set(sizes) <= {"spec.memory", "self.memory"}, path


def test_one_of_everything(tmp_path: Path) -> None:
    """A stack of one level on one file of one byte: nothing is said in the plural that is one."""
    corpus(tmp_path)
    (tmp_path / "test.txt").write_bytes(b"x")
    (tmp_path / "recipe.toml").write_text(counting())
    stack = stackc.build(tmp_path / "recipe.toml", tmp_path / "stack").folder
    (tmp_path / "one").write_bytes(b"x")
    said = ""
    for arguments in (
        ["encode", stack, tmp_path / "one", "-o", tmp_path / "one.npy"],
        ["decode", stack, tmp_path / "one.npy", "-o", tmp_path / "back"],
        ["export", stack, tmp_path / "one", "--to", "bin", "-o", tmp_path / "one.bin"],
        ["compress", tmp_path / "one", "--stack", stack],
        ["inspect", tmp_path / "one.stk"],
        ["inspect", stack],
        ["eval", stack, tmp_path / "one"],
        ["report", stack, "-o", tmp_path / "page.html"],
    ):
        done = CliRunner().invoke(main, [str(argument) for argument in arguments])
        assert done.exit_code == 0, done.output
        said += done.output
    said += (tmp_path / "page.html").read_text()
    assert "1 byte as 1 token" in said
    assert "1 document, 1 byte as 1 token" in said
    assert "1 source byte in 1 document" in said
    assert "Over the first 1 byte of" in said
    assert not re.search(r"(?<![\d,.])1 (source )?(byte|token|document|level|block|stack|thread|symbol)s\b", said)


def test_the_table_of_several_documents() -> None:
    text = io.StringIO()
    console = Console(file=text, width=120)
    print_evaluation({"levels": [], "round_trip": True, "source_bytes": 1000, "documents": 2}, console)
    assert "1,000 source bytes in 2 documents; every level decoded back" in text.getvalue()


# -- names that a terminal, or rich, would take for its own

OBEYED = {"\x1b", "\x07", "\x9b", "\u202e"}

NAMES = [
    "[bold]x[/bold]", "[/]", "[link=x]y", ":bug:", "a\x1b[31mred\x1b[0m", "bell\x07", "\u202egpj.exe", "\x9b2J",
    "n\udcff",
]  # fmt: skip


def printed(work: Callable[[Console], None]) -> str:
    """What reaches a terminal."""
    screen = io.StringIO()
    work(Console(file=screen, force_terminal=True, width=200, color_system=None))
    return screen.getvalue()


def as_shown(name: str) -> str:
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in name)


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_names_are_printed_as_they_are(name: str) -> None:
    row: dict[str, Any] = {field: 1 for _, field, _ in COLUMNS}
    row |= {"name": name, "uncut_bytes_per_token": 2.0, "bytes_per_token": 1.0}
    figures = {"levels": [row], "round_trip": True, "source_bytes": 1, "documents": 1}

    def staged(console: Console) -> None:
        with Display(None, "plain", console).stage(name, False) as progress:
            progress.say(name)

    for work, times in (
        (lambda console: print_evaluation(figures, console, title=name), 3),
        (lambda console: console.print(literal(name)), 1),
        (staged, 3),
    ):
        text = printed(work)
        assert text.count(as_shown(name)) == times, text
        assert not set(text) & OBEYED


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_live_build_shows_names_as_they_are(name: str) -> None:
    def live(console: Console) -> None:
        with Display(None, "auto", console).stage(name, False) as progress:
            progress.update(1, 2, **{name: 1.0})

    text = printed(live)
    assert as_shown(name) in text
    assert "\x1b[31m" not in text  # the bar itself moves the cursor
    assert not set(text) & OBEYED - {"\x1b"}


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_errors_of_the_command_line_show_names_as_they_are(name: str) -> None:
    for arguments in (["inspect", name], ["compress", "--stack", name, "nowhere"]):
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 2
        assert as_shown(name) in result.output
        assert not set(result.output) & OBEYED


def test_nothing_goes_to_a_terminal_around_the_helpers() -> None:
    """Text put together on the spot is printed by `say` or as `literal`."""
    wrong = []
    for path in Path(stackc.__file__).parent.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if not isinstance(call, ast.Call):
                continue
            name, text = ast.unparse(call.func), ast.unparse(call)
            made = any(isinstance(one, ast.JoinedStr | ast.BinOp) for one in call.args)
            fields = name == "TextColumn" and "{task." in text and "percentage" not in text
            if (
                (made and name.endswith(("console.print", "click.echo", "status.update")))
                or (name.endswith("from_markup"))
                or (fields and "markup=False" not in text)
            ):
                wrong.append(f"{path.name}:{call.lineno}: {text[:60]}")
    assert not wrong
