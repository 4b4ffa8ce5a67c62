"""The stages of a recipe, in order: the one list that a build runs and ``--dry-run`` prints."""

from __future__ import annotations

from collections.abc import Iterator

from stackc.coding.routes import why_not_compiled
from stackc.parts.abilities import has_tables, is_fitted_under_model
from stackc.pipeline.ending import Report
from stackc.pipeline.stages import Compiling, Corpus, Counts, Freezing, Stage, Tables, Tokens, Training
from stackc.recipe import LevelSection, Recipe, TopSection
from stackc.stack.opening import level_spec
from stackc.stack.runtime import Runtime

SPLITS = ("train", "valid", "test")


def plan(recipe: Recipe, runtime: Runtime) -> Iterator[Stage]:
    """Every stage.

    A level has a stage that compiles it if everything that is known before its model exists allows compiling. If the
    model then does not (it is not portable, or cannot select lanes), that stage does nothing.
    """
    for split in SPLITS:
        yield Corpus(split=split)
    inputs = "corpus"
    for number, section in enumerate(recipe.levels):
        spec = level_spec(section, recipe.corpus.segment, runtime, section.coder.make())
        tables = [Tables(section=section, inputs=inputs)] if has_tables(spec.coder) else []
        models = _model_stages(section, inputs, number)
        yield from (*models, *tables) if is_fitted_under_model(spec.coder) else (*tables, *models)
        if why_not_compiled(spec) is None:
            yield Compiling(section=section, inputs=inputs)
        for split in SPLITS:
            yield Tokens(section=section, inputs=inputs, split=split)
        inputs = f"{section.name}/tokens"
    yield from _model_stages(recipe.top, inputs, len(recipe.levels))
    yield Report(inputs=inputs)


def stage_folders(recipe: Recipe) -> Iterator[str]:
    """Every folder, relative to the stack's, that a build of `recipe` may write or remove."""
    yield from (f"corpus/{split}" for split in SPLITS)
    for name in (*(level.name for level in recipe.levels), recipe.top.name):
        yield from (f"{name}/{kind}" for kind in ("coder", "counts", "model", "frozen", "dictionary"))
        yield from (f"{name}/tokens/{split}" for split in SPLITS)
    yield "report"


def _model_stages(section: LevelSection | TopSection, inputs: str, number: int) -> Iterator[Stage]:
    yield Counts(section=section, inputs=inputs)
    if section.model is not None:
        yield Training(section=section, inputs=inputs, number=number)
        yield Freezing(section=section, inputs=inputs)
