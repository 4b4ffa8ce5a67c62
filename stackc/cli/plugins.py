"""``stackc plugins list``, ``stackc plugins check NAME`` and ``stackc plugins new NAME``."""

from __future__ import annotations

import traceback
from pathlib import Path

import click

from stackc.api.errors import PluginError
from stackc.api.messages import literal
from stackc.api.streams import results
from stackc.api.version import DECLARATION
from stackc.cli import options
from stackc.cli.command import Command, console, remark, say, show, show_json
from stackc.parts.blame import wants_traceback
from stackc.parts.part import Broken, Part
from stackc.parts.registry import HOOKS, Registry, installed

COLUMNS = ("kind", "name", "plugin", "version", "summary")
FIELDS = ("kind", "name", "plugin", "distribution", "version", "bits_version", "summary")
"""What the table and the JSON show of a part."""


class Plugins(click.Group):
    """The group of these commands."""

    command_class = Command


@click.group("plugins", cls=Plugins)
def command() -> None:
    """List plugins and their parts, check a plugin, or create one."""


@command.command(name="list")
@options.as_json
def list_(as_json: bool) -> None:
    """List the installed parts, and plugins that were set aside.

    Plugins that were set aside or break the contract are reported on standard error, with the reason.
    """
    out = results()
    found = Registry(installed())
    if as_json:
        parts = [{field: getattr(part, field) for field in FIELDS} for part in found.parts()]
        show_json({"parts": parts, "set_aside": [_broken_row(broken) for broken in found.broken]})
    elif out.isatty():
        _print_table(found.parts())
    else:
        _print_plain(found.parts())
    for broken in found.broken:
        if not as_json:
            for line in f"{'wrong' if broken.fatal else 'set aside'}: {broken}".split("\n"):
                say(line)
    found.check()


@command.command()
@click.argument("name")
def check(name: str) -> None:
    """Check the plugin or part NAME.

    Loads it, checks its hooks and its configuration, creates each part whose configuration has defaults, and tries
    it; builds a small recipe with each model and coder; and says if code or bits changed and bits_version did not.
    The exit code is 2 if the contract is broken.
    """
    from stackc.coding.trial import check_part
    from stackc.parts.versions import notice
    from stackc.pipeline.part_trial import build_with

    found = Registry(installed())
    broken = [broken for broken in found.broken if broken.source.plugin == name]
    parts = [part for part in found.parts() if name in (part.plugin, part.name)]
    if not parts and not broken:
        raise PluginError(_unknown(name, found))
    failed = bool(broken)
    for one in broken:
        for line in f"FAILED  {one}".split("\n"):
            show(line)
        _show_traceback(one.error)
    for part in parts:
        verdict = check_part(part)
        built = None if verdict.problems else build_with(part)
        if built is not None:
            verdict.add(built.note, built.problem, built.error)
        verdict.add(notice(part, None if built is None else built.bits))
        failed = failed or bool(verdict.problems)
        show(f"{'FAILED' if verdict.problems else 'ok    '}  {part.kind} {part.name} (plugin '{part.plugin}')")
        for line in [*verdict.problems, *verdict.notes, *_undeclared(part, found)]:
            for text in f"        {line}".split("\n"):
                show(text)
        for error in verdict.raised:
            _show_traceback(error)
    if failed:
        raise PluginError(f"{name} failed the check")


@command.command()
@click.argument("name")
@click.option("--kind", type=click.Choice(list(HOOKS)), required=True, help="What the plugin adds.")
@click.option(
    "--variant",
    type=click.Choice(["whole-windows", "pieces", "dictionary", "bitwise"]),
    help="Another template: whole-windows, a coder of whole windows; pieces, one that cuts windows into pieces; "
    "dictionary, one that lists its texts; bitwise, a model that codes bit by bit.",
)
@options.path("--out", default=Path(), help="The folder to put it in.  [default: the current one]")
def new(name: str, kind: str, variant: str | None, out: Path) -> None:
    """Create a working plugin package NAME.

    NAME consists of lower-case letters, digits and '-'. The new folder NAME holds a module with a small real part,
    tests that use the contract suite, pyproject.toml and README.md. An existing folder is an error.
    """
    from stackc.scaffold import part_name, write

    folder = write(name, kind, out, variant)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        remark(str(path))
    remark(f"Next: cd {folder} && pip install -e '.[test]' && pytest && stackc plugins check {part_name(name)}")


def _show_traceback(error: BaseException | None) -> None:
    """Print where an error was raised, if STACKC_TRACEBACK asks for it."""
    if error is not None and wants_traceback():
        traceback.print_exception(error)


def _undeclared(part: Part, found: Registry) -> list[str]:
    """A note if a third party's plugin does not declare the contract that it was written for."""
    source = next(source for source in found.sources if source.plugin == part.plugin)
    if part.distribution == "stackc" or getattr(source.load(), DECLARATION, None) is not None:
        return []
    return [f"its module has no {DECLARATION}, so the version of the contract cannot be checked"]


def _unknown(name: str, found: Registry) -> str:
    names = sorted({source.plugin for source in found.sources} | {part.name for part in found.parts()})
    return f"no plugin or part named {name!r}; the names are {', '.join(names)}"


def _broken_row(broken: Broken) -> dict[str, str | bool]:
    source = {field: getattr(broken.source, field) for field in ("plugin", "distribution", "version")}
    return {**source, "reason": broken.reason, "breaks_contract": broken.fatal}


def _print_plain(parts: list[Part]) -> None:
    rows = [[str(getattr(part, column)) for column in COLUMNS] for part in parts]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for *cells, summary in rows:
        show("  ".join([*(text.ljust(width) for text, width in zip(cells, widths, strict=False)), summary]))


def _print_table(parts: list[Part]) -> None:
    from rich.table import Table

    table = Table(*COLUMNS, box=None, header_style="bold", pad_edge=False)
    for part in parts:
        table.add_row(*(literal(str(getattr(part, column))) for column in COLUMNS))
    console(highlight=True).print(table)
