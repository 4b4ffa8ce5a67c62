"""Parts and settings that do not work together are problems of the recipe, all reported at once."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

from recipe_toys import PARTS
from stackc.api import RecipeError
from stackc.recipe import recipe_from_dict


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
