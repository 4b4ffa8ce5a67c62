"""Recipes: structured strictly, every problem at once with its path, and the same again from their own data."""

from __future__ import annotations

import codecs
import json
import pathlib
import types
from typing import Any, ClassVar, Literal

import attrs
import pytest
from attrs.validators import and_, ge, in_, le
from hypothesis import given, settings
from hypothesis import strategies as st

import stackc_coders
import stackc_counted
import stackc_text
import stackc_windows
from recipes_of_tests import counting
from stackc.api import Cost, PluginError, RecipeError, Register, Windowing, bits, hookimpl, speed
from stackc.parts.registry import Registry
from stackc.recipe import Recipe, load_recipe, recipe_from_dict, shipped_recipes
from stackc.recipe.structure import Problems, table

CODERS = "arithmetic, gzip, lexicon, static-unigram, tunstall"
"""Those that every installation has."""


@attrs.frozen(kw_only=True)
class ToyTraining:
    steps: int = bits(check=ge(1), help="steps")
    rate: float = bits(0.1, check=and_(ge(0), le(1)), help="learning rate")
    decay: str = bits("cosine", check=in_(("cosine", "linear")), help="schedule")


@attrs.frozen(kw_only=True)
class ToyModel:
    bits_version: ClassVar[int] = 4
    train: ClassVar[type] = ToyTraining
    width: int = bits(8, check=ge(1), help="width")
    workers: int = speed(1, check=ge(1), help="workers")

    def cost(self, alphabet: int, settings: ToyTraining) -> Cost:
        return Cost(parameters=alphabet * self.width)

    def problems(self, alphabet: int, settings: ToyTraining) -> list[str]:
        found = []
        if self.width > alphabet:
            found.append(f"width: {self.width} is more than the alphabet of {alphabet}")
        if settings.steps == 13:
            found.append("train.steps: unlucky")
        if settings.steps == 14:
            found.append("an odd model")
        return found


@attrs.frozen(kw_only=True)
class BlankConfig:
    bits_version: ClassVar[int] = 1
    symbols: int = bits(64, check=ge(1), help="symbols")


@hookimpl
def register_models(register: Register) -> None:
    register("toy", lambda config: config, ToyModel, "a toy that trains")


@hookimpl
def register_windowings(register: Register) -> None:
    register("blank", lambda config: Windowing(symbols=config.symbols), BlankConfig, "a toy")


TOYS = types.ModuleType("toys")
vars(TOYS).update(
    stackc_register_models=hookimpl(specname="stackc_register_models")(register_models),
    stackc_register_windowings=hookimpl(specname="stackc_register_windowings")(register_windowings),
)
PARTS = Registry.of(coders=stackc_coders, counted=stackc_counted, text=stackc_text, windows=stackc_windows, toys=TOYS)

TWO_LEVELS = """
[stack]
name = "demo"
seed = 7

[corpus]
reader = "text"
train = "train/*.txt"
valid = ["valid.txt"]

[[level]]
name = "bytes"
[level.model]
backend = "toy"
[level.train]
steps = 10
[level.windowing]
kind = "equal-info"
bits = 16
[level.coder]
kind = "arithmetic"
[level.tokens]
bits = 8

[[level]]
[level.windowing]
kind = "fixed-token"
symbols = 100
[level.coder]
kind = "gzip"
[level.tokens]
bits = 12

[top]
[top.model]
backend = "unigram"
"""


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


# -- what cannot work together


def test_coder_and_windowing(problems: Any) -> None:
    assert problems("level.1.coder.kind=gzip", "level.1.model={}", "level.1.train={}") == [
        "level.1: coder 'gzip' cannot keep to the 16 bits that windowing 'equal-info' gives a window; "
        "with 'equal-info' work: arithmetic, static-unigram; "
        "with 'gzip' work: blank, fixed-token, longest, whole, words"
    ]


TUNSTALL = ("level.1.coder={kind='tunstall', vocabulary=300}", "level.1.tokens={}")


def test_a_dictionary_coder_hands_on_its_vocabulary(load: Any) -> None:
    made = load(*TUNSTALL, "level.1.windowing={kind='longest'}")
    assert (made.levels[0].vocabulary, made.levels[0].token_alphabet, made.levels[1].alphabet) == (300, 300, 300)
    assert recipe_from_dict(made.to_dict(), made.base, PARTS) == made


def test_a_dictionary_coder_with_what_it_cannot_use(problems: Any) -> None:
    assert problems(*TUNSTALL) == [
        "level.1: coder 'tunstall' ends a window with the longest text that its dictionary holds, and restarts the "
        "context there; with it work: blank, fixed-token, longest, words"
    ]
    given = ("level.1.tokens.bits=16", "level.1.windowing={kind='longest'}")
    assert problems("level.1.coder={kind='tunstall', vocabulary=200}", *given) == [
        "level.1.tokens: has no effect: coder 'tunstall' sets its own vocabulary; remove it",
        "level.1.coder.vocabulary: 200 is too small for 256 symbols and the empty text",
    ]


