"""`stackc decompress`: `.stk` files to what they were made from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from stackc.cli import Command, say


class Span(click.ParamType):  # type: ignore[type-arg]  # generic only in newer versions of click
    """``A:B``, bytes A to B - 1; either may be left out."""

    name = "A:B"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        found = re.fullmatch(r"(\d{0,19}):(\d{0,19})", value, flags=re.ASCII)
        if not found:
            self.fail(f"{value!r} is not A:B, two places in the original, such as 0:1000 or 4096:", param, ctx)
        return tuple(int(text) if text else None for text in found.groups())


@click.command(cls=Command)
@click.argument("files", nargs=-1, required=True, metavar="FILE.stk...")
@click.option(
    "--stack",
    type=click.Path(path_type=Path),
    help="The stack's folder.  [default: found by the file's own hash in STACKC_PATH and ./runs]",
)
@click.option("-o", "--output", metavar="OUT", help="A file, a folder, or - for standard output.")
@click.option("--range", "span", type=Span(), help="Only these bytes of the original; reads only their blocks.")
@click.option("--salvage", is_flag=True, help="Recover what is left of a damaged file; what is missing becomes zeros.")
@click.option("--force", is_flag=True, help="Overwrite, and write to a terminal.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def command(
    files: tuple[str, ...],
    stack: Path | None,
    output: str | None,
    span: tuple[int | None, int | None] | None,
    salvage: bool,
    force: bool,
    quiet: bool,
) -> None:
    """Give back the original of each FILE.stk (- for standard input), with its time.

    A damaged file is an error that names the block, and leaves nothing behind. With --salvage every undamaged block
    is recovered, and what is missing is said; the exit code is then 1.
    """
    from stackc.api.errors import StackcError
    from stackc.cli.many_files import for_each, named, warning
    from stackc.cli.progress import bar
    from stackc.stack.stack import Stack
    from stackc.stack.stk_files import decompress_file, decompressed_name, original_size

    if salvage and span is not None:
        raise StackcError("--salvage takes the whole file; leave --range out")
    opened = Stack(stack) if stack is not None else None

    def place(file: str) -> Path | None:
        return None if output == "-" else decompressed_name(named(file), named(output))

    def work(file: str) -> int:
        path, out = named(file), place(file)
        if salvage:
            return _salvage(file, path, out, opened, force, quiet)
        with bar(file, original_size(path) if span is None else None, quiet) as report:
            decompress_file(path, out, opened, span=span, force=force, report=report, warn=warning)
        return 0

    for_each(files, output, place, work, force)


def _salvage(file: str, path: Path | None, out: Path | None, opened: Any, force: bool, quiet: bool) -> int:
    from stackc.api.errors import StackcError
    from stackc.api.messages import amount
    from stackc.cli.exit_codes import WARNING
    from stackc.cli.many_files import warning
    from stackc.cli.progress import bar
    from stackc.stack.stk_files import salvage_file

    if out is None:
        raise StackcError("--salvage puts blocks where they stood; name a file with -o")
    with bar(file, path.stat().st_size if path is not None and path.is_file() else None, quiet) as report:
        found = salvage_file(path, out, opened, force=force, report=report, warn=warning)
    for problem in found.problems[:20]:
        say(f"{file}: {problem}")
    if len(found.problems) > 20:
        say(f"{file}: and {len(found.problems) - 20} more")
    for start, end in found.missing:
        where = f"bytes {start:,} to {end - 1:,}" if end is not None else f"from byte {start:,} on, if there was more"
        say(f"{file}: missing: {where}")
    if not quiet:
        say(f"{out}: {amount(found.recovered, 'byte')} recovered")
    return 0 if found.whole else WARNING
