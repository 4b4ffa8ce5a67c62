"""Arguments and options that several commands share, each written once."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import click

from stackc.api.errors import StackcError
from stackc.cli.command import Name, PathName

Decorator = Callable[[Any], Any]

NAME, PATH = Name(), PathName()


class _StackPath(PathName):
    """A stack's folder, or the name of a stack that ships with stackc: a folder of that name is meant by ./NAME."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from stackc.stack.finding import builtin, no_such_stack

        if not isinstance(value, str):
            return super().convert(value, param, ctx)
        found = builtin(value) or super().convert(value, param, ctx)
        # Here, where the name is as it was typed: a path has lost its "./".
        if (isinstance(param, click.Option) or builtin(str(found))) and not os.path.lexists(found):
            raise StackcError(no_such_stack(value))
        return found


STACK = _StackPath()


def flag(*names: str, help: str) -> Decorator:
    return click.option(*names, is_flag=True, help=help)


def path(*names: str, **settings: Any) -> Decorator:
    return click.option(*names, type=PATH, **settings)


def number(name: str, least: float, most: float | None = None, *, open: bool = False, **settings: Any) -> Decorator:
    """An option for a number in least .. most (above least if `open`): an integer if `least` is an integer."""
    kind = click.IntRange if isinstance(least, int) else click.FloatRange
    return click.option(name, type=kind(least, most, open), show_default="default" in settings, **settings)  # type: ignore[arg-type]


def level(help: str) -> Decorator:
    return click.option("--level", help=help)


def engine(work: str) -> Decorator:
    text = f"{work} here, or on a Ray cluster.  [default: local]"
    return click.option("--engine", type=click.Choice(["local", "ray"]), default="local", help=text)


stack = click.argument("stack", type=STACK)
compressed_files = click.argument("files", type=NAME, nargs=-1, required=True, metavar="FILE.stk...")
found_stack = click.option(
    "--stack",
    type=STACK,
    help="The stack's folder or pack.  [default: the one in the file, or the one whose hash the file names, in "
    "STACKC_PATH, in ./runs or built in]",
)
force = flag("--force", help="Overwrite existing files.")
force_bytes = flag("--force", help="Overwrite existing files; allow binary output to a terminal.")
recheck = flag("--recheck", help="Read the corpus even if no file of it has changed since it was read last.")
quiet = flag("--quiet", help="Print only errors.")
as_json = flag("--json", "as_json", help="Print one JSON object.")
