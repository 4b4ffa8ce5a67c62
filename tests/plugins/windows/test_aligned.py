"""The windowing `aligned`: where words start, what that costs, and that every route cuts alike."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from recipes_of_tests import counting_twice
from stackc.api import Windowing
from stackc.api.errors import RecipeError
from stackc.coding.level import Level
from stackc.coding.routes import why_not_compiled
from stackc.coding.spec import LevelSpec
from stackc.parts.registry import registry
from stackc.pipeline.compiling import compiled
from stackc.recipe import load_recipe
from stackc.report.table import print_evaluation
from stackc.stack.evaluate import Measured, evaluate
from stackc_windows.word_starts import Cuts, word_starts
from toys import StepOnly, ToyPredictor

TEXT = "The cat's 2 naïve friends\n\n  saw_it: señor Éluard, 42.5%! ".encode() * 4


def starts(data: bytes) -> list[int]:
    return np.flatnonzero(word_starts(np.frombuffer(data, np.uint8))).tolist()


def make(predictor: Any, lanes: int = 3, **fields: Any) -> Level:
    part = registry().get("windowing", "aligned")
    windowing: Windowing = part.factory(part.config(**fields))
    coder = registry().get("coder", "arithmetic")
    return Level(
        LevelSpec(
            name="M1",
            alphabet=256,
            segment=50,
            windowing=windowing,
            coder=coder.factory(coder.config()),
            flags=coder.config(),
            token_bits=6,
            load_predictor=lambda: predictor,
            lanes=lanes,
        )
    )


def test_where_words_start() -> None:
    assert starts(b"") == []
    assert starts(b"one two") == [0, 4]
    assert starts(b"  one") == [2]
    assert starts(b"don't a_b 42.5") == [0, 4, 6, 8, 10, 13]
    assert starts("né à ça".encode()) == [0, 4, 7], "no cut falls inside a character"


@given(st.binary(max_size=80))
def test_word_starts_are_what_a_pattern_finds(data: bytes) -> None:
    assert starts(data) == [match.start() for match in re.finditer(rb"[A-Za-z0-9\x80-\xff]+", data)]


@given(st.binary(max_size=80), st.integers(1, 5))
def test_every_nth_word_of_a_segment(data: bytes, words: int) -> None:
    cuts = Cuts(words)(np.frombuffer(data, np.uint8))
    assert np.flatnonzero(cuts).tolist() == starts(data)[::words]


@pytest.mark.parametrize("fields", [{"bits": 12}, {"bits": 12, "words": 2}, {"bits": 12, "symbols": 3}])
def test_compiled_and_stepped_cut_alike(fields: dict[str, Any]) -> None:
    symbols = np.frombuffer(TEXT, np.uint8)
    model = ToyPredictor(256, order=1)
    expected = make(model, **fields).encode(symbols)
    others = [make(model, lanes=1, **fields), make(StepOnly(256, order=1), **fields)]
    walked = make(model, **fields)
    assert why_not_compiled(walked.spec, walked.spec.model) is None
    walked = Level(walked.spec, compiled(walked.spec))
    for level in (*others, walked):
        coded = level.encode(symbols)
        assert coded.tokens.tolist() == expected.tokens.tolist()
        assert coded.starts.tolist() == expected.starts.tolist()
        assert level.decode(coded.tokens).symbols.astype(np.uint8).tobytes() == TEXT
    every = fields.get("words", 1)
    forced = {start + at for start in range(0, len(TEXT), 50) for at in starts(TEXT[start : start + 50])[::every]}
    assert forced <= set(expected.starts.tolist())


def test_the_cost_is_reported() -> None:
    model = ToyPredictor(256, order=1)
    level = make(model, bits=60)
    rows = [
        Measured(name="M1", alphabet=256, segment=50, counts=np.ones(256, np.int64), cost=None, load=None, level=level),
        Measured(name="M2", alphabet=64, segment=50, counts=np.ones(64, np.int64), cost=None, load=None, level=None),
    ]
    result = evaluate(rows, [TEXT, b""])
    first, top = result.levels
    uncut = Level(
        LevelSpec(
            name="M1",
            alphabet=256,
            segment=50,
            windowing=Windowing(bits=60),
            coder=level.spec.coder,
            flags=level.spec.flags,
            token_bits=6,
            load_predictor=lambda: model,
        )
    )
    count = len(uncut.encode(np.frombuffer(TEXT, np.uint8)).tokens)
    assert first.uncut_bytes_per_token == len(TEXT) / count
    assert first.bytes_per_token is not None
    assert first.bytes_per_token < first.uncut_bytes_per_token
    assert top.uncut_bytes_per_token is None
    assert level.spec.windowing.cuts is not None, "measuring leaves the level as it was"
    out = io.StringIO()
    print_evaluation(result.to_dict(), Console(file=out))
    assert f"M1: {len(TEXT) / count:.3f} bytes per token without its forced cuts, which cost" in out.getvalue()


def test_only_bytes_have_words(tmp_path: Path) -> None:
    text = counting_twice().replace('kind = "equal-info"', 'kind = "aligned"').replace("bits = 10", "bits = 8", 1)
    (tmp_path / "r.toml").write_text(text)
    with pytest.raises(RecipeError) as caught:
        load_recipe(tmp_path / "r.toml")
    text = str(caught.value)
    assert "level.1.windowing.bits: 8 is too small for the 256 symbols read here and an end; the least is 9" in text
    assert "level.2.windowing.kind: 'aligned' finds words in bytes, and this level reads" in text
