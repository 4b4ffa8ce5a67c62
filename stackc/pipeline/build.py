"""Builds a stack from a recipe, stage by stage (`stackc.pipeline.plan`).

corpus ─► M1: counts, model, frozen, coder, dictionary, tokens ─► M2: … ─► top: counts, model, frozen ─► report
"""

from __future__ import annotations

from pathlib import Path

from stackc.api.files import partial_folder
from stackc.pipeline.compiling import check_memory
from stackc.pipeline.context import Context
from stackc.pipeline.display import Display, Show
from stackc.pipeline.ending import log_summary, write_manifest
from stackc.pipeline.fingerprints import NAME, Remembered
from stackc.pipeline.plan import plan, stage_folders
from stackc.pipeline.ranks.orders import Orders
from stackc.pipeline.ranks.world import world
from stackc.pipeline.reading import take_fingerprints
from stackc.pipeline.stage_store import StageStore
from stackc.pipeline.stages import Training
from stackc.pipeline.workspace import Workspace, held, stage_key
from stackc.recipe import Recipe, load_recipe
from stackc.stack.runtime import Runtime
from stackc.stack.stack import Stack


def build(
    recipe: str | Path | Recipe,
    out: str | Path | None = None,
    *,
    overrides: tuple[str, ...] = (),
    device: str | None = None,
    engine: str = "local",
    show: Show = "quiet",
    recheck: bool = False,
) -> Stack:
    """Build a stack, or open it if it is complete; a killed build is resumed.

    Args:
        recipe: a TOML file, the name of a shipped recipe, or a loaded recipe.
        out: the stack's folder; None: ``runs/<stack name>``.
        overrides: ``KEY=VALUE`` strings, see ``stackc build --set`` (ignored with a loaded recipe).
        device: "auto", "cpu" or "cuda"; None: the recipe's setting. Speed only.
        engine: where the corpus is encoded: "local", or "ray" for the workers of a Ray cluster. Speed only.
        show: "quiet", "plain", or "auto" (live on a terminal).
        recheck: read the corpus even if none of its files has changed since an earlier build read it.

    Raises:
        StackcError: any error in a recipe, a corpus or on a disk; finished stages are kept.
    """
    loaded = recipe if isinstance(recipe, Recipe) else load_recipe(recipe, list(overrides))
    folder = Path(out) if out is not None else Path("runs") / loaded.stack.name
    folder = folder.absolute()  # parts may change the current folder of the process
    runtime = Runtime.of(loaded.run, device=device or loaded.run.device, engine=engine)
    remembered = Remembered(folder.parent / NAME, recheck)
    return run(loaded, folder, runtime, Display(folder / "logs", show), remembered=remembered)


def run(
    recipe: Recipe,
    out: Path,
    runtime: Runtime,
    display: Display,
    shared: StageStore | None = None,
    remembered: Remembered | None = None,
) -> Stack:
    """Build in the folder `out`, reusing every finished stage.

    Under `torchrun` every process calls this: rank 0 builds, the others train with it (`stackc.pipeline.ranks.world`).

    Args:
        shared: stages that other stacks may need too (`stackc.pipeline.stage_store`); not under torchrun.
        remembered: fingerprints of corpora that were read before; None: it is read.

    Raises:
        StackcError: any error that a user can cause; finished stages are kept.
    """
    with world(runtime.device) as ranks:
        work = Workspace(out, display if ranks.rank == 0 else Display(None, "quiet"), shared)
        given = {"recipe": stage_key(recipe.key()), "device": runtime.resolve().name}
        context = Context(
            recipe=recipe, work=work, runtime=runtime, ranks=ranks, orders=Orders(ranks, out, lambda: given),
            remembered=remembered or Remembered(None),
        )  # fmt: skip
        if ranks.rank:
            _follow(context)
        else:
            _lead(context)
    return Stack(out, runtime)


def _lead(build: Context) -> None:
    """Build, and report to the other ranks that the build is over, however it ends."""
    try:
        with held(build.work.folder, stage_folders(build.recipe)):
            build.orders.compare()
            _run_stages(build)
    except BaseException:
        build.orders.give({"do": "stop"})
        raise
    build.orders.give({"do": "end"})


def _follow(build: Context) -> None:
    """Train when rank 0 trains, until it is done. Raises `RankError` if rank 0 stopped or was lost."""
    recipe = build.recipe
    for order in build.orders.received():
        section = recipe.sections[order["section"]]
        stage = Training(section=section, inputs=order["inputs"], number=order["section"])
        assert section.model is not None
        with build.work.display.stage(section.name, False) as progress:
            backend = section.model.make(recipe.base)
            stage.train(build, backend, build.folder(section) / "model", progress, build.ranks)


def _run_stages(build: Context) -> None:
    recipe = build.recipe
    check_memory(recipe, build.runtime)
    for chosen in recipe.chosen():  # a part that is not installed is reported before the corpus is read
        chosen.make(recipe.base)
    with partial_folder(build.work.folder) as scratch:
        take_fingerprints(build, scratch)
        for stage in plan(recipe, build.runtime):
            stage.run(build)
    log_summary(build)
    write_manifest(build)
