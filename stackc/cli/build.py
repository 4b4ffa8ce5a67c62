"""`stackc build`: a stack from a recipe."""

from __future__ import annotations

import contextlib
from pathlib import Path

import click

from stackc.api.errors import StackcError
from stackc.cli import options
from stackc.cli.command import USER_ERROR, Command, console
from stackc.cli.ray_child import watched
from stackc.pipeline.engines.base import KEPT

CHANGES_HELP = "Change a field of the recipe: level.1.windowing.bits=12."
DEVICE_HELP = "Where models are trained.  [default: the recipe's]"


@click.command(cls=Command)
@click.argument("recipe", type=options.NAME)
@options.path("--out", help="The stack's folder.  [default: runs/<stack name>]")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help=CHANGES_HELP)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), help=DEVICE_HELP)
@options.engine("Read and encode the corpus")
@options.recheck
@options.flag("--dry-run", help="Show the stages, sizes and an estimate; build nothing.")
@options.flag("--quiet", help="Print only the final table.")
def command(
    recipe: str, out: Path | None, changes: tuple[str, ...], device: str | None, engine: str, recheck: bool,
    dry_run: bool, quiet: bool,
) -> None:  # fmt: skip
    """Build a stack from RECIPE, a TOML file or the name of a recipe that ships with stackc.

    Finished stages are reused; a build that was interrupted resumes where it stopped.
    """
    click.get_current_context().with_resource(watched("local" if dry_run else engine, KEPT))
    # Imported only now: with Ray, `watched` forks, which is safe only before numpy and numba have started threads.
    from stackc.pipeline.ranks.world import RankError, one_voice, ranks_of_environment
    from stackc.recipe import load_recipe

    with one_voice():
        plan = load_recipe(recipe, changes)
    if dry_run:
        from stackc.pipeline.dryrun import print_plan

        print_plan(plan, device or plan.run.device, console())
        return
    from stackc.pipeline.build import build as build_stack
    from stackc.report.table import print_report

    try:
        with one_voice():
            stack = build_stack(
                plan, out, device=device, engine=engine, show="quiet" if quiet else "auto", recheck=recheck
            )
    except RankError as error:
        if error.quiet:  # another rank reports the reason
            raise click.exceptions.Exit(USER_ERROR) from error
        raise
    if ranks_of_environment()[0] == 0:
        with contextlib.suppress(StackcError):  # standard output is closed; the stack is finished all the same
            print_report(stack.folder, console())
