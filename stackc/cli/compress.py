"""`stackc compress`: files to `.stk` files."""

from __future__ import annotations

from pathlib import Path

import click

from stackc.api.messages import amount
from stackc.api.streams import OUTPUT
from stackc.cli import options
from stackc.cli.command import WARNING, Command, compressed_size, say
from stackc.cli.many_files import Files, for_each, warning
from stackc.cli.progress import bar, size_of


@click.command(cls=Command)
@click.argument("files", type=options.NAME, nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--stack",
    type=options.STACK,
    help="The stack's folder or pack.  [default: general-3, which is built in: it learns from each file alone]",
)
@click.option(
    "-o",
    "--output",
    type=options.NAME,
    metavar="OUT",
    help="A file, a folder, or - for standard output.  [default: FILE.stk]",
)
@options.number(
    "--block-size", 1, 1 << 26,
    help="Source bytes per block, at most 1048576 unless the top model codes bit by bit. Larger blocks compress "
    "better; smaller ones can be read faster on their own.  [default: 65536; 4194304 if the top model codes bit by "
    "bit]",
)  # fmt: skip
@options.flag(
    "--embed-stack",
    help="Put the stack into FILE.stk, which then needs no other file. Packed, it may have 16777216 bytes at most.",
)
@options.force_bytes
@options.flag("--no-verify", help="Do not decode and compare the blocks that were written. Faster.")
@options.quiet
def command(
    files: Files,
    stack: Path | None,
    output: str | None,
    block_size: int | None,
    embed_stack: bool,
    force: bool,
    no_verify: bool,
    quiet: bool,
) -> None:
    """Compress each FILE (- for standard input). Any bytes are valid; FILE is kept.

    With a stack that was trained on text of the same kind, files become smallest.

    Every block is decoded and compared with its source. A block that does not match is stored uncompressed, and the
    exit code is then 1.
    """
    from stackc.stack.finding import GENERAL, stack_folder
    from stackc.stack.stack import Stack
    from stackc.stack.stk_files import compress_file, compressed_name

    opened = Stack(stack_folder(stack))
    embedded = opened.embeddable() if embed_stack else None
    used = "" if stack else f", with the built-in stack {GENERAL}"
    if embedded is not None:
        used += f"; {amount(len(embedded), 'byte')} of it are the stack"

    def work(file: str, path: Path | None, out: Path | None) -> int:
        with bar(file, size_of(path), quiet) as report:
            made = compress_file(
                path, out, opened,
                force=force, verify=not no_verify, block_size=block_size, embedded=embedded, report=report,
            )  # fmt: skip
        if not quiet:
            stored = f"; {made.raw:,} of {amount(made.blocks, 'block')} stored uncompressed" if made.raw else ""
            say(f"{out or OUTPUT}: {compressed_size(made.size, made.written)}{stored}{used}")
        if made.failed:
            failed = f"{amount(made.failed, 'block')} did not decode to the source, stored uncompressed"
            warning(f"{file}: {failed}; please report this")
        return WARNING if made.failed else 0

    for_each(files, work, output, compressed_name, force)
