"""`stackc report`: one page on one or several stacks."""

from __future__ import annotations

from pathlib import Path

import click

from stackc.api.errors import StackcError
from stackc.api.files import is_special
from stackc.api.messages import amount
from stackc.cli import options
from stackc.cli.command import Command, OutputFile, remark, say
from stackc.cli.progress import status


@click.command(cls=Command)
@click.argument("stacks", metavar="STACK...", type=options.PATH, nargs=-1, required=True)
@click.option("-o", "--output", type=OutputFile(), default=Path("report.html"), show_default=True, help="The page.")
@options.path("--png", metavar="DIR", help="Also write the plots into DIR as PNG images.")
@options.path("--text", metavar="FILE", help="Show this text as tokens, not the stacks' held-out text.")
@options.number(
    "--sample", 1, 1 << 24, default=1 << 16, metavar="BYTES", help="Bytes of text to cut and score, at most."
)
@options.force
def command(
    stacks: tuple[Path, ...], output: Path, png: Path | None, text: Path | None, sample: int, force: bool
) -> None:
    """Write one self-contained HTML page on one or several STACKs, or on a sweep.

    It shows figures, learning curves, window lengths, bits by position, and held-out text cut into its tokens; of a
    sweep, its table, the differences of its arms, and bits per byte by operations.
    """
    from stackc.report import write_report

    if str(output) == "-":
        raise StackcError("-: a page needs a name; name a file with -o (/dev/stdout is standard output)")
    with status() as tell:
        missing = write_report(stacks, output, png=png, text=text, sample=sample, force=force, tell=tell)
    for line in missing:
        say(f"left out: {line}")
    images = f" and {click.format_filename(png)}/*.png" if png is not None else ""
    # If the page itself may be on standard output, the remark must not be.
    (say if is_special(output) else remark)(f"{click.format_filename(output)}{images}: {_shown(stacks)}")


def _shown(stacks: tuple[Path, ...]) -> str:
    """What the page is on; several sweeps have no page."""
    from stackc.pipeline.sweeps.folder import SweepFolder, is_sweep

    if is_sweep(stacks[0]):
        return f"a sweep of {amount(len(SweepFolder(stacks[0]).rows()), 'run')}"
    return amount(len(stacks), "stack")
