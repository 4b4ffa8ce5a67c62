"""The windowing `words`: its rule on real and hostile bytes, the same cuts on every route, what its texts cannot be."""

from __future__ import annotations

import itertools
import lzma
import re
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackc.api import CUT, WORD_RULE, CodingError, Windowing, normalise
from stackc.coding.borders import table_starts, word_starts
from stackc.coding.level import Level
from stackc.coding.routes import why_not_compiled
from stackc.coding.spec import LevelSpec
from stackc.parts.registry import registry
from stackc.pipeline.compiling import compiled
from stackc.testing.driving import TablePredictor
from stackc.testing.tables import cut_place
from stackc_windows.look_ahead import LookAhead
from stackc_windows.words import word_table, words_table
from toys import StepOnly, ToyPredictor

TEXT = "The cat's 2 naïve friends\n\n  saw_it:  señor 'tis we'll, 42.5%! don't\t\tsay so, I'd\n".encode() * 4
PIECES = [b" ", b" ", b"'", b"s", b"l", b"L", b"e", b"E", b"v", b"x", b"1", b"\n", b"\r", b"\t", b"!", b"\x80", b"\x00"]
hostile = st.lists(st.sampled_from(PIECES), max_size=14).map(b"".join)
TABLE, LOOK_AHEAD = word_table(), LookAhead()


def words(data: bytes) -> list[bytes]:
    """By the regular expression."""
    found = [match[0].encode("latin-1") for match in re.finditer(WORD_RULE, data.decode("latin-1"))]
    assert b"".join(found) == data, "the words cover the text"
    return found


def starts(data: bytes) -> list[int]:
    """By the table and the look ahead."""
    symbols = np.frombuffer(data, np.uint8)
    edges = np.array([0, len(symbols)])
    return np.flatnonzero(table_starts(symbols, edges, TABLE, LOOK_AHEAD(symbols), len(data) + 1)).tolist()


def by_rule(data: bytes) -> list[int]:
    return [0, *itertools.accumulate(map(len, words(data)))][:-1] if data else []


def make(
    predictor: Any, name: str = "arithmetic", lanes: int = 3, coder: dict[str, Any] | None = None, **fields: Any
) -> Level:
    part = registry().get("windowing", "words")
    windowing: Windowing = part.factory(part.config(**fields))
    chosen = registry().get("coder", name)
    config = chosen.config(**(coder or {}))
    vocabulary = getattr(config, "vocabulary", None)
    return Level(
        LevelSpec(
            name="M1",
            alphabet=256,
            segment=70,
            windowing=windowing,
            coder=chosen.factory(config),
            flags=config,
            token_bits=6 if vocabulary is None else (vocabulary - 1).bit_length(),
            vocabulary=vocabulary,
            load_predictor=lambda: predictor,
            lanes=lanes,
        )
    )


def as_dictionary(level: Level) -> Level:
    return Level(level.spec, compiled(level.spec))


def test_what_a_word_is() -> None:
    assert words(b"The cat's  2 cats, 42.5%\n\n\t'tis") == [
        b"The", b" cat", b"'s", b" ", b" 2", b" cats", b",", b" 42", b".", b"5", b"%", b"\n\n", b"\t", b"'", b"tis"
    ]  # fmt: skip
    assert words("l'homme n\u00e9 we'll WE'LL x'lx".encode()) == [
        b"l", b"'", b"homme", " n\u00e9".encode(), b" we", b"'ll", b" WE", b"'LL", b" x", b"'", b"lx"
    ]  # fmt: skip


@settings(deadline=None)  # the first example compiles
@given(st.one_of(hostile, st.binary(max_size=60)))
def test_the_table_finds_what_the_rule_says(data: bytes) -> None:
    assert starts(data) == by_rule(data)


@settings(deadline=None)  # the first example compiles
@given(hostile)
def test_a_word_ends_alike_wherever_a_window_in_it_starts(data: bytes) -> None:
    """A window that is full, or whose next symbol does not fit, leaves the rest of a word: it ends with the word."""
    ends = [*by_rule(data), len(data)]
    symbols, forced = np.frombuffer(data, np.uint8), LOOK_AHEAD(np.frombuffer(data, np.uint8))
    for start in range(len(data)):
        state, at = int(TABLE[0, symbols[start]]), start + 1
        while at < len(data) and not forced[at] and TABLE[state, symbols[at]] != CUT:
            state, at = int(TABLE[state, symbols[at]]), at + 1
        assert at == min(end for end in ends if end > start)


