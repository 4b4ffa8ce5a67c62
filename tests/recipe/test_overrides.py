"""`--set`: addresses, whole tables, file names, and addresses that lead nowhere."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

from recipe_toys import PARTS
from stackc.recipe import recipe_from_dict


def test_override_by_place_and_by_name(load: Any) -> None:
    for key in ("level.1.windowing.bits", "level.bytes.windowing.bits"):
        assert load(f"{key}=32").levels[0].windowing.config.bits == 32
    assert load("level.M2.tokens.bits=5").levels[1].token_bits == 5


def test_later_override_wins(load: Any) -> None:
    assert load("stack.seed=1", "stack.seed=2").stack.seed == 2


def test_override_makes_tables_that_are_missing(load: Any) -> None:
    assert load("run.lanes=3").run.lanes == 3


def test_override_replaces_a_whole_table(load: Any) -> None:
    recipe = load('level.1.model={backend="unigram"}', "level.1.train={}")
    assert recipe.levels[0].model.name == "unigram"
    assert recipe.levels[0].train is None


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("data/*.txt", "data/*.txt"),
        ('"data/*.txt"', "data/*.txt"),
        ('["a.txt", "b.txt"]', ("a.txt", "b.txt")),
        ("a=b.txt", "a=b.txt"),
        (" spaced.txt ", "spaced.txt"),
    ],
)
def test_override_of_files_counts_from_the_current_folder(
    load: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, written: str, value: Any
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    recipe = load(f"corpus.train={written}")
    names = (value,) if isinstance(value, str) else value
    assert recipe.corpus.reader.config.train == tuple(str(here / name) for name in names)
    assert recipe.corpus.reader.config.valid == ("valid.txt",)  # still the recipe's
    assert recipe_from_dict(recipe.to_dict(), recipe.base, PARTS) == recipe


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("nonsense", "--set nonsense: write KEY=VALUE, such as level.1.windowing.bits=12"),
        ("a..b=1", "--set a..b=1: write KEY=VALUE, such as level.1.windowing.bits=12"),
        ("=1", "--set =1: write KEY=VALUE, such as level.1.windowing.bits=12"),
        ("level.3.tokens.bits=1", "level.3: there is no such entry; known: 1 or bytes, 2 or M2"),
        ("level.0=1", "level.0: there is no such entry; known: 1 or bytes, 2 or M2"),
        ("level.M9.tokens.bits=1", "level.M9: there is no such entry; known: 1 or bytes, 2 or M2"),
        ("stack.name.x=1", '--set stack.name.x=1: stack.name is "demo", not a table'),
        ("top.model.wdth=1", "top.model.wdth: unknown key; did you mean"),
        ("corpus.train=[x", "--set corpus.train=[x: the value is not valid TOML"),
    ],
)
def test_override_that_leads_nowhere(problems: Any, override: str, problem: str) -> None:
    found = problems(override)
    assert len(found) == 1
    assert found[0].startswith(problem.removesuffix("; did you mean"))
