"""`stackc decompress`: `.stk` files back to their originals."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from stackc.api.errors import StackcError
from stackc.api.messages import amount
from stackc.cli import options
from stackc.cli.command import WARNING, Command, say
from stackc.cli.many_files import Files, for_each, warning
from stackc.cli.progress import bar, size_of

LISTED = 20
"""Problems of a damaged file that are listed one by one."""


class Span(click.ParamType):  # type: ignore[type-arg]  # generic only in newer versions of click
    """``A:B``: bytes A to B - 1. Either number may be left out."""

    name = "A:B"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        found = re.fullmatch(r"(\d{0,19}):(\d{0,19})", value, flags=re.ASCII)
        if not found:
            self.fail(f"{value!r} is not A:B, two positions in the original, such as 0:1000 or 4096:", param, ctx)
        return tuple(int(text) if text else None for text in found.groups())


@click.command(cls=Command)
@options.compressed_files
@options.found_stack
@click.option("-o", "--output", type=options.NAME, metavar="OUT", help="A file, a folder, or - for standard output.")
@click.option("--range", "span", type=Span(), help="Only these bytes of the original; reads only their blocks.")
@options.flag("--salvage", help="Recover the undamaged blocks of a damaged file; missing bytes become zeros.")
@options.force_bytes
@options.quiet
def command(
    files: Files, stack: Path | None, output: str | None, span: Any, salvage: bool, force: bool, quiet: bool
) -> None:
    """Decompress each FILE.stk (- for standard input), and restore its modification time.

    A damaged file is an error that names the block, and no output is written. With --salvage every undamaged block is
    recovered and the missing bytes are listed; the exit code is then 1.
    """
    from stackc.stack.stack import Stack
    from stackc.stack.stk_files import decompress_file, decompressed_name, original_size

    if salvage and span is not None:
        raise StackcError("--salvage recovers the whole file; omit --range")
    opened = Stack(stack) if stack is not None else None

    def work(file: str, path: Path | None, out: Path | None) -> int:
        if salvage:
            return _salvage(file, path, out, opened, force, quiet)
        with bar(file, original_size(path) if span is None else None, quiet) as report:
            decompress_file(path, out, opened, span=span, force=force, report=report, warn=warning)
        return 0

    for_each(files, work, output, decompressed_name, force)


def _salvage(file: str, path: Path | None, out: Path | None, opened: Any, force: bool, quiet: bool) -> int:
    from stackc.stack.stk_files import salvage_file

    if out is None:
        raise StackcError("--salvage writes blocks at their own positions; name a file with -o")
    with bar(file, size_of(path), quiet) as report:
        found = salvage_file(path, out, opened, force=force, report=report, warn=warning)
    for problem in found.problems[:LISTED]:
        say(f"{file}: {problem}")
    if len(found.problems) > LISTED:
        say(f"{file}: and {len(found.problems) - LISTED} more")
    for start, end in found.missing:
        where = f"bytes {start:,} to {end - 1:,}" if end is not None else f"from byte {start:,}, if there were more"
        say(f"{file}: missing: {where}")
    if not quiet:
        say(f"{out}: {amount(found.recovered, 'byte')} recovered")
    return 0 if found.whole else WARNING
