"""`stackc compare`: stacks compared with each other."""

from __future__ import annotations

from pathlib import Path

import click

from stackc.cli import options
from stackc.cli.command import Command, OutputFile, console, show_json
from stackc.cli.progress import status

BY_HELP = "Compare all settings with one, or the arms of a sweep with each other at each point of its axes."
BASELINE_HELP = "The setting or the arm that the others are compared with.  [default: the first]"
FIGURE_HELP = "The figure to compare; figures per token are refused."
OUTPUT_HELP = "Also write FILE, a .md, .csv, .tex, .json or .html; can be given several times."


@click.command(cls=Command)
@click.argument("stacks", metavar="STACK...", type=options.PATH, nargs=-1, required=True)
@click.option("--by", type=click.Choice(["setting", "arm"]), default="setting", show_default=True, help=BY_HELP)
@click.option("--baseline", metavar="NAME", help=BASELINE_HELP)
@click.option("--figure", default="bits_per_byte", show_default=True, metavar="NAME", help=FIGURE_HELP)
@options.flag("--recompute", help="Measure again the stacks that kept no bits by block.")
@click.option("-o", "--output", type=OutputFile(), multiple=True, metavar="FILE", help=OUTPUT_HELP)
@options.path("--png", metavar="DIR", help="Also write the plots into DIR as PNG images.")
@options.as_json
@options.force
def command(
    stacks: tuple[Path, ...],
    by: str,
    baseline: str | None,
    figure: str,
    recompute: bool,
    output: tuple[Path, ...],
    png: Path | None,
    as_json: bool,
    force: bool,
) -> None:
    """Compare STACKs by bits per byte of one held-out text: folders of stacks, or of sweeps.

    Shows the fields that differ, paired differences with 95 % intervals, and mean and spread over seeds. Stacks that
    were measured on different texts are refused.
    """
    from stackc.report.compare import compare
    from stackc.report.comparison_tables import print_comparison
    from stackc.report.outputs import Outputs

    outputs = Outputs(output, png, stacks, force)
    with status(quiet=as_json) as tell:
        tell("comparing")
        found = compare(*stacks, by=by, baseline=baseline, figure=figure, recompute=recompute)  # type: ignore[arg-type]
    outputs.write(found)
    if as_json:
        show_json(found.to_dict())
    else:
        print_comparison(found, console())
