"""What tokens offer to a model: every figure against its definition, by hand or in plain Python."""

from __future__ import annotations

import io
import itertools
import math

import numpy as np
import pytest
from rich.console import Console

from registered import coder, windowing
from stackc.api import PRECISION, Cost, Int64
from stackc.api.offsets import offsets_of
from stackc.coding.dictionary.dictionary import Dictionary
from stackc.coding.level import Level
from stackc.coding.spec import LevelSpec
from stackc.report.table import print_evaluation
from stackc.stack.evaluate import Evaluation, Measured, evaluate
from stackc.stack.learnability.borders import UNIT, token_places
from stackc.stack.learnability.edits import changed
from stackc.stack.learnability.figures import ALONE, FAST, STEPPED
from stackc.stack.learnability.positions import by_position
from stackc.stack.learnability.words import word_bounds, words_cut_alike
from toys import StepOnly, ToyPredictor

NAMES = {
    "edit_places", "tokens_per_substitution", "tokens_per_insertion", "tokens_per_deletion", "words_cut_alike",
    "prefix_places", "prefix_before_blank", "first_blank_places", "prefix_before_first_blank",
    "prefix_after_answer", "codes_used_train", "codes_used_test",
}  # fmt: skip
"""What other programs read; no name changes."""


def of_texts(*longer: bytes) -> Level:
    """A level whose texts are all bytes and these, of two bytes each: it takes the longest that fits."""
    texts = sorted([bytes([byte]) for byte in range(256)] + list(longer))
    code = {text: number for number, text in enumerate([b"", *texts])}
    parent = [-1] + [code[text[:-1]] for text in texts]
    symbol = [-1] + [text[-1] for text in texts]
    spec = LevelSpec(
        name="M1",
        alphabet=256,
        segment=10_240,
        windowing=windowing("longest"),
        **coder("arithmetic"),
        token_bits=9,
        vocabulary=len(parent),
        load_predictor=lambda: ToyPredictor(256, order=0),
    )
    return Level(spec, Dictionary(np.array(parent, np.int32), np.array(symbol, np.int32), 256))


def stepped(name: str, alphabet: int, bits: int, token_bits: int, model: ToyPredictor) -> Level:
    return Level(
        LevelSpec(
            name=name,
            alphabet=alphabet,
            segment=512,
            windowing=windowing("equal-info", bits=bits),
            **coder("arithmetic"),
            token_bits=token_bits,
            load_predictor=lambda: model,
        )
    )


def measured(level: Level | None, name: str, alphabet: int, model: ToyPredictor | None = None) -> Measured:
    counts = np.arange(alphabet) % 3
    load = None if model is None else lambda: model
    cost = None if model is None else Cost(parameters=1)
    return Measured(name=name, alphabet=alphabet, segment=512, counts=counts, cost=cost, load=load, level=level)


def figures(level: Level, *documents: bytes) -> Evaluation:
    top = measured(None, "M2", level.token_alphabet)
    return evaluate([measured(level, "M1", level.alphabet), top], list(documents))


PROSE = b"the rose of the time alone, like the same apple; " * 60


def test_tokens_that_are_bytes_are_as_stable_as_bytes() -> None:
    (row, top) = (one.to_dict() for one in figures(of_texts(), PROSE).levels)
    assert row["tokens_per_substitution"] == row["tokens_per_insertion"] == row["tokens_per_deletion"] == 1.0
    assert row["words_cut_alike"] == row["prefix_before_blank"] == row["prefix_after_answer"] == 1.0
    assert row["codes_used_test"] == len(set(PROSE)) / 257
    assert row["codes_used_train"] == np.count_nonzero(np.arange(257) % 3) / 257
    assert row["edit_places"] == math.ceil(len(PROSE) / 512)
    assert row["prefix_places"] == math.ceil(len(PROSE) / 128)
    assert set(row) >= NAMES
    assert [top[name] for name in NAMES] == [None] * len(NAMES), "a top model writes no tokens"


def test_a_text_that_ends_with_a_blank_breaks_the_prefix_before_it() -> None:
    text = b"some more time alone " * 80  # every blank follows an e
    row = figures(of_texts(b"e "), text).levels[0].learnability
    assert row.prefix_before_blank == 0.0
    assert row.prefix_after_answer == 1.0, "no text ends with a colon and a blank"
    assert figures(of_texts(b": "), text).levels[0].learnability.prefix_after_answer == 0.0
    assert figures(of_texts(b" a"), text).levels[0].learnability.prefix_before_blank == 1.0


