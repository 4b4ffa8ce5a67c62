"""`--set`: addresses, whole tables, file names, and addresses that lead nowhere."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

from recipe_toys import PARTS
from stackc.recipe import load_recipe, recipe_from_dict, shipped_recipes
from stackc.stack.finding import builtin
from stackc.stack.manifest import manifest_alone

SMALL, SMOKE = "data/train.txt.xz", "data/smoke_train.txt.xz"

DESCRIBED = (
    "novels of Jane Austen, plays and poems of Shakespeare, poems and prose of Milton (the small corpus of stackc)",
    "the beginning of Emma, a novel by Jane Austen",
)
"""The small corpus, and its beginning (recipes/data/README.md)."""

BUILT_IN = ("fast-1", "fast-2", "general-1", "general-2", "general-3")


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


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ([], ("books", "CC0-1.0")),
        (["corpus.segment=300", "corpus.valid=v.txt", "corpus.test=t.txt", "stack.seed=2"], ("books", "CC0-1.0")),
        (["corpus.train=mine.txt"], (None, None)),
        (["corpus.document_bytes=4096"], (None, None)),
        (['corpus={reader="text", train="mine.txt"}'], (None, None)),
        (["stack.text=notes", "corpus.train=mine.txt"], ("notes", None)),
        (["corpus.train=mine.txt", "stack.text=notes", "stack.licence=MIT"], ("notes", "MIT")),
        (["stack.text=all books"], ("all books", "CC0-1.0")),
    ],
)
def test_what_a_recipe_says_of_its_text_holds_for_that_text_alone(
    load: Any, recipe_file: pathlib.Path, overrides: list[str], said: tuple[str | None, str | None]
) -> None:
    described = '[stack]\ntext = "books"\nlicence = "CC0-1.0"\n'
    recipe_file.write_text(recipe_file.read_text().replace("[stack]\n", described, 1))
    stack = load(*overrides).stack
    assert (stack.text, stack.licence) == said


@pytest.mark.parametrize("name", [name for name in shipped_recipes() if not name.startswith("paper_")])
def test_shipped_recipes_describe_the_shipped_text_and_no_other(name: str) -> None:
    """Those of the paper read C4, which does not ship."""
    stack, train = load_recipe(name).stack, load_recipe(name).corpus.reader.config.train
    if load_recipe(name).key()["top"]["train"] == {"sample": 0}:
        said = ("none: the model learns from the file that it compresses, and has read nothing else", "none is needed")
    else:
        said = {SMALL: (DESCRIBED[0], "public domain"), SMOKE: (DESCRIBED[1], "public domain")}[train]
    assert (stack.text, stack.licence) == said
    other = load_recipe(name, ["corpus.train=mine.txt"]).stack
    assert (other.text, other.licence) == (None, None)


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_stacks_say_what_their_recipes_say(name: str) -> None:
    folder = builtin(name)
    assert folder is not None
    assert manifest_alone(folder)["recipe"]["stack"] == load_recipe(name).to_dict()["stack"]
