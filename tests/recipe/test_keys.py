"""What hashes hold does not move: recorded keys of recipes and builds, and options that a part gained later."""

from __future__ import annotations

import hashlib
import json
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import attrs
import pytest

import stackc
import stackc_counted
import stackc_text
import stackc_windows
from golden_stacks import FOLDER as GOLDEN
from golden_stacks import USUAL_ZLIB
from recipes_of_tests import corpus, counting, zipped
from stackc.api import Cost, Register, bits, hookimpl, speed
from stackc.parts.registry import Registry
from stackc.pipeline.ownership import MARK
from stackc.recipe import Recipe, load_recipe, recipe_from_dict, shipped_recipes
from stackc.recipe.sections import plain, settings_key
from stackc.stack.manifest import read_manifest

RECORDED = json.loads((Path(__file__).parent / "golden" / "keys.json").read_text())
"""By recipe and build. Written once: a new line comes with a new recipe, and no line changes."""

ADVICE = "an option that a part gained later takes bits(default, added=True); anything else rebuilds users' stacks"


def sha256(data: Any) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def tables(recipe: Recipe | dict[str, Any]) -> list[dict[str, Any]]:
    """The tables of a recipe, or of its data, that enter the stack's SHA-256 (docs/format.md)."""
    data = recipe if isinstance(recipe, dict) else recipe.to_dict()
    every = [*data["level"], data["top"]]
    return [{key: value for key, value in table.items() if key not in ("name", "train")} for table in every]


@pytest.mark.parametrize("name", sorted(shipped_recipes()))
def test_keys_of_shipped_recipes_are_the_recorded_ones(name: str) -> None:
    recipe = load_recipe(name)
    assert {"key": sha256(recipe.key()), "tables": sha256(tables(recipe))} == RECORDED["recipes"][name], ADVICE


@pytest.mark.parametrize(("name", "text"), [("counting", counting()), ("zipped", zipped())])
def test_stages_and_stacks_have_the_recorded_keys(name: str, text: str, tmp_path: Path) -> None:
    if name == "zipped" and not USUAL_ZLIB:
        pytest.skip("another zlib than the recorded one")
    corpus(tmp_path)
    (tmp_path / "recipe.toml").write_text(text)
    stack = stackc.build(tmp_path / "recipe.toml", tmp_path / "stack")
    marks = sorted(stack.folder.rglob(MARK))
    stages = {mark.parent.relative_to(stack.folder).as_posix(): json.loads(mark.read_text())["key"] for mark in marks}
    assert {"stack": stack.sha256, "stages": stages} == RECORDED["builds"][name], ADVICE


@pytest.mark.parametrize("name", ["counting", "two", "recurrent", "zipped"])
def test_golden_manifests_come_out_the_same_again(name: str) -> None:
    written = read_manifest(GOLDEN / name)["recipe"]
    assert tables(recipe_from_dict(written, Path())) == tables(written), ADVICE


# -- an option that a part gained later


@attrs.frozen(kw_only=True)
class Inner:
    size: int = bits(3, help="a size")


@attrs.frozen(kw_only=True)
class LaterInner(Inner):
    shape: str = bits("flat", help="a shape", added=True)


@attrs.frozen(kw_only=True)
class Training:
    steps: int = bits(5, help="steps")


@attrs.frozen(kw_only=True)
class LaterTraining(Training):
    decay: float = bits(0.0, help="decay", added=True)


@attrs.frozen(kw_only=True)
class Config:
    """A part as it was released."""

    bits_version: ClassVar[int] = 4
    train: ClassVar[type] = Training
    width: int = bits(8, help="width")
    inner: Inner = bits(Inner(), help="a table")  # noqa: RUF009 - fields are made by calls

    def cost(self, alphabet: int, settings: Any) -> Cost:
        return Cost(parameters=1)


@attrs.frozen(kw_only=True)
class LaterConfig(Config):
    """The same part, with options that it gained later."""

    train: ClassVar[type] = LaterTraining
    inner: LaterInner = bits(LaterInner(), help="a table")  # noqa: RUF009 - fields are made by calls
    tied: bool | int = bits(False, help="whether it is tied", added=True)
    mixers: tuple[int, ...] = bits((), help="sizes", added=True)
    blocks: int = speed(1, help="blocks at once", added=True)


