"""``stackc plugins list``, ``stackc plugins check NAME`` and ``stackc plugins new NAME``."""

from __future__ import annotations

import json
import traceback
from pathlib import Path

import click

from stackc.api.errors import PluginError
from stackc.api.streams import remark, results
from stackc.api.version import DECLARATION
from stackc.cli import Command, say
from stackc.cli.show import console, show
from stackc.parts.blame import wants_traceback
from stackc.parts.part import Broken, Part
from stackc.parts.registry import HOOKS, Registry, installed


class Plugins(click.Group):
    """The group; what it holds are commands as all others."""

    command_class = Command


@click.group("plugins", cls=Plugins)
def command() -> None:
    """List plugins and their parts, check one, or start one."""


@command.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def list_(as_json: bool) -> None:
    """List installed parts, and plugins set aside.

    Plugins that were set aside, or break the contract, are named with the reason on standard error.
    """
    out = results()
    found = Registry(installed())
    if as_json:
        show(json.dumps({"parts": [_row(part) for part in found.parts()], "set_aside": _broken(found)}, indent=2))
    elif out.isatty():
        _print_table(found.parts())
    else:
        _print_plain(found.parts())
    for broken in found.broken:
        if not as_json:
            say(f"{'wrong' if broken.fatal else 'set aside'}: {broken}")
    found.check()


@command.command()
@click.argument("name")
def check(name: str) -> None:
    """Check the plugin or part NAME.

    Loads it, looks at its hooks and its configuration, makes each part where its configuration has defaults, and
    tries it. Exits with 2 where a promise is broken.
    """
    from stackc.coding.trial import check_part

    found = Registry(installed())
    broken = [broken for broken in found.broken if broken.source.plugin == name]
    parts = [part for part in found.parts() if name in (part.plugin, part.name)]
    if not parts and not broken:
        raise PluginError(_nothing(name, found))
    failed = bool(broken)
    for one in broken:
        show(f"FAILED  {one}")
        _show(one.error)
    for part in parts:
        verdict = check_part(part)
        failed = failed or bool(verdict.problems)
        show(f"{'FAILED' if verdict.problems else 'ok    '}  {part.kind} {part.name} (plugin '{part.plugin}')")
        for line in [*verdict.problems, *verdict.notes, *_undeclared(part, found)]:
            show(f"        {line}")
        for error in verdict.raised:
            _show(error)
    if failed:
        raise PluginError(f"{name} failed the check")


@command.command()
@click.argument("name")
@click.option("--kind", type=click.Choice(list(HOOKS)), required=True, help="What the plugin adds.")
@click.option("--out", type=click.Path(path_type=Path), default=Path(), help="Where to put it.  [default: here]")
def new(name: str, kind: str, out: Path) -> None:
    """Write a plugin package NAME that works at once.

    NAME is of lower-case letters, digits and '-'. The folder NAME is made: a module with a small real part, tests on
    the contract suite, pyproject.toml, README.md. A folder that exists is left as it is.
    """
    from stackc.scaffold import part_name, write

    folder = write(name, kind, out)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        remark(str(path))
    remark(f"Next: cd {folder} && pip install -e '.[test]' && pytest && stackc plugins check {part_name(name)}")


def _show(error: BaseException | None) -> None:
    """Where it was raised, for whoever asked for that."""
    if error is not None and wants_traceback():
        traceback.print_exception(error)


def _undeclared(part: Part, found: Registry) -> list[str]:
    """A note on a third party's plugin that does not say which contract it was made for."""
    source = next(source for source in found.sources if source.plugin == part.plugin)
    if part.distribution == "stackc" or getattr(source.load(), DECLARATION, None) is not None:
        return []
    return [f"its module has no {DECLARATION}: no version of the contract is held against it"]


def _nothing(name: str, found: Registry) -> str:
    names = sorted({source.plugin for source in found.sources} | {part.name for part in found.parts()})
    return f"no plugin or part named {name!r}; there are: {', '.join(names)}"


def _row(part: Part) -> dict[str, str | int]:
    return {
        "kind": part.kind,
        "name": part.name,
        "plugin": part.plugin,
        "distribution": part.distribution,
        "version": part.version,
        "bits_version": part.bits_version,
        "summary": part.summary,
    }


def _broken(found: Registry) -> list[dict[str, str | bool]]:
    return [_broken_row(broken) for broken in found.broken]


def _broken_row(broken: Broken) -> dict[str, str | bool]:
    return {
        "plugin": broken.source.plugin,
        "distribution": broken.source.distribution,
        "version": broken.source.version,
        "reason": broken.reason,
        "breaks_contract": broken.fatal,
    }


def _print_plain(parts: list[Part]) -> None:
    rows = [(part.kind, part.name, part.plugin, part.version, part.summary) for part in parts]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(4)]
    for row in rows:
        cells = [text.ljust(width) for text, width in zip(row[:4], widths, strict=True)]
        show("  ".join([*cells, row[4]]))


def _print_table(parts: list[Part]) -> None:
    from rich.table import Table

    from stackc.api.messages import literal

    table = Table("kind", "name", "plugin", "version", "summary", box=None, header_style="bold", pad_edge=False)
    for part in parts:
        table.add_row(*map(literal, (part.kind, part.name, part.plugin, part.version, part.summary)))
    console(highlight=True).print(table)
