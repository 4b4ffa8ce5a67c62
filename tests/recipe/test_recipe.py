"""Recipes: structured strictly, every problem at once with its path, and the same again from their own data."""

from __future__ import annotations

import codecs
import json
import pathlib
import re
from typing import Any

import pytest

from recipe_toys import CODERS, PARTS, TWO_LEVELS, ToyModel, ToyTraining
from recipes_of_tests import counting
from stackc.api import RecipeError, Windowing
from stackc.recipe import Recipe, load_recipe, recipe_from_dict, shipped_recipes
from stackc.recipe.load import find_recipe

# -- a recipe that is right


def test_sections(load: Any, recipe_file: pathlib.Path) -> None:
    recipe: Recipe = load()
    assert (recipe.stack.name, recipe.stack.seed) == ("demo", 7)
    assert recipe.source == recipe_file
    assert recipe.base == recipe_file.parent
    assert recipe.corpus.segment == 10_240
    assert (recipe.run.device, recipe.run.threads, recipe.run.lanes) == ("auto", 1, 256)
    assert [level.name for level in recipe.levels] == ["bytes", "M2"]
    assert recipe.top.name == "M3"


def test_alphabets_chain_through_the_levels(load: Any) -> None:
    recipe: Recipe = load()
    assert [level.alphabet for level in recipe.levels] == [256, 256]
    assert [level.token_alphabet for level in recipe.levels] == [256, 4096]
    assert recipe.top.alphabet == 4096


def test_parts_with_their_configurations(load: Any) -> None:
    first, second = load().levels
    assert first.model.config == ToyModel()
    assert first.train == ToyTraining(steps=10)
    assert first.windowing.make() == Windowing(bits=16, symbols=1024)
    assert second.model is None
    assert second.train is None
    assert load().top.train is None


def test_file_names_count_from_the_recipe(load: Any, recipe_file: pathlib.Path) -> None:
    reader = load().corpus.reader
    assert reader.config.train == "train/*.txt"
    made = reader.make(recipe_file.parent)
    assert made.config.train == (str(recipe_file.parent / "train/*.txt"),)
    assert made.config.valid == (str(recipe_file.parent / "valid.txt"),)


