"""Added tokens are found where the base class finds them."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

transformers = pytest.importorskip("transformers", reason="needs the extra hf")

from stackc.hf import StackTokenizer  # noqa: E402

FLAGS = ("lstrip", "rstrip", "single_word")


def test_an_added_token_takes_no_text_away(stack: Path) -> None:
    own = StackTokenizer.from_stack(stack)
    assert own.add_tokens(["e"]) == 1
    assert own.convert_tokens_to_ids("e") == own.vocab_size + 2
    assert own("tell").input_ids.count(own.vocab_size + 2) == 1
    assert own.decode(own("tell").input_ids) == "tell"
    assert len(own.get_vocab()) == len(own)


def flagged(content: str, flags: int, **more: Any) -> Any:
    return transformers.AddedToken(content, **{flag: bool(flags >> i & 1) for i, flag in enumerate(FLAGS)}, **more)


ADDED = [flagged(f"<{flags}>", flags) for flags in range(8)]
ADDED += [flagged(" y ", 7), flagged("ab", 4), flagged("<1><2>", 5, normalized=True)]
BLANKS = [" ", "  ", "\n", "\t ", "\u3000", "\x1c"]
TEXTS = st.lists(
    st.sampled_from([*map(str, ADDED), *BLANKS, "a", "b", "é", "\U0001f600", "<", "<|endoftext|>"]), max_size=12
).map("".join)


@pytest.fixture(scope="module")
def adding(stack: Path) -> StackTokenizer:
    own = StackTokenizer.from_stack(stack)
    own.add_tokens(ADDED)
    return own


def test_they_are_found_as_by_byt5(adding: StackTokenizer) -> None:
    marks = {
        f"{name}_token": transformers.AddedToken(mark) for name, mark in (("eos", "<|endoftext|>"), ("pad", "<|pad|>"))
    }
    theirs = transformers.ByT5Tokenizer(extra_ids=0, **marks)
    theirs.add_tokens(ADDED)

    def runs(text: str) -> list[bytes | str]:
        """The text between added tokens in bytes, and they as they are."""
        out: list[bytes | str] = []
        for plain, group in groupby(adding(text).input_ids, lambda one: one < adding.vocab_size):
            tokens = list(group)
            out += [adding.decode(tokens).encode()] if plain else adding.convert_ids_to_tokens(tokens)
        return out

    def wanted(text: str) -> list[bytes | str]:
        out: list[bytes | str] = []
        for plain, group in groupby(theirs.tokenize(text), lambda one: len(one) == 1):
            tokens = list(group)
            out += [bytes(map(ord, tokens))] if plain else tokens
        return out

    @settings(deadline=None, derandomize=True, max_examples=200)
    @given(TEXTS)
    def check(text: str) -> None:
        assert runs(text) == wanted(text)
        assert adding.convert_tokens_to_ids(adding.tokenize(text)) == adding(text).input_ids

    check()
    assert wanted("a <7> é") == [b"a", "<7>", "é".encode()]
    assert wanted("a<4> b") == [b"a<4> b"]
    assert adding("a<4> b").input_ids == adding("a<4> b", split_special_tokens=True).input_ids  # text of one piece


def test_offsets_count_the_blanks_that_were_taken(adding: StackTokenizer) -> None:
    @settings(deadline=None, derandomize=True, max_examples=100)
    @given(TEXTS)
    def check(text: str) -> None:
        made = adding(text, return_offsets_mapping=True)
        at = 0
        for number, (low, high) in zip(made.input_ids, made.offset_mapping, strict=True):
            if number >= adding.vocab_size:
                assert text[low:high] == adding.decode([number])
            assert low < high
            assert not text[at:low].strip()
            at = max(at, high)
        assert not text[at:].strip()

    check()
    made = adding("é <7>  a", return_offsets_mapping=True)
    assert {(low, high) for low, high in made.offset_mapping if high > 2} == {(2, 5), (7, 8)}
