"""Stacks that the tests of compressed files share: built once, in seconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import stackc
from recipes_of_tests import corpus, counting, counting_twice, mixing, two_level

RECIPES = {
    "counting": counting(), "few": mixing("few"), "mixing": mixing(), "six": mixing("six"), "some": mixing("some"),
    "twelve": mixing("twelve"),
    "twice": counting_twice(), "two": two_level(steps=60),
}  # fmt: skip


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], stackc.Stack]:
    """stack("counting"): two levels without training; "twice": three; "two": three transformers."""
    folder = tmp_path_factory.mktemp("stacks")
    corpus(folder)
    made: dict[str, stackc.Stack] = {}

    def get(name: str) -> stackc.Stack:
        if name not in made:
            (folder / f"{name}.toml").write_text(RECIPES[name])
            made[name] = stackc.build(folder / f"{name}.toml", folder / name)
        return made[name]

    return get


@pytest.fixture(scope="session")
def copy_of(stack: Callable[[str], stackc.Stack]) -> Callable[[str, Path], Path]:
    """copy_of("counting", folder): a copy of the stack to damage."""
    import shutil

    def copy(name: str, folder: Path) -> Path:
        return Path(shutil.copytree(stack(name).folder, folder / name))

    return copy
