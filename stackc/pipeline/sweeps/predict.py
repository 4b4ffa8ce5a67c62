"""The stages of runs before any of them has run: which of them are the same stage, and what they cost.

A stage's key depends on the content of earlier stages, which is not known yet. Its *identity* here depends on what that
content is a function of. Two stages with one identity have one key; the opposite need not hold (a counted model is the
same for every seed), so runs may share more than is predicted.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import attrs

from stackc.api.errors import StackcError
from stackc.api.models import Cost
from stackc.parts.abilities import is_fitted_under_model
from stackc.pipeline.ending import Report
from stackc.pipeline.plan import plan
from stackc.pipeline.stages import Compiling, Corpus, Counts, Freezing, Tables, Tokens, Training
from stackc.pipeline.sweeps.expand import Run
from stackc.recipe import LevelSection, TopSection
from stackc.stack.runtime import Runtime


@attrs.frozen(kw_only=True)
class Predicted:
    """A stage of a run.

    Attributes:
        name: of the stage.
        identity: equal for stages that are run once.
        cost: of a training stage; None for all other stages.
    """

    name: str
    identity: str
    cost: Cost | None = None


def predicted(run: Run) -> list[Predicted]:
    """The stages of a run, in order; empty if it cannot run here (`hindrance`)."""
    recipe = run.recipe
    found: list[Predicted] = []
    inputs: dict[str, str] = {}
    try:
        stages = list(plan(recipe, Runtime.of(recipe.run)))
    except StackcError:
        return []
    for stage in stages:
        cost = None
        if isinstance(stage, Corpus):
            material: list[Any] = [recipe.corpus.reader.key(), run.texts[stage.split]]
            inputs["corpus"] = _identity(["corpus", recipe.corpus.key(), run.texts])
        elif isinstance(stage, Report):
            material = [run.id]
        else:
            assert isinstance(stage, Tables | Counts | Training | Freezing | Compiling | Tokens)
            section, below = stage.section, inputs[stage.inputs]
            material = [below, *_material(stage, section, run)]
            if isinstance(stage, Training):
                cost = _cost(section, run)
            if isinstance(stage, Tokens):
                inputs[f"{section.name}/tokens"] = _identity([section.key(), _seed(section, run), below])
        found.append(Predicted(name=stage.name, identity=_identity([stage.name, *material]), cost=cost))
    return found


def hindrance(run: Run) -> str | None:
    """Why a run cannot run here, e.g. a package that is not installed; None if it can."""
    try:
        list(plan(run.recipe, Runtime.of(run.recipe.run)))
    except StackcError as error:
        return str(error)
    return None


def _material(stage: Any, section: LevelSection | TopSection, run: Run) -> list[Any]:
    """What determines a stage of a level, besides its inputs."""
    if isinstance(stage, Counts):
        return [section.alphabet]
    after = isinstance(section, LevelSection) and is_fitted_under_model(section.coder.make())
    if isinstance(stage, Tables) and not after:
        return [stage.section.coder.key(), section.alphabet]
    if isinstance(stage, Training | Freezing):
        cuts = isinstance(section, LevelSection) and section.windowing.make().restart == "window"
        names = {"alphabet", "model", "train"}
        if cuts:
            names |= {"windowing"} if after else {"windowing", "coder", "token_bits"}
        return [{name: value for name, value in section.key().items() if name in names}, _seed(section, run)]
    return [section.key(), _seed(section, run)]


def _seed(section: LevelSection | TopSection, run: Run) -> int | None:
    """The seed, if the section's model is trained with one."""
    return run.seed if section.train is not None else None


def _cost(section: LevelSection | TopSection, run: Run) -> Cost:
    assert section.model is not None
    return section.model.cost(section.alphabet, section.train, run.recipe.base)


def _identity(material: list[Any]) -> str:
    return hashlib.sha256(json.dumps(material, sort_keys=True).encode()).hexdigest()