def test_base_with_glob_characters(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "[odd]*"
    folder.mkdir()
    (folder / "a[1].txt").write_text("text")
    (folder / "r.toml").write_text(TWO_LEVELS.replace("train/*.txt", "a[1].txt").replace('["valid.txt"]', '"a*.txt"'))
    recipe = load_recipe(folder / "r.toml", [], PARTS)
    reader = recipe.corpus.reader.make(recipe.base)
    assert list(reader.documents("train")) == list(reader.documents("valid")) == [b"text"]


def test_no_levels_at_all(load: Any) -> None:
    recipe = load("level=[]")
    assert recipe.levels == ()
    assert (recipe.top.name, recipe.top.alphabet) == ("M1", 256)


# -- data and keys


def test_data_gives_the_same_recipe_back(load: Any) -> None:
    recipe: Recipe = load()
    data = json.loads(json.dumps(recipe.to_dict()))
    assert recipe_from_dict(data, recipe.base, PARTS) == recipe
    assert recipe_from_dict(data, recipe.base, PARTS).to_dict() == recipe.to_dict()


def test_data_has_every_default_written_out(load: Any) -> None:
    data = load().to_dict()
    assert data["corpus"]["segment"] == 10_240
    assert data["level"][0]["train"] == {"steps": 10, "rate": 0.1, "decay": "cosine"}
    assert data["level"][0]["windowing"]["symbols"] == 1024
    assert "model" not in data["level"][1]


def test_key_leaves_out_names_and_speed(load: Any) -> None:
    same = load(
        "stack.name=other",
        "level.1.name=x",
        "level.1.model.workers=9",
        "run.lanes=3",
        "run.device=cpu",
        "corpus.train=x",
    )
    assert same.key() == load().key()
    json.dumps(same.key())


@pytest.mark.parametrize(
    "override",
    [
        "stack.seed=8",
        "corpus.segment=100",
        "corpus.document_bytes=2048",
        "level.1.model.width=9",
        "level.1.train.rate=0.2",
        "level.1.windowing.bits=24",
        "level.1.windowing.symbols=9",
        "level.1.windowing.context=segment",
        "level.2.coder.level=9",
        "level.2.tokens.bits=13",
        "top.model.backend=uniform",
    ],
)
def test_key_holds_whatever_affects_bits(load: Any, override: str) -> None:
    assert load(override).key() != load().key()


def test_key_of_a_part(load: Any) -> None:
    assert load().levels[0].model.key() == {
        "name": "toy",
        "distribution": "",
        "bits_version": 4,
        "config": {"width": 8},
    }


# -- one problem each


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("level.1.windowing.bits=0", "level.1.windowing.bits: 0 is below 1"),
        ("level.1.windowing.symbols=65536", "level.1.windowing.symbols: 65536 is above 65535"),
        ("level.1.windowing.bits=true", "level.1.windowing.bits: expected a whole number, found true"),
        ("level.1.windowing.bits=16.0", "level.1.windowing.bits: expected a whole number, found 16.0"),
        ("level.1.windowing.bits=abc", 'level.1.windowing.bits: expected a whole number, found "abc"'),
        ("level.1.train.rate=fast", 'level.1.train.rate: expected a number, found "fast"'),
        ("level.1.train.rate=nan", "level.1.train.rate: expected a finite number, found nan"),
        ("level.1.train.rate=1.5", "level.1.train.rate: 1.5 is above 1"),
        ("level.1.train.rate=true", "level.1.train.rate: expected a number, found true"),
        (
            "level.1.train.decay=cosin",
            'level.1.train.decay: "cosin" is not one of "cosine", "linear"; did you mean "cosine"?',
        ),
        (
            "level.1.windowing.context=windw",
            'level.1.windowing.context: "windw" is not one of "window", "segment"; did you mean "window"?',
        ),
        ("level.1.windowing.bit=16", "level.1.windowing.bit: unknown key; did you mean 'bits'?"),
        (
            "level.1.windowing.zzz=16",
            "level.1.windowing.zzz: unknown key; known: bits, context, context_windows, kind, symbols",
        ),
        ("level.1.tokns.bits=16", "level.1.tokns: unknown key; did you mean 'tokens'?"),
        ("levels.1.x=16", "levels: unknown key; did you mean 'level'?"),
        ("corpus.segments=16", "corpus.segments: unknown key; did you mean 'segment'?"),
        ("corpus.segment=0", "corpus.segment: 0 is below 1"),
        ("corpus.train=3", "corpus.train: expected text or a list of text, found 3"),
        ('corpus.train=["a", 3]', "corpus.train[1]: expected text, found 3"),
        ("stack.seed=-1", "stack.seed: -1 is below 0"),
        (
            "stack.name=../x",
            'stack.name: a name starts with a letter and holds at most 64 of A-Z a-z 0-9 . _ - (found "../x")',
        ),
        ("run.device=gpu", 'run.device: "gpu" is not one of "auto", "cpu", "cuda"; did you mean "cpu"?'),
        ("level.1.tokens.bits=21", "level.1.tokens.bits: 21 is above 20"),
        (
            "level.2.tokens={}",
            "level.2.tokens.bits: missing; bits per token, 1 to 20: the next model reads an alphabet of 2^bits",
        ),
        ("level.1.train={}", "level.1.train.steps: missing; steps"),
        (
            "level.1.coder={}",
            f"level.1.coder.kind: missing; installed: {CODERS}",
        ),
        (
            "level.1.coder.kind=3",
            f"level.1.coder.kind: expected text, found 3; installed: {CODERS}",
        ),
        (
            "level.1.coder.kind=aritmetic",
            f"level.1.coder.kind: no coder named 'aritmetic'; installed: {CODERS}; did you mean 'arithmetic'?",
        ),
        ("corpus.reader=csv", "corpus.reader: no reader named 'csv'; installed: text"),
        ("top.model={}", "top.model: missing; a stack needs a model that reads the last tokens"),
        ("level=3", "level: expected [[level]] tables, found 3"),
        ("level.2=3", "level.2: expected a table, found 3"),
        ("run=3", "run: expected a table, found 3"),
        ("level.2.name=BYTES", 'level.2.name: "BYTES" is already the name of level.1'),
        ("top.name=bytes", 'top.name: "bytes" is already the name of level.1'),
        ("level.1.model.width=300", "level.1.model.width: 300 is more than the alphabet of 256"),
        ("level.1.train.steps=13", "level.1.train.steps: unlucky"),
        ("level.1.train.steps=14", "level.1.model: an odd model"),
    ],
)
def test_problem(problems: Any, override: str, problem: str) -> None:
    assert problems(override) == [problem]