def test_places_inside_a_stretch_of_blanks_have_a_figure_without_them() -> None:
    """Two blanks are one token, so a prompt that ends between them has other tokens than with its answer."""
    pair = of_texts(b"  ")
    row = figures(pair, b"one   two\n" * 300).levels[0].learnability
    assert row.prefix_before_first_blank == 1.0
    assert row.first_blank_places is not None
    assert 0 < row.first_blank_places < row.prefix_places
    # Before the first and the third of three blanks the prompt is whole tokens, before the second it is not.
    assert row.first_blank_places / row.prefix_places < row.prefix_before_blank < 1.0
    every = figures(pair, PROSE).levels[0].learnability
    assert every.first_blank_places == every.prefix_places
    assert every.prefix_before_first_blank == every.prefix_before_blank == 1.0
    broken = figures(of_texts(b"e "), b"some more time alone " * 80).levels[0].learnability
    assert broken.prefix_before_first_blank == 0.0, "other failures are not hidden"
    for byte in b"\t", b"\x0b", b"\x0c", b" ":
        inside = figures(pair, b" ".join([b"x", byte, b"y", b""]) * 300).levels[0].learnability
        places = inside.first_blank_places or 0
        assert places < (inside.prefix_places or 0), byte
    ends = figures(pair, b"x\n y" * 300).levels[0].learnability
    assert ends.first_blank_places == ends.prefix_places, "a line's first blank follows no blank"
    none = figures(pair, b"\t x" * 300).levels[0].learnability
    assert (none.first_blank_places, none.prefix_before_first_blank) == (None, None)
    assert none.prefix_before_blank == 1.0


def test_words_are_counted_by_how_they_are_cut() -> None:
    text = b"no on no on re on"
    row = figures(of_texts(b"e ", b"on"), text).levels[0].learnability
    # " on" three times: tokens " " and "on" twice; but where "e " stands before, no token begins at its blank. The
    # first "no" has no blank, so it is another word than " no", and neither occurs twice.
    assert row.words_cut_alike == pytest.approx(2 / 3)


def test_words_have_the_blank_before_and_end_with_their_document() -> None:
    text = np.frombuffer(b"a bb  c4d caf\xc3\xa9\n x" + b"yz", np.uint8)
    offsets = np.array([0, len(text) - 2, len(text)])
    firsts, ends = word_bounds(text, offsets)
    data = text.tobytes()
    found = [data[first:end] for first, end in zip(firsts, ends, strict=True)]
    assert found == [b"a", b" bb", b" c", b"d", b" caf\xc3\xa9", b" x", b"yz"]
    firsts, ends = word_bounds(np.frombuffer(b"a b", np.uint8), np.array([0, 2, 3]))
    assert list(zip(firsts.tolist(), ends.tolist(), strict=True)) == [(0, 1), (2, 3)], "no blank of another document"


def test_no_word_twice_has_no_figure() -> None:
    assert words_cut_alike(np.frombuffer(b"one two", np.uint8), np.array([0, 7]), np.arange(8) * UNIT) is None
    row = figures(of_texts(), b"").levels[0].learnability
    assert (row.edit_places, row.prefix_places, row.words_cut_alike, row.codes_used_test) == (None,) * 4
    assert figures(of_texts(), b"x").levels[0].learnability.edit_places == 1


@pytest.mark.parametrize(
    ("one", "other", "count"),
    [
        ([1, 2, 3], [1, 2, 3], 0),
        ([1, 2, 3], [1, 9, 3], 1),
        ([1, 2, 3], [1, 3], 1),
        ([1, 1, 1], [1, 1], 1),
        ([1, 2, 3, 4], [7, 3, 4], 2),
        ([], [5, 6], 2),
        ([1, 2], [2, 1], 2),
    ],
)
def test_changed_tokens(one: list[int], other: list[int], count: int) -> None:
    assert changed(np.array(one), np.array(other)) == changed(np.array(other), np.array(one)) == count


def edit_distance(one: list[int], other: list[int]) -> int:
    last = list(range(len(other) + 1))
    for i, symbol in enumerate(one):
        row = [i + 1]
        for j, wanted in enumerate(other):
            row.append(min(last[j + 1] + 1, row[j] + 1, last[j] + (symbol != wanted)))
        last = row
    return last[-1]


def test_changed_tokens_are_no_fewer_than_the_edit_distance() -> None:
    random = np.random.default_rng(3)
    for _ in range(200):
        one, other = (random.integers(0, 3, random.integers(0, 9)) for _ in range(2))
        assert changed(one, other) >= edit_distance(one.tolist(), other.tolist())


