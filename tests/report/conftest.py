"""Stacks that the tests of reports share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import stackc
from recipes_of_tests import HEAD, TEXT, corpus, counting, counting_twice, four_level, level
from report_pages import HOSTILE
from stackc.stack.blocks import BLOCK
from sweeps_of_tests import QUICK


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


def recipe(name: str, bits: int, seed: int = 3) -> str:
    head = HEAD.format(name=name, segment=300).replace("seed = 3", f"seed = {seed}")
    coder = level("M1", f'kind = "equal-info"\nbits = {bits}', "static-unigram", bits)
    return f'{head}{coder}[top]\nname = "M2"\n[top.model]\nbackend = "unigram"\n'


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two stacks on a text of 12 blocks and a rest, one on another text, and one on none."""
    folder = tmp_path_factory.mktemp("compared")
    corpus(folder)
    words = TEXT.split()
    random = np.random.default_rng(2)
    (folder / "test.txt").write_text(
        " ".join(words[i] for i in random.integers(0, len(words), 40_000))[: 12 * BLOCK + 9]
    )
    for name, bits in (("nine", 9), ("ten", 10)):
        (folder / f"{name}.toml").write_text(recipe(name, bits))
        stackc.build(folder / f"{name}.toml", folder / name)
    (folder / "other.txt").write_text(TEXT)
    stackc.build(folder / "ten.toml", folder / "other", overrides=(f"corpus.test={folder / 'other.txt'}",))
    none = ("corpus.test=[]", "corpus.valid=[]")
    stackc.build(folder / "ten.toml", folder / "none", overrides=none)
    return folder


@pytest.fixture(scope="session")
def swept(place: Path) -> Path:
    """Two arms at two points of an axis, two seeds."""
    (place / "base.toml").write_text(recipe("base", 9))
    arms = '[[arm]]\nname = "one"\n[[arm]]\nname = "two"\nset.top.model.backend = "uniform"\n'
    quick = QUICK.replace("[9, 10, 11, 12]", "[9, 10]").replace('set."top.train" = {}\n', "seeds = 2\n")
    (place / "sweep.toml").write_text(quick.replace('set."top.model" = {backend = "unigram"}\n', "") + arms)
    return stackc.sweep(place / "sweep.toml", place / "sweep").folder
