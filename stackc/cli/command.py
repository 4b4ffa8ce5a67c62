"""What all commands share: their class, their exit codes, and what they print."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stackc.api import streams
from stackc.api.messages import amount, one_line
from stackc.api.streams import remark as remark

if TYPE_CHECKING:
    from rich.console import Console

# Exit codes. WARNING: the work was done, but with losses, which were reported.
WARNING, USER_ERROR, INTERRUPTED = 1, 2, 130


class Command(click.Command):
    """A command. While it runs, standard output carries its results only (`stackc.api.streams.results`)."""

    def invoke(self, ctx: click.Context) -> Any:
        with streams.kept():
            return super().invoke(ctx)


class Name(click.types.StringParamType):
    """A name. An empty one, as of a shell variable that is not set, means no file, and not the current folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return super().convert(value, param, ctx) or self.fail("an empty name", param, ctx)


class PathName(click.Path):
    """The name of a file or a folder, as a path. It must not be empty either."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return super().convert(value or self.fail("an empty name", param, ctx), param, ctx)


class OutputFile(PathName):
    """The name of a file to write. A name that ends in a slash means a folder, which must exist."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from stackc.stack.outputs import output_path

        return super().convert(output_path(value) if value else value, param, ctx)


def say(text: str) -> None:
    """Print a line on standard error, with control characters escaped, new lines too."""
    click.echo(one_line(text), err=True)


def error_text(lines: list[str]) -> str:
    """The lines of an error, as they are printed."""
    return "\n".join(map(one_line, [f"error: {lines[0]}", *lines[1:]]))


def show(text: str = "") -> None:
    """Print a line of the command's result on standard output, as `say` does. Raises `StackcError` if it is closed."""
    click.echo(one_line(text), file=streams.results())


def show_json(value: object, sort_keys: bool = False) -> None:
    # JSON escapes new lines and all that is not ASCII, and of the control characters all but one.
    text = json.dumps(value, indent=1, sort_keys=sort_keys).replace("\x7f", "\\u007f")
    click.echo(text, file=streams.results())


def console(highlight: bool = False) -> Console:
    """Standard output for tables. Raises `StackcError` if it is closed."""
    from rich.console import Console

    out = streams.results()
    width = None
    if out.isatty() and "COLUMNS" not in os.environ:  # rich would ask for the width of number 1, now standard error
        width = os.get_terminal_size(out.fileno()).columns or None
    return Console(file=out, width=width, highlight=highlight)


def compressed_size(size: int, written: int) -> str:
    """``1,000 bytes as 231, 1.848 bits per byte``."""
    return f"{amount(size, 'byte')} as {written:,}" + (f", {8 * written / size:.3f} bits per byte" if size else "")
