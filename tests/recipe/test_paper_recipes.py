"""The paper's recipes: every coding, vocabulary and size structures, is the paper's, and plans its build."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from stackc.api import RecipeError
from stackc.cli import main
from stackc.recipe import Recipe, load_recipe, recipe_from_dict, shipped_recipes

SIZES = {  # PAPER: d, heads, layers, head, MLP
    "25m": (512, 8, 6, 64, 2048),
    "113m": (768, 12, 12, 64, 3072),
    "403m": (1024, 16, 24, 64, 4096),
    "2b": (2048, 32, 24, 64, 8192),
}
BODY_MILLIONS = {"25m": 25, "113m": 113, "403m": 403, "2b": 1610}
WINDOWS = {"16": 16, "24": 24, "32": 32, "64": 64, "128": 128}
NAMES = [
    *(f"paper_{coding}_{vocabulary}" for coding in ("ac", "static_ac", "gzip") for vocabulary in ("256", "65k")),
    *(f"paper_equal_info_{bits}_{vocabulary}" for bits in ("16", "32", "64", "128") for vocabulary in ("256", "65k")),
    "paper_equal_info_24_256",
]
CODERS = {"ac": "arithmetic", "static_ac": "static-unigram", "gzip": "gzip"}
GPU_MEMORY = 80e9


def header(path: Path) -> str:
    lines = path.read_text().splitlines()
    return "\n".join(line.removeprefix("#").strip() for line in lines[: lines.index("")])


def overrides(name: str, size: str) -> list[str]:
    """The ``--set`` of a size, as the recipe's header tells its reader to type them."""
    if size == "25m":
        return []
    text = re.search(rf"^{size}: (.*?)(?=^\w+: |\Z)", header(shipped_recipes()[name]), re.MULTILINE | re.DOTALL)
    assert text, f"{name} does not say how to build {size}"
    words = shlex.split(text[1])
    assert words[::2] == ["--set"] * (len(words) // 2)
    return words[1::2]


def load(name: str, size: str = "25m", *more: str) -> Recipe:
    return load_recipe(name, [*overrides(name, size), *more])


def body_parameters(model: Any, alphabet: int, train: Any) -> int:
    cost = model.config.cost(alphabet, train)
    return int(cost.body_ops) // 2


def test_every_row_of_the_paper_has_its_recipe() -> None:
    assert sorted(name for name in shipped_recipes() if name.startswith("paper_")) == sorted(NAMES)


@pytest.mark.parametrize("size", list(SIZES))
@pytest.mark.parametrize("name", NAMES)
def test_last_model_is_the_papers(name: str, size: str) -> None:
    recipe = load(name, size)
    config = recipe.top.model.config
    assert (config.width, config.heads, config.layers, config.head_size, config.hidden) == SIZES[size]
    assert (config.context, recipe.top.train.batch, recipe.top.train.row_symbols(config.context)) == (512, 256, 512)
    assert recipe.top.train.steps == 200_000
    body = body_parameters(recipe.top.model, recipe.top.alphabet, recipe.top.train)
    assert abs(body / 1e6 - BODY_MILLIONS[size]) < 0.05 * BODY_MILLIONS[size]
    assert recipe.top.model.config.cost(recipe.top.alphabet, recipe.top.train).train_memory < GPU_MEMORY
    assert recipe_from_dict(recipe.to_dict(), recipe.base) == recipe


@pytest.mark.parametrize("name", NAMES)
def test_level_is_the_papers(name: str) -> None:
    recipe = load(name)
    (level,) = recipe.levels
    coding, _, vocabulary = name.removeprefix("paper_").rpartition("_")
    windowing = level.windowing.make()
    assert recipe.stack.name == name
    assert recipe.corpus.segment == 10_240
    assert level.token_alphabet == recipe.top.alphabet == {"256": 256, "65k": 65_536}[vocabulary]
    if coding in CODERS:
        assert level.coder.name == CODERS[coding]
        assert (windowing.bits, windowing.symbols) == (None, None)
    else:
        assert level.coder.name == "arithmetic"
        assert (windowing.bits, windowing.restart) == (WINDOWS[coding.removeprefix("equal_info_")], "window")
    if level.coder.name == "arithmetic":
        assert level.model is not None
        config = level.model.config
        assert (config.width, config.heads, config.layers, config.head_size) == (256, 4, 3, 64)
        assert (config.hidden, config.context) == (1024, 1024)
        assert (level.train.steps, level.train.batch) == (2_500_000, 128)
        assert body_parameters(level.model, 256, level.train) == pytest.approx(3.15e6, rel=0.01)
    else:
        assert level.model is None


def test_recipes_differ_only_where_the_paper_does() -> None:
    tops, models, corpora = [], [], []
    for name in NAMES:
        data = load(name).to_dict()
        tops.append(data["top"])
        corpora.append(data["corpus"])
        models += [(data["level"][0]["model"], data["level"][0]["train"])] if "model" in data["level"][0] else []
    assert all(top == tops[0] for top in tops)
    assert all(corpus == corpora[0] for corpus in corpora)
    assert all(model == models[0] for model in models)


def test_windows_of_24_bits_in_tokens_of_16_are_refused() -> None:
    with pytest.raises(RecipeError) as caught:
        load("paper_equal_info_24_256", "25m", "level.1.tokens.bits=16")
    assert caught.value.problems == [
        "level.1.tokens.bits: 16 does not divide the 24 bits of a window, so tokens would straddle windows; "
        "choose from 1, 2, 3, 4, 6, 8, 12"
    ]
    assert "straddle windows" in header(shipped_recipes()["paper_equal_info_24_256"])


@pytest.mark.parametrize("name", NAMES)
def test_dry_run(name: str) -> None:
    done = CliRunner().invoke(main, ["build", name, "--dry-run", "--device", "cuda"])
    assert done.exit_code == 0, done.output
    assert "training" in done.stdout
    assert "M2" in done.stdout


def test_corpus_of_ones_own() -> None:
    recipe = load("paper_gzip_256", "25m", "corpus.train=/data/c4/c4-train.*.json.gz")
    assert recipe.corpus.reader.config.train == ("/data/c4/c4-train.*.json.gz",)
