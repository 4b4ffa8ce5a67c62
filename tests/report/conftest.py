"""Stacks that the tests of reports share."""

from __future__ import annotations

from pathlib import Path

import pytest

import stackc
from recipes_of_tests import corpus, counting, counting_twice, four_level
from report_pages import HOSTILE


@pytest.fixture(scope="session")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three stacks: one level, two levels, and every coder; the test text of the first is hostile."""
    folder = tmp_path_factory.mktemp("stacks")
    corpus(folder)
    made = []
    for name, recipe in (("twice", counting_twice()), ("four", four_level()), ("counting", counting())):
        if name == "counting":
            (folder / "test.txt").write_bytes(HOSTILE)
        (folder / f"{name}.toml").write_text(recipe)
        made.append(stackc.build(folder / f"{name}.toml", folder / name).folder)
    return made