def test_integer_is_accepted_for_a_number(load: Any) -> None:
    rate = load("level.1.train.rate=1").levels[0].train.rate
    assert rate == 1.0
    assert isinstance(rate, float)


# -- files


def test_missing_file_names_the_nearest_shipped_recipe(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    monkeypatch.setattr("stackc.recipe.load.shipped_recipes", lambda: {"three_level": tmp_path / "three_level.toml"})
    with pytest.raises(RecipeError, match=r"^three_levl: no such recipe file; did you mean three_level\?$"):
        load_recipe("three_levl", [], PARTS)
    with pytest.raises(RecipeError, match=r"shipped recipes: three_level$"):
        load_recipe(tmp_path / "x.toml", [], PARTS)
    shipped = dict.fromkeys(("paper_a", "paper_b", "paper_c", "smoke", "smoke_2"), tmp_path)
    monkeypatch.setattr("stackc.recipe.load.shipped_recipes", lambda: shipped)
    with pytest.raises(RecipeError, match=r"shipped recipes: paper_\* \(3 of them\), smoke, smoke_2$"):
        load_recipe(tmp_path / "x.toml", [], PARTS)
    with pytest.raises(RecipeError, match=r"is a folder, not a recipe"):
        load_recipe(tmp_path, [], PARTS)


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ("tiny", "tiny.toml"),
        ("tinny", "tiny.toml"),
        ("tinny.toml", "tiny.toml"),
        ("sub/depe.toml", "sub/deep.toml"),
        ("three_levl", "three_level"),
        ("gone/three_levl", "three_level"),
        ("counted_65", "counted_65k.toml"),
    ],
)
def test_the_nearest_recipe_is_named_as_it_can_be_given(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, given: str, hint: str
) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("tiny.toml", "sub/deep.toml", "counted_65k.toml"):  # a file goes before what ships
        (tmp_path / name).write_text(counting())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecipeError, match=f"no such recipe file; did you mean {re.escape(hint)}\\?$"):
        load_recipe(given)
    assert find_recipe(hint).is_file()


def test_shipped_recipe_by_name(
    monkeypatch: pytest.MonkeyPatch, recipe_file: pathlib.Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    monkeypatch.setattr("stackc.recipe.load.shipped_recipes", lambda: {"demo": recipe_file})
    assert load_recipe("demo", [], PARTS).stack.name == "demo"


@pytest.mark.parametrize("name", list(shipped_recipes()))
def test_every_shipped_recipe_is_right(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.stack.name == name
    assert recipe_from_dict(json.loads(json.dumps(recipe.to_dict())), recipe.base) == recipe


def test_recipes_ship() -> None:
    assert {"smoke", "three_level"} <= set(shipped_recipes())


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a = [\n", "not valid TOML: "),
        (b"a = '\xff'", "not UTF-8 text (byte 5)"),
        (b"[stack]\nname = 1\nname = 2\n", "not valid TOML: Cannot overwrite a value"),
    ],
)
def test_file_that_is_no_recipe(tmp_path: pathlib.Path, content: bytes, problem: str) -> None:
    path = tmp_path / "r.toml"
    path.write_bytes(content)
    with pytest.raises(RecipeError) as caught:
        load_recipe(path, [], PARTS)
    assert caught.value.problems[0].startswith(problem)


def test_a_recipe_that_begins_with_a_byte_order_mark(tmp_path: pathlib.Path) -> None:
    plain, marked = tmp_path / "plain.toml", tmp_path / "marked.toml"
    plain.write_text(counting())
    marked.write_bytes(codecs.BOM_UTF8 + plain.read_bytes())
    assert load_recipe(marked) == load_recipe(plain)
    assert load_recipe(marked).key() == load_recipe(plain).key()
    marked.write_bytes(codecs.BOM_UTF8 * 2 + plain.read_bytes())
    with pytest.raises(RecipeError, match="not valid TOML"):
        load_recipe(marked)


def test_empty_recipe(tmp_path: pathlib.Path) -> None:
    (tmp_path / "r.toml").write_text("")
    with pytest.raises(RecipeError) as caught:
        load_recipe(tmp_path / "r.toml", [], PARTS)
    assert [line.partition(":")[0] for line in caught.value.problems] == ["stack.name", "corpus.reader", "top.model"]
