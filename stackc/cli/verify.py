"""`stackc verify`: are compressed files intact?"""

from __future__ import annotations

from pathlib import Path

import click

from stackc.cli import options
from stackc.cli.command import Command, remark
from stackc.cli.many_files import Files, for_each, warning
from stackc.cli.progress import bar


@click.command(cls=Command)
@options.compressed_files
@options.found_stack
@options.flag("--quick", help="Check the checksums only; this needs no stack.")
@options.quiet
def command(files: Files, stack: Path | None, quick: bool, quiet: bool) -> None:
    """Check each FILE.stk (- for standard input): all checksums, then that it decodes to its original.

    The file stores the SHA-256 of its original. The exit code is 2 if a file is damaged.
    """
    from stackc.stack.stack import Stack
    from stackc.stack.stk_files import original_size, verify_file

    opened = Stack(stack) if stack is not None else None

    def work(file: str, path: Path | None, out: Path | None) -> int:
        with bar(file, original_size(path), quiet) as report:
            verify_file(path, opened, quick=quick, report=report, warn=warning)
        if not quiet:
            remark(f"{click.format_filename(file)}: {'all checksums match' if quick else 'decodes to its original'}")
        return 0

    for_each(files, work)