@settings(deadline=None)  # the first example compiles
@given(
    st.one_of(hostile, st.binary(max_size=60)).filter(len), st.integers(1, 20), st.integers(1, 40), st.integers(0, 5)
)
def test_words_that_are_found_at_once_start_where_table_and_look_ahead_say(
    data: bytes, budget: int, segment: int, before: int
) -> None:
    symbols = np.frombuffer(data, np.uint8)
    edges = np.array([*range(min(before, len(data) - 1), len(data), segment), len(data)])
    expected = table_starts(symbols, edges, TABLE, LOOK_AHEAD.of_segments(symbols, edges), budget)
    for kind in (np.uint8, np.int64):
        assert word_starts(symbols.astype(kind), edges, budget).tolist() == expected.tolist()


def test_real_text_is_cut_as_the_rule_says() -> None:
    data = lzma.decompress((Path(__file__).parents[3] / "recipes/data/smoke_test.txt.xz").read_bytes())[:50_000]
    assert starts(data) == by_rule(data)
    assert 4 < len(data) / len(starts(data)) < 5


@pytest.mark.parametrize("context", ["window", "segment"])
@pytest.mark.parametrize("fields", [{"bits": 12}, {"bits": 60}, {"bits": 12, "symbols": 3}, {"bits": None}])
def test_every_route_cuts_alike(fields: dict[str, Any], context: str) -> None:
    symbols = np.frombuffer(TEXT, np.uint8)
    model = ToyPredictor(256, order=1)
    expected = make(model, context=context, **fields).encode(symbols)
    levels = [make(model, lanes=1, context=context, **fields), make(StepOnly(256, order=1), context=context, **fields)]
    if fields["bits"] == 12 and context == "window":
        assert why_not_compiled(levels[0].spec, model) is None
        levels.append(as_dictionary(levels[0]))
    for level in levels:
        coded = level.encode(symbols)
        assert coded.tokens.tolist() == expected.tokens.tolist()
        assert coded.starts.tolist() == expected.starts.tolist()
        assert level.decode(coded.tokens).symbols.astype(np.uint8).tobytes() == TEXT
    forced = {first + at for first in range(0, len(TEXT), 70) for at in by_rule(TEXT[first : first + 70])}
    assert forced <= set(expected.starts.tolist()), "no window holds more than a word"
    if fields["bits"] is None:
        assert forced == set(expected.starts.tolist())


@pytest.mark.parametrize("bits", [12, 18])
def test_no_code_names_what_is_not_in_a_word(bits: int) -> None:
    level = as_dictionary(make(ToyPredictor(256, order=1), bits=bits, symbols=5, lanes=64))
    dictionary = level.dictionary
    assert dictionary is not None
    assert len(dictionary) == 1 << bits
    assert all(cut_place(TABLE, dictionary.text(code)) is None for code in range(len(dictionary)))
    contraction = [code for code in range(1 << bits) if bytes(dictionary.text(code)) == b"'s"]
    assert len({int(dictionary.canonical[code]) for code in contraction}) <= 1, "codes left over name it again"


def test_dictionary_coders_list_words_and_their_beginnings() -> None:
    model = ToyPredictor(256, order=1, sharpness=4.0)
    level = as_dictionary(make(model, "tunstall", coder={"vocabulary": 700}, lanes=32))
    assert level.dictionary is not None
    texts = [bytes(level.dictionary.text(code)) for code in range(1, len(level.dictionary))]
    assert all(len(words(text)) == 1 or text[:1] == b"'" for text in texts)
    symbols = np.frombuffer(TEXT, np.uint8)
    coded = level.encode(symbols)
    assert level.decode(coded.tokens).symbols.tobytes() == TEXT
    forced = {first + at for first in range(0, len(TEXT), 70) for at in by_rule(TEXT[first : first + 70])}
    assert forced <= set(coded.starts.tolist())


def test_a_dictionary_coder_that_does_not_know_of_tables_is_refused() -> None:
    spec = make(ToyPredictor(256, order=1), "tunstall", coder={"vocabulary": 700}).spec

    class Flags:
        budget, ends, total, needs_model = False, True, True, True

    with pytest.raises(CodingError, match="does not declare that it obeys a table of cuts"):
        spec.changed(flags=Flags())


