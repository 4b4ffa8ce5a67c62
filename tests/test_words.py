"""Numbers agree with their nouns, in messages, tables and reports."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

import stackc
from recipes_of_tests import corpus, counting
from stackc.cli import main
from stackc.table import print_evaluation
from stackc.words import amount


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 bytes"), (1, "1 byte"), (2, "2 bytes"), (1024, "1,024 bytes")],
)
def test_amounts(count: int, said: str) -> None:
    assert amount(count, "byte") == said


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