def test_model_for_a_coder_without(problems: Any) -> None:
    assert problems("level.2.model.backend=uniform") == [
        "level.2.model: coder 'gzip' needs no model; remove it, or use another coder"
    ]


def test_coder_without_its_model(problems: Any) -> None:
    assert problems("level.1.model={}") == [
        "level.1.model: missing; coder 'arithmetic' codes under a model: add [level.model] backend = ...",
        "level.1.train: there is no model to train; remove it",
    ]


def test_training_of_a_model_that_does_not_train(problems: Any) -> None:
    assert problems("top.train.steps=5") == ["top.train: backend 'unigram' has no training settings; remove the table"]


def test_context_without_effect(problems: Any) -> None:
    assert problems("level.2.windowing.context=window") == [
        "level.2.windowing.context: has no effect: coder 'gzip' needs no model that has a context; remove it"
    ]
    assert problems("level.2.windowing.context_windows=2")[0] == (
        "level.2.windowing.context_windows: has no effect: coder 'gzip' needs no model that has a context; remove it"
    )
    assert problems("level.1.windowing.context=segment", "level.1.windowing.context_windows=2") == [
        "level.1.windowing.context_windows: has no effect if the context restarts only with the segment; remove it, "
        "or context"
    ]
    assert problems("level.1.windowing.context_windows=0") == ["level.1.windowing.context_windows: 0 is below 1"]


def test_window_too_small_for_the_alphabet_of_its_level(load: Any, problems: Any) -> None:
    small = ["level.2={windowing={kind='equal-info', bits=8}, coder={kind='static-unigram'}, tokens={bits=8}}"]
    assert problems(*small) == [
        "level.2.windowing.bits: 8 is too small for the 256 symbols read here and an end; the least is 9"
    ]
    assert load("level.1.tokens.bits=4", *small).levels[1].alphabet == 16  # 2^8 - 1 >= 16


@pytest.mark.parametrize(("tokens", "width", "fits"), [(2, 2, False), (2, 3, True), (1, 2, True), (8, 9, True)])
def test_least_window(load: Any, problems: Any, tokens: int, width: int, fits: bool) -> None:
    second = (
        f"level.2={{windowing={{kind='equal-info', bits={width}}}, coder={{kind='static-unigram'}}, tokens={{bits=1}}}}"
    )
    given_ = (f"level.1.tokens.bits={tokens}", second)
    if fits:
        assert load(*given_)
    else:
        assert "is too small" in problems(*given_)[0]


def test_token_bits_that_straddle_windows(problems: Any) -> None:
    assert problems("level.1.windowing.bits=24", "level.1.tokens.bits=16") == [
        "level.1.tokens.bits: 16 does not divide the 24 bits of a window, so tokens would straddle windows; "
        "choose from 1, 2, 3, 4, 6, 8, 12"
    ]


def test_whole_segments_that_are_too_long(load: Any, problems: Any) -> None:
    assert load("level.1.windowing={kind='whole'}", "corpus.segment=65535")
    assert problems("level.1.windowing={kind='whole'}", "corpus.segment=65536") == [
        "level.1.windowing: 'whole' makes one window of a segment, and corpus.segment = 65536 is above 65535 symbols"
    ]


def test_a_coder_of_whole_windows_has_windows_as_long_as_the_segment(load: Any) -> None:
    assert load("level.2.windowing={kind='whole'}", "corpus.segment=10_000_000")


def test_windowing_of_a_plugin_with_too_many_symbols(problems: Any) -> None:
    assert problems("level.2.windowing={kind='blank', symbols=70000}") == [
        "level.2.windowing.symbols: windows of 70000 symbols; allowed: 1 to 65535"
    ]


def test_every_problem_at_once_in_the_order_of_the_recipe(problems: Any) -> None:
    found = problems(
        "stack.sed=1",
        "corpus.segment=0",
        "level.1.model.width=0",
        "level.1.train.step=5",
        "level.1.train.rate=2",
        "level.1.windowing.bits=0",
        "level.2.coder.level=77",
        "level.2.tokens.bits=0",
        "top.model.backend=unigrm",
        "run.threads=0",
        "extra=1",
    )
    assert [line.partition(":")[0] for line in found] == [
        "extra",
        "stack.sed",
        "corpus.segment",
        "level.1.model.width",
        "level.1.train.step",
        "level.1.train.rate",
        "level.1.windowing.bits",
        "level.2.coder.level",
        "level.2.tokens.bits",
        "top.model.backend",
        "run.threads",
    ]


