"""`stackc build`: the main job."""

from __future__ import annotations

from pathlib import Path

import click

from stackc.cli import Command


@click.command(cls=Command)
@click.argument("recipe")
@click.option("--out", type=click.Path(path_type=Path), help="The stack's folder.  [default: runs/<stack name>]")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change the recipe: level.1.windowing.bits=12."
)
@click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), help="Where models train.  [default: the recipe's]"
)
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    help="Encode the corpus here, or on a Ray cluster.  [default: local]",
)
@click.option("--dry-run", is_flag=True, help="Show stages, sizes and an estimate; build nothing.")
@click.option("--quiet", is_flag=True, help="Print nothing but the final table.")
def command(
    recipe: str,
    out: Path | None,
    overrides: tuple[str, ...],
    device: str | None,
    engine: str,
    dry_run: bool,
    quiet: bool,
) -> None:
    """Build a stack from RECIPE, a TOML file or the name of one that ships with stackc.

    What is done already is reused; a build that was killed goes on where it was.
    """
    from stackc.cli.ray_child import watched
    from stackc.pipeline.engines.base import KEPT

    click.get_current_context().with_resource(watched("local" if dry_run else engine, KEPT))
    from stackc.pipeline.ranks.world import RankError, one_voice, ranks_of_environment
    from stackc.recipe import load_recipe

    with one_voice():
        plan = load_recipe(recipe, overrides)
    if dry_run:
        from stackc.cli.show import console
        from stackc.pipeline.dryrun import print_plan

        print_plan(plan, device or plan.run.device, console())
        return
    from stackc.cli.exit_codes import USER_ERROR
    from stackc.cli.show import print_report
    from stackc.pipeline.build import build as build_stack

    try:
        with one_voice():
            stack = build_stack(plan, out, device=device, engine=engine, show="quiet" if quiet else "auto")
    except RankError as error:
        if error.quiet:  # another rank says why
            raise click.exceptions.Exit(USER_ERROR) from error
        raise
    if ranks_of_environment()[0] == 0:
        print_report(stack.folder)
