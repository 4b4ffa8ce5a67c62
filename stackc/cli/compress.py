"""`stackc compress`: files to `.stk` files."""

from __future__ import annotations

from pathlib import Path

import click

from stackc.cli import Command, say


@click.command(cls=Command)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--stack", type=click.Path(path_type=Path), required=True, help="The stack's folder.")
@click.option("-o", "--output", metavar="OUT", help="A file, a folder, or - for standard output.  [default: FILE.stk]")
@click.option(
    "--block-size",
    type=click.IntRange(1, 1 << 20),
    default=1 << 16,
    show_default=True,
    help="Source bytes in a block. Longer ones shrink more, shorter ones are found faster.",
)
@click.option("--force", is_flag=True, help="Overwrite, and write to a terminal.")
@click.option("--no-verify", is_flag=True, help="Do not decode what was made before it is kept; faster.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def command(
    files: tuple[str, ...], stack: Path, output: str | None, block_size: int, force: bool, no_verify: bool, quiet: bool
) -> None:
    """Compress each FILE (- for standard input) with a stack. Any bytes; the sources are kept.

    Every block is decoded and compared before it is kept. Exits with 1 where a block did not come back and was
    stored as it is.
    """
    from stackc.api.messages import amount
    from stackc.api.streams import OUTPUT
    from stackc.cli.exit_codes import WARNING
    from stackc.cli.many_files import for_each, named
    from stackc.cli.progress import bar
    from stackc.stack.stack import Stack
    from stackc.stack.stk_files import compress_file, compressed_name

    opened = Stack(stack)

    def place(file: str) -> Path | None:
        return None if output == "-" else compressed_name(named(file), named(output))

    def work(file: str) -> int:
        path, out = named(file), place(file)
        # A file of no size may hold something all the same, as in /proc.
        total = path.stat().st_size or None if path is not None and path.is_file() else None
        with bar(file, total, quiet) as report:
            made = compress_file(
                path, out, opened, force=force, verify=not no_verify, block_size=block_size, report=report
            )
        if not quiet:
            rate = f", {8 * made.written / made.size:.3f} bits a byte" if made.size else ""
            stored = f"; {made.raw:,} of {amount(made.blocks, 'block')} stored as is" if made.raw else ""
            say(f"{out or OUTPUT}: {amount(made.size, 'byte')} as {made.written:,}{rate}{stored}")
        if made.failed:
            text = f"warning: {file}: {amount(made.failed, 'block')} did not decode back, stored as is"
            say(f"{text}; please report this")
        return WARNING if made.failed else 0

    for_each(files, output, place, work, force)
