"""A stack of one level and one of two, and a tokenizer over each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import stackc
from recipes_of_tests import corpus, counting, counting_twice

if TYPE_CHECKING:
    from stackc.hf import StackTokenizer


@pytest.fixture(scope="module", params=["counting", "twice"])
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hf")
    corpus(folder)
    recipe = counting() if request.param == "counting" else counting_twice()
    (folder / "recipe.toml").write_text(recipe)
    stackc.build(folder / "recipe.toml", folder / "stack")
    return folder / "stack"


@pytest.fixture(scope="module")
def tokenizer(stack: Path) -> StackTokenizer:
    from stackc.hf import StackTokenizer

    return StackTokenizer.from_stack(stack)
