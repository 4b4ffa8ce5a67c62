"""What several commands print on standard output: what they were asked for (`stackc.api.streams.results`)."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stackc.api.errors import StackcError
from stackc.api.messages import shown
from stackc.api.streams import remark, results

if TYPE_CHECKING:
    from rich.console import Console


def show(text: str = "") -> None:
    """A line of what the command was asked for.

    Raises:
        StackcError: standard output is closed.
    """
    click.echo(shown(text), file=results())


def console(highlight: bool = False) -> Console:
    """Standard output for tables. Raises `StackcError` where it is closed."""
    from rich.console import Console

    out = results()
    width = None
    if out.isatty() and "COLUMNS" not in os.environ:  # rich would ask for the width of number 1, which is not this one
        width = os.get_terminal_size(out.fileno()).columns or None
    return Console(file=out, width=width, highlight=highlight)


def print_report(folder: Path) -> None:
    """The figures that the build kept in a stack, if it measured any; nothing where standard output is closed."""
    from stackc.report.table import print_evaluation

    path = folder / "report" / "report.json"
    try:
        out = console()
    except StackcError:  # the stack is there all the same
        return
    if path.is_file():
        report = json.loads(path.read_text())
        print_evaluation(report, out, title=f"{folder}: held-out text ({report['split']})")
    else:
        remark(f"{folder}: built; there was no test text to measure")
