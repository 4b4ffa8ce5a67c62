"""The figures of the table, against a calculation by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from registered import coder, windowing
from stackc.api import PRECISION, Cost, normalise
from stackc.coding.level import Level
from stackc.coding.scoring import rows, total_bits, unigram_bits
from stackc.coding.spec import LevelSpec
from stackc.stack.evaluate import Measured, evaluate
from toys import StepOnly, ToyPredictor

SEGMENT = 50
DOCUMENTS = [b"a rose is a rose is a rose " * 5, b"", b"x", bytes(range(120))]


def by_hand(model: ToyPredictor, text: list[int], restarts: set[int]) -> float:
    total, context = 0.0, ()
    for i, symbol in enumerate(text):
        context = () if i in restarts else context
        total += PRECISION - math.log2(int(model.row(context)[symbol]))
        context = (*context, symbol)
    return total


def test_every_figure_of_two_levels() -> None:
    low_model, top_model = ToyPredictor(256, order=1), ToyPredictor(1 << 10, order=1, seed=4)
    level = Level(
        LevelSpec(
            name="M1",
            alphabet=256,
            segment=SEGMENT,
            windowing=windowing("equal-info", bits=20),
            **coder("arithmetic"),
            token_bits=10,
            load_predictor=lambda: low_model,
        )
    )
    counts, top_counts = np.arange(256), np.arange(1024) % 7
    low_cost = Cost(parameters=1000, body_ops=600, softmax_ops=80)
    top_cost = Cost(parameters=5000, body_ops=4000, softmax_ops=700)
    low = Measured(
        name="M1", alphabet=256, segment=SEGMENT, counts=counts, cost=low_cost, load=lambda: low_model, level=level
    )
    top = Measured(
        name="M2", alphabet=1024, segment=SEGMENT, counts=top_counts, cost=top_cost, load=lambda: top_model, level=None
    )
    result = evaluate([low, top], DOCUMENTS)

    size = sum(len(d) for d in DOCUMENTS)
    coded = [level.encode(np.frombuffer(d, np.uint8)) for d in DOCUMENTS]
    count = sum(len(c.tokens) for c in coded)
    first, last = result.levels
    assert result.round_trip
    assert (result.source_bytes, result.documents) == (size, 4)
    assert (first.tokens, first.token_bits, first.parameters) == (count, 10, 1000)
    assert first.bytes_per_token == size / count
    assert first.coded_bits_per_byte == count * 10 / size
    assert first.uniform_bits_per_byte == 8.0
    segment_starts = set(range(0, 200, SEGMENT))
    whole = sum(by_hand(low_model, list(d), segment_starts) for d in DOCUMENTS)
    coding = sum(by_hand(low_model, list(d), set(c.starts.tolist())) for d, c in zip(DOCUMENTS, coded, strict=True))
    assert first.model_bits_per_byte == pytest.approx(whole / size)
    assert first.coding_bits_per_byte == pytest.approx(coding / size)
    unigram = sum(PRECISION - math.log2(int(normalise(counts)[s])) for d in DOCUMENTS for s in d)
    assert first.unigram_bits_per_byte == pytest.approx(unigram / size)
    assert (first.ops_per_byte_body, first.ops_per_byte_softmax) == (600, 80)

    assert (last.tokens, last.coded_bits_per_byte) == (None, None)
    assert last.bytes_per_token == size / count
    assert last.uniform_bits_per_byte == pytest.approx(count * 10 / size)
    above = sum(by_hand(top_model, c.tokens.tolist(), segment_starts) for c in coded)
    assert last.model_bits_per_byte == last.coding_bits_per_byte == pytest.approx(above / size)
    assert last.ops_per_byte_body == pytest.approx(600 + 4000 * count / size)
    assert last.ops_per_byte_softmax == pytest.approx(80 + 700 * count / size)


def test_an_empty_file_has_no_figures_and_comes_back() -> None:
    model = ToyPredictor(256)
    level = Level(
        LevelSpec(
            name="M1",
            alphabet=256,
            segment=SEGMENT,
            windowing=windowing("whole"),
            **coder("arithmetic"),
            token_bits=8,
            load_predictor=lambda: model,
        )
    )
    one = Measured(
        name="M1", alphabet=256, segment=SEGMENT, counts=np.ones(256, np.int64), cost=None, load=lambda: model,
        level=level,
    )  # fmt: skip
    result = evaluate([one], [b""])
    assert result.round_trip
    assert result.levels[0].tokens == 0
    assert result.levels[0].model_bits_per_byte is None


def test_stepping_and_scoring_cost_the_same() -> None:
    text = np.random.default_rng(0).integers(0, 9, 130)
    offsets, starts = np.array([0, 60, 130]), np.array([0, 7, 8, 60, 99])
    args = (text, offsets, 33, starts)
    assert total_bits(ToyPredictor(9), *args) == total_bits(StepOnly(9), *args)
    assert sum(len(block) for block in rows(StepOnly(9), text[:5])) == 5


def test_unigram_bits_of_wide_alphabets_take_little_memory() -> None:
    symbols = np.arange(1 << 16)
    assert unigram_bits(np.ones(1 << 16, np.int64), symbols) == pytest.approx(16 * (1 << 16))