def test_the_tokens_of_a_prompt_begin_those_of_prompt_and_answer() -> None:
    """Wherever a word follows a blank, the prompt's last window ends before the blank, with and without the answer."""
    data = lzma.decompress((Path(__file__).parents[3] / "recipes/data/smoke_test.txt.xz").read_bytes())
    level = as_dictionary(
        make(ToyPredictor(256, order=1, sharpness=4.0), "tunstall", coder={"vocabulary": 700}, lanes=32)
    )
    level = Level(level.spec.changed(segment=10_240), level.dictionary)
    blanks = [i for i in range(100, len(data) - 32) if data[i] == 32 != data[i - 1]]
    rng, kept, after = np.random.default_rng(1), 0, 0
    places = rng.choice(blanks, 2000, replace=False).tolist()
    for place in places:
        prompt, answer = data[place - 96 : place], data[place : place + 32]
        asked = prompt + b"\nAnswer:"
        for text in (prompt, asked):
            alone, whole = (level.encode(np.frombuffer(one, np.uint8)).tokens for one in (text, text + answer))
            same = np.array_equal(whole[: len(alone)], alone)
            kept, after = kept + (same and text is prompt), after + (same and text is asked)
    assert kept >= 0.96 * len(places)
    assert after >= 0.99 * len(places)


# -- windows of several words


def followers() -> TablePredictor:
    """A model of what follows each byte of `TEXT`, which makes windows longer than words."""
    counts = np.zeros((257, 256), np.int64)
    data = np.frombuffer(TEXT, np.uint8).astype(np.int64)
    np.add.at(counts, (0, data), 1000)
    np.add.at(counts, (1 + data[:-1], data[1:]), 1000)
    return TablePredictor(normalise(counts))


def retreated(level: Level, data: bytes, limit: int) -> list[int]:
    """Where windows start, by trying every text of the dictionary: the longest, taken back to its last word end."""
    assert level.dictionary is not None
    texts = {bytes(level.dictionary.text(code)) for code in range(len(level.dictionary))}
    found = []
    for first in range(0, len(data), limit):
        part = data[first : first + limit]
        borders, at = {*by_rule(part), len(part)}, 0
        while at < len(part):
            found.append(first + at)
            longest = next(end for end in range(len(part), at, -1) if part[at:end] in texts)
            inside = [end for end in borders if at < end <= longest]
            at = max(inside) if inside else longest
    return found


@pytest.mark.parametrize("coder", [("arithmetic", {"bits": 18}, {}), ("tunstall", {}, {"vocabulary": 900})])
@pytest.mark.parametrize("words", [2, 3])
def test_windows_of_several_words_end_at_a_word_end(coder: Any, words: int) -> None:
    name, fields, config = coder
    model = followers()
    level = as_dictionary(make(model, name, coder=config, words=words, symbols=12, **fields))
    symbols = np.frombuffer(TEXT, np.uint8)
    coded = level.encode(symbols)
    assert level.decode(coded.tokens).symbols.tobytes() == TEXT
    assert coded.starts.tolist() == retreated(level, TEXT, 70)
    if name == "arithmetic":
        for lanes in (1, 5):
            stepped = make(model, name, lanes=lanes, words=words, symbols=12, **fields).encode(symbols)
            assert stepped.tokens.tolist() == coded.tokens.tolist()
            assert stepped.starts.tolist() == coded.starts.tolist()
    without = level.spec.changed(windowing=attrs.evolve(level.spec.windowing, borders=None))
    assert Level(without, level.dictionary).encode(symbols).starts.tolist() != coded.starts.tolist()
    many = words_table(words)
    assert level.dictionary is not None
    assert all(cut_place(many, level.dictionary.text(code)) is None for code in range(len(level.dictionary)))


def test_windows_of_several_words_without_a_budget_hold_that_many() -> None:
    level = make(ToyPredictor(256, order=1), bits=None, words=2)
    level = Level(level.spec.changed(segment=len(TEXT)))
    found = level.encode(np.frombuffer(TEXT, np.uint8)).starts.tolist()
    assert set(found) <= set(by_rule(TEXT))
    assert len(found) < 0.6 * len(by_rule(TEXT))
