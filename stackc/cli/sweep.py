"""`stackc sweep`: a table of stacks from one file."""

from __future__ import annotations

import contextlib
from pathlib import Path

import click

from stackc.api.errors import StackcError
from stackc.cli import options
from stackc.cli.command import WARNING, Command, console
from stackc.cli.ray_child import watched
from stackc.pipeline.engines.base import KEPT

JOBS_HELP = "Runs at a time, each in its own process.  [default: 1, or the processors of the cluster]"
DEVICE_HELP = "Where models are trained.  [default: the recipes']"


@click.command(cls=Command)
@click.argument("file", type=options.PATH)
@options.path("--out", help="The sweep's folder.  [default: runs/<sweep name>]")
@options.number("--jobs", 1, 1024, metavar="N", help=JOBS_HELP)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), help=DEVICE_HELP)
@options.engine("Run")
@options.recheck
@options.flag("--dry-run", help="Show runs, shared stages, operations, time and memory; run nothing.")
@options.flag("--quiet", help="Print only the final table.")
def command(
    file: Path, out: Path | None, jobs: int | None, device: str | None, engine: str, recheck: bool, dry_run: bool,
    quiet: bool,
) -> None:  # fmt: skip
    """Build every stack that FILE describes: a base recipe, axes, arms and seeds.

    Finished runs are skipped, killed ones resumed, failed ones listed; stages that runs have in common are run once.
    The exit code is 1 if a run failed.
    """
    click.get_current_context().with_resource(watched("local" if dry_run else engine, KEPT))
    # Imported only now: with Ray, `watched` forks, which is safe only before numpy and numba have started threads.
    from stackc.pipeline.sweeps.expand import load_sweep
    from stackc.pipeline.sweeps.sweep import remembered_near, sweep, sweep_folder

    if dry_run:
        from stackc.pipeline.sweeps.estimate import print_estimate

        made = load_sweep(file, remembered_near(out, recheck))
        print_estimate(made, sweep_folder(made, out), jobs or 1, device or "auto", console())
        return
    from stackc.report.sweep_table import print_sweep

    done = sweep(file, out, jobs=jobs, device=device, engine=engine, show="quiet" if quiet else "auto", recheck=recheck)
    with contextlib.suppress(StackcError):  # standard output is closed; the sweep is finished all the same
        print_sweep(done.folder, console())
    if done.failed:
        raise click.exceptions.Exit(WARNING)
