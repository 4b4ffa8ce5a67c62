"""Windows of several words at two levels, one above the other: each goes back to a word end of the text."""

from __future__ import annotations

import re

import numpy as np
import pytest

import stackc
from recipes_of_tests import HEAD, TEXT, corpus
from stackc.api import WORD_RULE


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> stackc.Stack:
    folder = tmp_path_factory.mktemp("several")
    corpus(folder)
    levels = "".join(
        f'[[level]]\nname = "{name}"\n[level.model]\nbackend = "counted"\n[level.windowing]\nkind = "words"\n'
        f'words = {words}\n[level.coder]\nkind = "tunstall"\nvocabulary = {vocabulary}\n'
        for name, words, vocabulary in (("M1", 2, 700), ("M2", 4, 1200))
    )
    top = '[top]\nname = "M3"\n[top.model]\nbackend = "unigram"\n'
    (folder / "recipe.toml").write_text(HEAD.format(name="several", segment=400) + levels + top)
    stackc.build(folder / "recipe.toml", folder / "stack")
    return stackc.load(folder / "stack")


def random_texts() -> list[bytes]:
    rng = np.random.default_rng(5)
    parts = [*TEXT.encode().split(b" "), b"", b" ", b"  ", b"\n", b"'s", b"don't", b"3.14", b"\xc3\xa9", b"\xff", b"\0"]
    picked = [rng.integers(0, len(parts), int(size)) for size in rng.integers(0, 30, 150)]
    return [b" ".join(parts[i] for i in some) for some in picked]


def test_any_text_comes_back(stack: stackc.Stack) -> None:
    for text in random_texts():
        for level in ("M1", "M2"):
            assert stack.decode(stack.encode(text, level=level), level=level) == text


@pytest.mark.parametrize(("level", "most"), [("M1", 2), ("M2", 4)])
def test_windows_end_at_word_ends(stack: stackc.Stack, level: str, most: int) -> None:
    """Unless they end inside the word that they began in, or a text of the level below does not end at a border."""
    text = TEXT.encode()[:390]
    borders = {match.end() for match in re.finditer(WORD_RULE, text.decode("latin-1"))} | {0}
    at, several, inside = 0, 0, 0
    for token in stack.encode(text, level=level).tolist():
        end = at + len(stack.decode(np.array([token]), level=level))
        passed = sum(at < border < end for border in borders)
        assert passed < most or level == "M2"  # a symbol that holds a word start inside starts the count again
        several += passed > 0 and end in borders
        inside += end not in borders
        assert end in borders or not passed or level == "M2"
        at = end
    assert at == len(text)
    assert several, "no window holds several words"
    assert inside < several
