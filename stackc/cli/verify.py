"""`stackc verify`: are compressed files intact?"""

from __future__ import annotations

from pathlib import Path

import click

from stackc.api.errors import StackcError
from stackc.api.messages import amount
from stackc.cli import options
from stackc.cli.command import Command, remark
from stackc.cli.many_files import STANDARD, Files, for_each, warning
from stackc.cli.progress import bar


@click.command(cls=Command)
@options.compressed_files
@options.found_stack
@options.flag("--quick", help="Check the checksums only; this needs no stack.")
@options.quiet
def command(files: Files, stack: Path | None, quick: bool, quiet: bool) -> None:
    """Check each FILE.stk (- for standard input): all checksums, then that it decodes to its original.

    FILE may be a folder: every .stk file in it and below it is checked. Each file is reported in one line, and several
    in a summary. The exit code is 2 if a file is damaged or its stack is not found.
    """
    from stackc.stack.needed import files_below
    from stackc.stack.stack import Stack
    from stackc.stack.stk_files import original_size, verify_file

    opened = Stack(stack) if stack is not None else None
    known: dict[bytes, Stack] = {}
    intact: list[str] = []

    def work(file: str, path: Path | None, out: Path | None) -> int:
        with bar(file, original_size(path), quiet) as report:
            verify_file(path, opened, quick=quick, report=report, warn=warning, known=known)
        if not quiet:
            remark(f"{click.format_filename(file)}: {'all checksums match' if quick else 'decodes to its original'}")
        intact.append(file)
        return 0

    chosen: list[str] = []
    for file in files:
        below = [str(one) for one in files_below(Path(file))] if file != STANDARD and Path(file).is_dir() else [file]
        if not below:
            raise StackcError(f"{file}: no .stk files in this folder or below it")
        chosen += below
    code = 0
    try:
        for_each(tuple(chosen), work)
    except click.exceptions.Exit as end:
        code = end.exit_code
    if len(chosen) > 1 and not quiet:
        failed = len(chosen) - len(intact)
        remark(f"{amount(len(chosen), 'file')}: {len(intact):,} intact" + f", {failed:,} not" * bool(failed))
    if code:
        raise click.exceptions.Exit(code)