def test_one_problem_hides_no_other(problems: Any) -> None:
    """What is right of a table with a misspelt key or name is checked against the other tables all the same."""
    found = problems(
        "level.1.windowing.symbls=4",
        "level.1.windowing.bits=7",
        "level.1.tokens.bits=3",
        "level.1.model.backend=toyy",
        "level.1.model.width=two",
        "level.2.coder.kind=gzi",
        "level.2.windowing.kind=equal-infos",
        "level.2.windowing.bits=16",
        "top=3",
    )
    assert [line.partition(":")[0] for line in found] == [
        "level.1.model.backend",
        "level.1.model.width",
        "level.1.windowing.symbls",
        "level.1.windowing.bits",
        "level.1.tokens.bits",
        "level.2.coder.kind",
        "level.2.windowing.kind",
        "level.2",
        "level.2.tokens.bits",
        "top",
    ]


def test_error_text(load: Any, recipe_file: pathlib.Path) -> None:
    with pytest.raises(RecipeError) as one:
        load("stack.seed=-1")
    assert str(one.value) == f"{recipe_file}: stack.seed: -1 is below 0"
    with pytest.raises(RecipeError) as two_:
        load("stack.seed=-1", "run.threads=0")
    assert str(two_.value) == f"{recipe_file}: 2 problems\n  stack.seed: -1 is below 0\n  run.threads: 0 is below 1"


# -- --set


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


# -- types that third parties may use


@attrs.frozen(kw_only=True)
class Inner:
    depth: int = bits(1, check=ge(0), help="depth")


@attrs.frozen(kw_only=True)
class Rich:
    sizes: tuple[int, ...] = bits((), help="sizes")
    pair: tuple[int, str] = bits((1, "a"), help="a pair")
    names: list[str] = attrs.field(factory=list)
    inner: Inner = attrs.field(factory=Inner)
    maybe: int | None = bits(None, check=attrs.validators.optional(ge(1)), help="a number or nothing")
    mode: Literal["a", 1] = bits("a", help="a mode")
    path: pathlib.Path = attrs.field(factory=pathlib.Path)
    shares: dict[str, float] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        if self.sizes and max(self.sizes) > 9:
            raise ValueError("sizes and depth do not fit together")


def structured(**data: Any) -> tuple[Rich | None, list[str]]:
    problems = Problems()
    return table(Rich, data, "x", problems), problems.lines


def test_rich_types() -> None:
    made, lines = structured(sizes=[1, 2], pair=[3, "b"], names=["n"], inner={"depth": 2}, maybe=4, mode=1, path="a/b",
                             shares={"en": 1})  # fmt: skip
    assert lines == []
    assert made == Rich(
        sizes=(1, 2), pair=(3, "b"), names=["n"], inner=Inner(depth=2), maybe=4, mode=1, path=pathlib.Path("a/b"),
        shares={"en": 1.0},
    )  # fmt: skip


def test_problems_of_rich_types() -> None:
    _, lines = structured(
        sizes=[1, "b"],
        pair=[3],
        names="n",
        inner={"depth": -1, "dpth": 0},
        maybe=0,
        mode=True,
        path=3,
        shares={"en": "1"},
    )
    assert lines == [
        'x.sizes[1]: expected a whole number, found "b"',
        "x.pair: expected a list of 2, found [3]",
        'x.names: expected a list of text, found "n"',
        "x.inner.depth: -1 is below 0",
        "x.inner.dpth: unknown key; did you mean 'depth'?",
        "x.maybe: 0 is below 1",
        'x.mode: true is not one of "a", 1',
        "x.path: expected text, found 3",
        'x.shares.en: expected a number, found "1"',
    ]
    assert structured(shares=[1])[1] == ["x.shares: expected a table, found [1]"]


def test_a_field_of_a_type_that_recipes_cannot_hold_is_the_plugins_fault() -> None:
    @attrs.frozen(kw_only=True)
    class Odd:
        when: complex = attrs.field()

    with pytest.raises(PluginError, match="a field of type <class 'complex'>: recipes hold text"):
        table(Odd, {"when": 1}, "x", Problems())


def test_check_over_several_fields() -> None:
    assert structured(sizes=[10])[1] == ["x: sizes and depth do not fit together"]


def test_long_values_are_shortened() -> None:
    assert len(structured(names="n" * 1000)[1][0]) < 120


JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KEYS = [
    "stack",
    "corpus",
    "level",
    "top",
    "run",
    "model",
    "train",
    "windowing",
    "coder",
    "tokens",
    "name",
    "bits",
    "kind",
]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.lists(st.sampled_from([*KEYS, "1", "2"]), min_size=1, max_size=4), JSON_LIKE), max_size=4))
def test_no_data_whatever_ends_in_anything_but_a_recipe_error(changes: list[tuple[list[str], Any]]) -> None:
    data: dict[str, Any] = {"stack": {"name": "x"}, "level": [{}, {}]}
    for keys, value in changes:
        place: Any = data
        for key in keys[:-1]:
            if isinstance(place, list):
                place = place[int(key) % len(place)] if key.isdigit() and place else {}
            elif isinstance(place, dict):
                place = place.setdefault(key, {})
        if isinstance(place, dict):
            place[keys[-1]] = value
    with pytest.raises(RecipeError):
        recipe_from_dict(data, pathlib.Path(), PARTS)
