"""`stackc report`: one page that shows stacks."""

from __future__ import annotations

from pathlib import Path

import click

from stackc.cli import Command, OutputFile, say


@click.command(cls=Command)
@click.argument("stacks", metavar="STACK...", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("-o", "--output", type=OutputFile(), default=Path("report.html"), show_default=True, help="The page.")
@click.option("--png", type=click.Path(path_type=Path), metavar="DIR", help="Write the plots as PNG images there too.")
@click.option("--text", type=click.Path(path_type=Path), metavar="FILE", help="Cut this text, not the stacks' own.")
@click.option(
    "--sample",
    type=click.IntRange(1, 1 << 24),
    default=1 << 16,
    show_default=True,
    metavar="BYTES",
    help="Text to cut into windows and score, at most.",
)
@click.option("--force", is_flag=True, help="Overwrite.")
def command(
    stacks: tuple[Path, ...], output: Path, png: Path | None, text: Path | None, sample: int, force: bool
) -> None:
    """Write one self-contained HTML page on one or several STACKs.

    Figures, learning curves, lengths of windows, bits by position, and held-out text cut into its tokens.
    """
    from stackc.api.errors import StackcError
    from stackc.api.files import is_special
    from stackc.api.streams import remark
    from stackc.cli.progress import status

    if str(output) == "-":
        raise StackcError("-: a page needs a name; name a file with -o (/dev/stdout is standard output)")
    from stackc.api.messages import amount
    from stackc.report import write_report

    with status() as tell:
        missing = write_report(stacks, output, png=png, text=text, sample=sample, force=force, tell=tell)
    for line in missing:
        say(f"left out: {line}")
    images = f" and {click.format_filename(png)}/*.png" if png is not None else ""
    said = f"{click.format_filename(output)}{images}: {amount(len(stacks), 'stack')}"
    if is_special(output):  # the page may be on standard output
        say(said)
    else:
        remark(said)
