"""A dry run names the stages that a build does, for every recipe that ships."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from stackc.pipeline.build import build
from stackc.pipeline.plan import plan
from stackc.recipe import load_recipe, recipe_from_dict, shipped_recipes
from stackc.stack.runtime import Runtime

TEXT = "".join(f"Line {i}: nothing of note happened in the village on that day, nor on the next.\n" for i in range(160))
FEW = {"tunstall", "bpe", "sentencepiece", "phrases"}


def small(recipe: Path, text: Path) -> dict[str, Any]:
    """The recipe with its own levels, and models and a corpus that take no time."""
    data = tomllib.loads(recipe.read_text())
    data["corpus"] = {"reader": "text", "train": str(text), "valid": str(text), "test": str(text), "segment": 512}
    data["run"] = {"device": "cpu"}
    for number, table in enumerate((*data.get("level", []), data["top"])):
        table.pop("train", None)
        if "model" in table:
            table["model"] = {"backend": "counted"}
        if table.get("coder", {}).get("kind") in FEW:
            table["coder"]["vocabulary"] = 300 + 100 * number  # more than the level reads
        if table.get("windowing", {}).get("kind") == "equal-info":
            table["windowing"].pop("context", None)
    return data


def distinct() -> list[str]:
    """Recipes whose levels differ in more than sizes of models: the others have the same stages."""
    seen: dict[str, str] = {}
    for name, path in shipped_recipes().items():
        data = small(path, Path("x"))
        seen.setdefault(
            json.dumps(
                [[level.get(key) for key in ("model", "windowing", "coder")] for level in data.get("level", [])]
            ),
            name,
        )
    return sorted(seen.values())


@pytest.mark.parametrize("name", distinct())
def test_a_dry_run_lists_exactly_the_stages_of_the_build(name: str, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(TEXT)
    recipe = recipe_from_dict(small(shipped_recipes()[name], tmp_path / "text.txt"), tmp_path)
    planned = [stage.name for stage in plan(recipe, Runtime.of(recipe.run))]
    build(recipe, tmp_path / "stack")
    done = {path.parent.relative_to(tmp_path / "stack").as_posix() for path in (tmp_path / "stack").rglob("stage.json")}
    assert set(planned) == done
    assert len(planned) == len(done)


def test_a_whole_window_of_gzip_has_no_tables_and_no_dictionary() -> None:
    recipe = load_recipe("paper_gzip_256")
    names = [stage.name for stage in plan(recipe, Runtime.of(recipe.run)) if stage.name.startswith("M1/")]
    assert names == ["M1/counts", "M1/tokens/train", "M1/tokens/valid", "M1/tokens/test"]
