"""The recipe of two levels in a file, loaded with overrides."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

from recipe_toys import PARTS, TWO_LEVELS
from stackc.api import RecipeError
from stackc.recipe import load_recipe


@pytest.fixture
def recipe_file(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "demo.toml"
    path.write_text(TWO_LEVELS)
    return path


@pytest.fixture
def load(recipe_file: pathlib.Path) -> Any:
    return lambda *overrides: load_recipe(recipe_file, overrides, PARTS)


@pytest.fixture
def problems(load: Any) -> Any:
    def problems(*overrides: str) -> list[str]:
        with pytest.raises(RecipeError) as caught:
            load(*overrides)
        found: list[str] = caught.value.problems
        return found

    return problems
