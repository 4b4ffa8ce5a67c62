"""`stackc verify`: whether compressed files are what they were."""

from __future__ import annotations

from pathlib import Path

import click

from stackc.cli import Command


@click.command(cls=Command)
@click.argument("files", nargs=-1, required=True, metavar="FILE.stk...")
@click.option(
    "--stack",
    type=click.Path(path_type=Path),
    help="The stack's folder.  [default: found by the file's own hash in STACKC_PATH and ./runs]",
)
@click.option("--quick", is_flag=True, help="Check the checksums only; needs no stack.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def command(files: tuple[str, ...], stack: Path | None, quick: bool, quiet: bool) -> None:
    """Check each FILE.stk (- for standard input): all checksums, then that it decodes to its original.

    The original is known by its SHA-256, which the file holds. Exits with 2 where a file is damaged.
    """
    from stackc.api.streams import remark
    from stackc.cli.many_files import for_each, named, warning
    from stackc.cli.progress import bar
    from stackc.stack.stack import Stack
    from stackc.stack.stk_files import original_size, verify_file

    opened = Stack(stack) if stack is not None else None

    def work(file: str) -> int:
        path = named(file)
        with bar(file, original_size(path), quiet) as report:
            verify_file(path, opened, quick=quick, report=report, warn=warning)
        if not quiet:
            remark(f"{click.format_filename(file)}: {'every checksum holds' if quick else 'decodes to its original'}")
        return 0

    for_each(files, None, lambda file: None, work)