def test_places_of_two_levels_against_fractions() -> None:
    """Windows of three tokens over windows of two: the places of all of them, as fractions of bytes."""
    low = stepped("M1", 256, 18, 9, ToyPredictor(256, order=0))
    high = stepped("M2", 512, 24, 8, ToyPredictor(512, order=0, seed=2))
    symbols: Int64 = np.random.default_rng(1).integers(0, 256, 700)
    offsets = np.array([0, 300, 700])
    places: Int64 = np.arange(701) * UNIT
    expected = [float(i) for i in range(701)]
    for level, per in (low, 2), (high, 3):
        coded = level.encode(symbols, offsets)
        found = token_places(level, symbols, coded.starts, len(coded.tokens), places)
        assert found is not None
        ends = [*coded.starts.tolist(), len(symbols)]
        made = []
        for start, end in itertools.pairwise(ends):
            first, last = expected[start], expected[end]
            made += [first + (last - first) * i / per for i in range(per)]
        expected = [*made, 700.0]
        assert np.abs(found / UNIT - np.array(expected)).max() < 3 / UNIT
        assert (np.diff(found) >= 0).all()
        symbols, offsets, places = coded.tokens.astype(np.int64), coded.offsets, found


def test_windows_whose_tokens_differ_in_number_have_places_too() -> None:
    model = ToyPredictor(256, order=0)
    level = Level(
        LevelSpec(
            name="M1",
            alphabet=256,
            segment=100,
            windowing=windowing("fixed-token", symbols=7),
            **coder("arithmetic"),
            token_bits=8,
            load_predictor=lambda: model,
        )
    )
    symbols = np.random.default_rng(2).integers(0, 256, 150)
    coded = level.encode(symbols)
    places = token_places(level, symbols, coded.starts, len(coded.tokens), np.arange(151) * UNIT)
    assert places is not None
    counts = [len(level.encode(symbols[start : start + 7]).tokens) for start in range(0, 98, 7)]
    assert (places[offsets_of(np.array(counts))] == np.arange(0, 105, 7) * UNIT).all(), "windows begin where they begin"


def test_slow_levels_are_sampled_less_and_all_levels_see_the_same_places() -> None:
    class Alone(StepOnly):
        portability = "same-machine"

    text = bytes(np.random.default_rng(5).integers(97, 123, 4000).astype(np.uint8)).replace(b"q", b" ")
    model = Alone(256, order=0)
    row = figures(stepped("M1", 256, 12, 12, model), text).levels[0].learnability
    assert (row.edit_places, row.prefix_places) == (min(ALONE[0], 8), min(ALONE[1], 32))
    assert ALONE < STEPPED < FAST
    low = ToyPredictor(256, order=0)
    levels = [of_texts(), stepped("M2", 257, 12, 12, ToyPredictor(257, order=0))]
    rows = [measured(levels[0], "M1", 256, low), measured(levels[1], "M2", 257), measured(None, "M3", 4096)]
    result = evaluate(rows, [text]).levels
    assert {(one.learnability.edit_places, one.learnability.prefix_places) for one in result[:2]} == {(8, 32)}
    assert evaluate(rows, [text]).levels == result, "the samples are the same every time"


def test_accuracy_by_place_in_the_window() -> None:
    model = ToyPredictor(16, order=1, sharpness=2)
    tokens = np.random.default_rng(7).integers(0, 16, 300)
    offsets = np.array([0, 90, 300])
    found = by_position(model, tokens, offsets, 75, 3)
    right, bits, seen = np.zeros(3), np.zeros(3), np.zeros(3)
    for start, end in itertools.pairwise(offsets.tolist()):
        for i in range(start, end):
            row = model.row(() if (i - start) % 75 == 0 else (int(tokens[i - 1]),))
            place = (i - start) % 3
            right[place] += row.argmax() == tokens[i]
            bits[place] += PRECISION - math.log2(int(row[tokens[i]]))
            seen[place] += 1
    assert found is not None
    assert [one.tokens for one in found] == seen.tolist()
    assert [one.accuracy for one in found] == pytest.approx((right / seen).tolist())
    assert [one.bits for one in found] == pytest.approx((bits / seen).tolist())
    assert by_position(model, tokens[:0], np.array([0, 0]), 75, 3) is None
    few = by_position(StepOnly(16), np.tile(tokens, 5), np.array([0, 1500]), 1500, 3)
    assert few is not None
    assert sum(one.tokens for one in few) == 1024, "a model that only steps is asked for few"


def test_both_tables_show_the_figures() -> None:
    top = ToyPredictor(512, order=0)
    level = stepped("M1", 256, 18, 9, ToyPredictor(256, order=0))
    result = evaluate([measured(level, "M1", 256), measured(None, "M2", 512, top)], [PROSE])
    text = io.StringIO()
    print_evaluation(result.to_dict(), Console(file=text, width=200))
    row = result.levels[0].learnability
    assert row.tokens_per_substitution is not None
    assert f"{row.tokens_per_substitution:.2f}" in text.getvalue()
    assert f"{row.words_cut_alike:.1%}" in text.getvalue()
    assert "M2: by place in the window, " in text.getvalue()
    places = result.levels[1].to_dict()["by_position"]
    assert [sorted(place) for place in places] == [["accuracy", "bits", "tokens"]] * 2
