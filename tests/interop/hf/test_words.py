"""Ids that are put together from words that were met before are those of the levels."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stackc
from recipes_of_tests import HEAD, TEXT, bpe, corpus, words_of
from stackc.api import WORD_RULE

pytest.importorskip("transformers", reason="needs the extra hf")

from stackc.coding.level import Level
from stackc.hf import StackTokenizer
from stackc.interop.hf import words
from stackc.interop.hf.coding import encode_batch
from stackc.interop.hf.words import WordMemory, word_rule

PARTS = [
    " truth",
    "truth",
    " of",
    " ",
    "   ",
    "\n",
    "\t",
    "'s",
    "'ll",
    "'",
    " don't",
    "3.14",
    "é",
    " 東京",
    "\0",
    "--",
    "A'",
]


def built(folder: Path, windowings: tuple[str, ...], coder: str) -> Path:
    corpus(folder)
    levels = "".join(
        f'[[level]]\nname = "M{i + 1}"\n[level.model]\nbackend = "counted"\n[level.windowing]\n{windowing}\n'
        f'[level.coder]\nkind = "{coder}"\nvocabulary = {600 + 200 * i}\n'
        for i, windowing in enumerate(windowings)
    )
    top = f'[top]\nname = "M{len(windowings) + 1}"\n[top.model]\nbackend = "unigram"\n'
    (folder / "recipe.toml").write_text(HEAD.format(name="words", segment=400) + levels + top)
    stackc.build(folder / "recipe.toml", folder / "stack")
    return folder / "stack"


@pytest.fixture(scope="module", params=["lexicon", "tunstall"])
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two levels of words, the windows of the first of no more than five bytes, which cut long words."""
    return built(tmp_path_factory.mktemp("words"), ('kind = "words"\nsymbols = 5', 'kind = "words"'), request.param)


@pytest.fixture(scope="module", params=["phrases", "phrases, longest", "bpe"])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A level whose windows are segments, and whose coder keeps to words."""
    if request.param == "bpe":
        pytest.importorskip("tokenizers", reason="needs the extra bpe")
    folder = tmp_path_factory.mktemp("whole")
    corpus(folder)
    (folder / "recipe.toml").write_text(bpe(400) if request.param == "bpe" else words_of(request.param))
    stackc.build(folder / "recipe.toml", folder / "stack")
    return folder / "stack"


def test_coders_of_words_too(whole: Path) -> None:
    check_ids(whole, 1)


@pytest.mark.parametrize("depth", [1, 2])
def test_ids_are_those_of_the_levels(stack: Path, depth: int) -> None:
    check_ids(stack, depth)


def check_ids(stack: Path, depth: int) -> None:
    levels = stackc.load(stack).levels[:depth]
    rule = word_rule(levels)
    assert rule is not None
    memory = WordMemory(levels, rule)

    @settings(deadline=None, max_examples=60)
    @given(st.lists(st.one_of(st.lists(st.sampled_from(PARTS)).map("".join), st.text(max_size=9)), max_size=4))
    def check(given_texts: list[str]) -> None:
        texts = [text.encode() for text in given_texts]
        batch = encode_batch(levels, texts)
        tokens, bounds = batch.tokens.tolist(), batch.offsets.tolist()
        expected = [tokens[low:high] for low, high in itertools.pairwise(bounds)]
        assert memory.ids(texts) == expected  # learnt, or partly
        assert memory.ids(texts) == expected  # from memory

    check()


def test_a_known_text_asks_no_level(stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = StackTokenizer.from_stack(stack)
    text, middle = TEXT[:200], TEXT.index(" acknowledged")
    first = tokenizer(text).input_ids
    monkeypatch.setattr(Level, "encode", None)
    assert tokenizer(text).input_ids == first
    halves = tokenizer([text[:middle], text[middle:]]).input_ids
    assert halves[0] + halves[1] == first


def test_long_texts_go_through_the_levels(stack: Path) -> None:
    levels = stackc.load(stack).levels
    memory = WordMemory(levels, word_rule(levels) or "")
    assert memory.ids([b"a" * 400]) is not None
    assert memory.ids([b"a" * 401]) is None  # a segment has 400 bytes


def test_memory_is_bounded(stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "MOST", 20)
    levels = stackc.load(stack).levels
    memory = WordMemory(levels, word_rule(levels) or "")
    rng = np.random.default_rng(7)
    for _ in range(20):
        text = (
            " ".join("".join(rng.choice(list("abcdef"), 1 + int(rng.integers(8)))) for _ in range(9)) + " " + "x" * 70
        )
        expected = encode_batch(levels, [text.encode()]).tokens.tolist()
        assert memory.ids([text.encode()]) == [expected]
        assert len(memory._known) <= 20
        assert max(map(len, memory._known)) <= words.LONGEST


@pytest.mark.parametrize(
    "windowings",
    [('kind = "words"', 'kind = "words"\nwords = 2'), ('kind = "words"\nwords = 2',)],
)
def test_windows_of_anything_else_have_none(tmp_path: Path, windowings: tuple[str, ...]) -> None:
    assert word_rule(stackc.load(built(tmp_path, windowings, "tunstall")).levels) is None


def test_a_contraction_is_learnt_where_it_stands(stack: Path) -> None:
    levels = stackc.load(stack).levels
    rule = word_rule(levels) or ""
    assert re.findall(rule, "it's") != re.findall(rule, "it") + re.findall(rule, "'s")
    memory = WordMemory(levels, rule)
    for text in (b"it's", b"'s", b"s", b"it's 's"):
        assert memory.ids([text]) == [encode_batch(levels, [text]).tokens.tolist()]


GROUPED = WORD_RULE.replace("(?:[sSdDmMtT]|", "([sSdDmMtT]|").replace("| ?[0-9]+", "|( )?[0-9]+")


@pytest.mark.parametrize("rule", [GROUPED, WORD_RULE.replace(r"|[\n\r]+", "")])
def test_a_rule_may_have_groups_or_leave_something_out(stack: Path, rule: str) -> None:
    """`findall` gives the groups in the place of the matches."""
    levels = stackc.load(stack).levels
    memory = WordMemory(levels, rule)
    for text in (TEXT[:90].encode(), b"it's a lie", b"a wife 12 1", b"It is a\n truth", b"a wife", b""):
        for _ in range(2):
            whole = b"\n" not in text or rule == GROUPED
            assert memory.ids([text]) == ([encode_batch(levels, [text]).tokens.tolist()] if whole else None)