def parts_with(config: type) -> Registry:
    @hookimpl
    def stackc_register_models(register: Register) -> None:
        register("toy", lambda config: config, config, "a toy")

    toys = types.ModuleType("toys")
    vars(toys).update(stackc_register_models=stackc_register_models)
    return Registry.of(counted=stackc_counted, text=stackc_text, windows=stackc_windows, toys=toys)


RELEASED, LATER = parts_with(Config), parts_with(LaterConfig)

RECIPE = """
[stack]
name = "toy"
[corpus]
reader = "text"
train = "t"
[top.model]
backend = "toy"
"""


@pytest.fixture
def loading(tmp_path: Path) -> Callable[..., tuple[Recipe, Recipe]]:
    """The recipe with the part as it was released, and with the part of today and these overrides."""
    path = tmp_path / "toy.toml"
    path.write_text(RECIPE)
    return lambda *overrides: (load_recipe(path, (), RELEASED), load_recipe(path, overrides, LATER))


def test_an_added_option_at_its_default_is_in_no_key(loading: Any) -> None:
    before, after = loading()
    assert after.key() == before.key()
    assert after.to_dict() == before.to_dict()
    assert after.key()["top"] == {
        "alphabet": 256,
        "model": {"name": "toy", "distribution": "", "bits_version": 4, "config": {"width": 8, "inner": {"size": 3}}},
        "train": {"steps": 5},
    }
    assert tables(after) == [{"model": {"backend": "toy", "width": 8, "inner": {"size": 3}}}]
    assert sha256(after.key()) == RECORDED["toy"]["key"], ADVICE
    assert sha256(tables(after)) == RECORDED["toy"]["tables"], ADVICE


def test_writing_the_default_down_changes_nothing(loading: Any) -> None:
    before, after = loading("top.model.tied=false", "top.model.blocks=1", "top.model.inner.shape=flat")
    assert after.key() == before.key()
    assert after.to_dict() == before.to_dict()


@pytest.mark.parametrize(
    ("override", "path"),
    [
        ("top.model.tied=true", ("model", "config", "tied")),
        ("top.model.tied=0", ("model", "config", "tied")),  # equals False, and is written otherwise
        ("top.model.mixers=[4, 2]", ("model", "config", "mixers")),
        ("top.model.inner.shape=round", ("model", "config", "inner", "shape")),
        ("top.train.decay=0.5", ("train", "decay")),
        ("top.train.decay=-0.0", ("train", "decay")),
    ],
)
def test_an_added_option_that_differs_is_in_every_key(loading: Any, override: str, path: tuple[str, ...]) -> None:
    before, after = loading(override)
    found = after.key()["top"]
    for name in path:
        found = found[name]
    assert repr(found).lower() == override.partition("=")[2].lower() or found == "round"
    assert after.key() != before.key()
    assert (tables(after) != tables(before)) == (path[0] == "model"), "training settings decode nothing"
    again = recipe_from_dict(after.to_dict(), after.base, LATER)
    assert again == after
    assert again.key() == after.key()


def test_an_added_speed_option_is_in_no_stage_key(loading: Any) -> None:
    before, after = loading("top.model.blocks=7")
    assert after.key() == before.key()
    assert after.to_dict()["top"]["model"]["blocks"] == 7


def test_a_stack_of_the_older_part_opens_and_keeps_its_name(loading: Any) -> None:
    before, after = loading()
    assert recipe_from_dict(before.to_dict(), before.base, LATER) == after


def test_an_added_option_needs_the_default_of_before() -> None:
    for default in (attrs.NOTHING, attrs.Factory(list)):
        with pytest.raises(TypeError, match="needs a constant default"):
            bits(default, help="none", added=True)


def test_fields_that_were_there_from_the_start_are_always_in() -> None:
    assert settings_key(Config()) == {"width": 8, "inner": {"size": 3}}
    assert plain(Config()) == {"width": 8, "inner": {"size": 3}}
