"""Levels whose coder is fitted under the level's frozen model: their stages, and what they leave."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import stackc
from recipes_of_tests import TINY_MODEL, TINY_TRAIN, corpus, lexicons
from stackc.cli import main
from stackc.pipeline.plan import plan
from stackc.recipe import load_recipe
from stackc.stack.runtime import Runtime


def build(folder: Path, text: str) -> stackc.Stack:
    (folder / "recipe.toml").write_text(text)
    stackc.build(folder / "recipe.toml", folder / "stack")
    return stackc.load(folder / "stack")


def times(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in sorted(folder.rglob("*.safetensors"))}


def test_two_levels_come_back_and_are_reused(tmp_path: Path) -> None:
    corpus(tmp_path)
    stack = build(tmp_path, lexicons())
    text = b"the feelings of a man  on his\n\xff\x00entering, naturally."
    for level in (None, "M1"):
        assert stack.decode(stack.encode(text, level=level), level=level) == text
    assert [level.dictionary for level in stack.levels] == [None, None]
    assert [level.portability for level in stack.levels] == ["portable", "portable"]
    shown = CliRunner().invoke(main, ["inspect", str(tmp_path / "stack")]).output
    assert shown.count("codes by   its coder alone; portable") == 2, "no model runs"
    before = times(tmp_path / "stack")
    build(tmp_path, lexicons())
    assert times(tmp_path / "stack") == before
    build(tmp_path, lexicons(proposals=2).replace("vocabulary = 300", "vocabulary = 310"))
    changed = {name for name, time in times(tmp_path / "stack").items() if before.get(name) != time}
    assert "M1/coder/lexicon.safetensors" in changed
    assert not any(name.startswith(("M1/model", "M1/frozen", "corpus")) for name in changed), "the model is the same"


def test_the_model_comes_first(tmp_path: Path) -> None:
    corpus(tmp_path)
    (tmp_path / "recipe.toml").write_text(lexicons())
    recipe = load_recipe(tmp_path / "recipe.toml")
    names = [stage.name for stage in plan(recipe, Runtime.of(recipe.run)) if stage.name.startswith("M1/")]
    assert names[:4] == ["M1/counts", "M1/model", "M1/frozen", "M1/coder"]


def test_no_piece_crosses_a_border_of_words(tmp_path: Path) -> None:
    corpus(tmp_path)
    stack = build(tmp_path, lexicons())
    tokens = stack.encode(b"of a man, of a man", level="M2")
    texts = [stack.decode(np.array([token]), level="M2") for token in tokens.tolist()]
    assert not any(b" " in text[1:] for text in texts)
    assert b"".join(texts) == b"of a man, of a man"
    assert b" a" in texts


def test_a_network_is_trained_before_the_texts_exist(tmp_path: Path) -> None:
    """Its training restarts contexts where windows start, which no table of the coder decides."""
    corpus(tmp_path)
    trained = f"[level.model]\n{TINY_MODEL}[level.train]\n" + TINY_TRAIN.format(steps=6)
    text = lexicons().replace('[level.model]\nbackend = "counted"\n', trained)
    stack = build(tmp_path, text)
    assert stack.decode(stack.encode(b"a single man")) == b"a single man"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('[level.model]\nbackend = "counted"\n', ""), "coder 'lexicon' codes under a model"),
        (('kind = "words"\n', 'kind = "words"\nbits = 12\n'), "coder 'lexicon' cannot keep to the 12 bits"),
        (("vocabulary = 340", "vocabulary = 300"), "300 is too small for 300 symbols and a text"),
        (("proposals = 4", "proposals = 0"), "proposals"),
        (("proposals", "proposal"), "proposals"),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    corpus(tmp_path)
    (tmp_path / "recipe.toml").write_text(lexicons().replace(*change))
    with pytest.raises(stackc.RecipeError) as caught:
        load_recipe(tmp_path / "recipe.toml")
    assert any(said in problem and "\n" not in problem for problem in caught.value.problems), caught.value.problems
