"""Windows over the texts of symbols: cut before a symbol whose text begins at a border, and at no other place."""

from __future__ import annotations

import itertools
import re
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stackc
from stackc.api import CUT, WORD_RULE, CodingError, SymbolTexts, Windowing, offsets_of
from stackc.api.errors import RecipeError, StackcError
from stackc.coding.borders import table_starts
from stackc.coding.over_texts import over_texts
from stackc.coding.spec import LevelSpec
from stackc.coding.texts import symbol_texts
from stackc.parts.registry import registry
from stackc.recipe import load_recipe
from stackc.stack.opening import open_level
from stackc.stack.runtime import Runtime
from stackc_coders import ArithmeticConfig
from stackc_coders.arithmetic import ArithmeticCoder

PIECES = [b"", b"a", b" ", b" th", b"e", b"'", b"s", b" b c", b".", b"\n", b"l", b"1", b" '", b"\xc3"]


def words() -> Windowing:
    part = registry().get("windowing", "words")
    windowing: Windowing = part.factory(part.config(bits=40))
    return windowing


def of(pieces: list[bytes]) -> SymbolTexts:
    data = np.frombuffer(b"".join(pieces), np.uint8)
    return SymbolTexts(data=data, offsets=offsets_of(list(map(len, pieces))))


OVER = over_texts(words(), of(PIECES))


def starts(windowing: Windowing, symbols: list[int]) -> set[int]:
    array = np.array(symbols, np.int64)
    assert windowing.table is not None
    assert windowing.cuts is not None
    made = table_starts(array, np.array([0, len(array)]), windowing.table, windowing.cuts(array), len(array) + 1)
    return set(np.flatnonzero(made).tolist())


@settings(deadline=None)  # the first example compiles
@given(st.lists(st.integers(1, len(PIECES) - 1), max_size=12))
def test_windows_start_at_borders_of_the_text_that_symbols_begin_at(symbols: list[int]) -> None:
    text = b"".join(PIECES[s] for s in symbols).decode("latin-1")
    borders = {match.start() for match in re.finditer(WORD_RULE, text)}
    places = offsets_of([len(PIECES[s]) for s in symbols]).tolist()
    assert starts(OVER, symbols) == {i for i in range(len(symbols)) if places[i] in borders}


def test_a_symbol_without_a_text_changes_nothing() -> None:
    assert OVER.table is not None
    assert OVER.table[:, 0].tolist() == list(range(len(OVER.table)))
    assert starts(OVER, [0, 1, 0, 4, 2, 0]) == {0, 4}
    assert starts(OVER, [0, 0]) == {0}


def test_what_only_the_encoder_knows_of_the_inside_of_a_text_is_not_in_the_table() -> None:
    over = over_texts(words(), of([b"  ", b"l", b" l"]))
    assert starts(over, [0, 1, 2]) == {0, 1, 2}, "the last blank is the word's, and cannot be cut off"


def test_a_table_of_bytes_is_refused_where_symbols_are_not_bytes() -> None:
    with pytest.raises(CodingError, match="a table of cuts for 256 symbols, and the level reads 300"):
        LevelSpec(name="M2", alphabet=300, segment=10, windowing=words(), coder=ArithmeticCoder(), token_bits=8)


LEVEL = """
[[level]]
[level.model]
backend = "counted"
order = 1
[level.windowing]
kind = "words"
[level.coder]
kind = "tunstall"
vocabulary = {size}
"""


def recipe(folder: Path, levels: str) -> Path:
    text = b"the cat's friends saw it: the cat sat, 42 times.\n  don't say so again, friends\n" * 30
    (folder / "text.txt").write_bytes(text)
    path = folder / "recipe.toml"
    path.write_text(
        '[stack]\nname = "two"\n[corpus]\nreader = "text"\ntrain = "text.txt"\ntest = "text.txt"\nsegment = 300\n'
        f'{levels}\n[top]\n[top.model]\nbackend = "unigram"\n'
    )
    return path


def test_a_second_level_of_words_is_built_and_decodes(tmp_path: Path) -> None:
    path = recipe(tmp_path, LEVEL.format(size=290) + LEVEL.format(size=400))
    stack = stackc.build(path, tmp_path / "stack")
    low, high = stack.levels
    assert high.spec.windowing.table is not None
    assert high.spec.windowing.table.shape[1] == 290
    text = np.frombuffer((tmp_path / "text.txt").read_bytes()[:250], np.uint8)
    coded = low.encode(text)
    over = high.encode(coded.tokens)
    assert len(over.tokens) < len(coded.tokens)
    assert high.decode(over.tokens).symbols.tolist() == coded.tokens.tolist()
    for wrong in (290, -1):
        with pytest.raises(CodingError, match=r"^M2: a symbol outside its alphabet of 290$"):
            high.encode(np.array([5, wrong]))
    texts = symbol_texts(stack.levels)
    assert texts is not None
    borders = {match.start() for match in re.finditer(WORD_RULE, text.tobytes().decode("latin-1"))}
    assert borders <= set(itertools.accumulate((len(texts[token]) for token in over.tokens.tolist()), initial=0))
    assert any(table_cut(high.spec.windowing.table, 290))
    with pytest.raises(StackcError, match="M2: windowing 'words' cuts the texts of symbols, and the symbols that it"):
        open_level(
            stack.recipe.levels[1],
            stack.folder / "M2",
            300,
            Runtime(),
            compiled=True,
            below=lambda: [types.SimpleNamespace(window_tokens=2)],  # type: ignore[list-item]
        )


def table_cut(table: Any, alphabet: int) -> list[bool]:
    return [bool((table[:, symbol] == CUT).any()) for symbol in range(alphabet)]


def test_a_level_whose_symbols_have_no_texts_is_refused_in_the_recipe(tmp_path: Path) -> None:
    wide = LEVEL.format(size=290).replace('kind = "words"', 'kind = "equal-info"\nbits = 24')
    wide = wide.replace('kind = "tunstall"\nvocabulary = 290', 'kind = "arithmetic"\n[level.tokens]\nbits = 8')
    with pytest.raises(RecipeError) as caught:
        load_recipe(recipe(tmp_path, wide + LEVEL.format(size=400)))
    assert (
        "level.2.windowing.kind: 'words' cuts the texts of symbols, and the symbols that M2 reads have none: M1 has "
        "3 tokens per window; use 'equal-info' here" in str(caught.value)
    )


def test_tokens_are_no_bytes_though_they_are_256() -> None:
    """Byte 255 - t for each token t: words must be looked for in the texts, not in the numbers."""
    text = np.frombuffer(b"It's so,  2 cats: \xc3\xa9t\xc3\xa9 \nand 'tis.", np.uint8)
    sizes: dict[str, Any] = {"segment": 100, "coder": ArithmeticCoder(), "flags": ArithmeticConfig(), "token_bits": 8}
    over = over_texts(words(), of([bytes([255 - token]) for token in range(256)]))
    spec = LevelSpec(name="M2", alphabet=256, windowing=over, reads_bytes=False, **sizes)
    own = LevelSpec(name="M1", alphabet=256, windowing=words(), **sizes)
    bounds = np.array([0, len(text)])
    assert own.has_word_rule
    assert spec.cut_bounds(255 - text, bounds).tolist() == own.cut_bounds(text, bounds).tolist()
