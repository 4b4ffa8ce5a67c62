"""What commands are made of: their class, the options that several of them share, and what they print."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stackc.api import streams
from stackc.api.messages import amount, shown

if TYPE_CHECKING:
    from rich.console import Console

Decorator = Callable[[Any], Any]

PATH = click.Path(path_type=Path)


class Command(click.Command):
    """A command. While it runs, standard output carries its results only (`stackc.api.streams.results`)."""

    def invoke(self, ctx: click.Context) -> Any:
        with streams.kept():
            return super().invoke(ctx)


class OutputFile(click.Path):
    """The name of a file to write. A name that ends in a slash means a folder, which must exist."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from stackc.stack.outputs import output_path

        return super().convert(output_path(value), param, ctx)


# --------------------------------------------------------------------------------------------------
# Arguments and options


def flag(*names: str, help: str) -> Decorator:
    return click.option(*names, is_flag=True, help=help)


def number(name: str, least: float, most: float | None = None, *, open: bool = False, **settings: Any) -> Decorator:
    """An option for a number in least .. most (above least if `open`): an integer if `least` is an integer."""
    kind = click.IntRange if isinstance(least, int) else click.FloatRange
    return click.option(name, type=kind(least, most, open), show_default="default" in settings, **settings)  # type: ignore[arg-type]


def level_option(help: str) -> Decorator:
    return click.option("--level", help=help)


def engine_option(work: str) -> Decorator:
    text = f"{work} here, or on a Ray cluster.  [default: local]"
    return click.option("--engine", type=click.Choice(["local", "ray"]), default="local", help=text)


stack_argument = click.argument("stack", type=PATH)
compressed_argument = click.argument("files", nargs=-1, required=True, metavar="FILE.stk...")
found_stack_option = click.option(
    "--stack",
    type=PATH,
    help="The stack's folder.  [default: the one whose hash the file names, in STACKC_PATH or ./runs]",
)
force_option = flag("--force", help="Overwrite existing files.")
force_bytes_option = flag("--force", help="Overwrite existing files; allow binary output to a terminal.")
quiet_option = flag("--quiet", help="Print only errors.")
json_option = flag("--json", "as_json", help="Print one JSON object.")

# --------------------------------------------------------------------------------------------------
# What is printed


def say(text: str) -> None:
    """Print a message on standard error, with control characters escaped (`stackc.api.messages.shown`)."""
    click.echo(shown(text), err=True)


def show(text: str = "") -> None:
    """Print a line of the command's result on standard output. Raises `StackcError` if that is closed."""
    click.echo(shown(text), file=streams.results())


def show_json(value: object, sort_keys: bool = False) -> None:
    show(json.dumps(value, indent=1, sort_keys=sort_keys))


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
