"""Levels in compiled loops: the same tokens and the same symbols as by stepping, and each broken rule named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import step_toys
from registered import coder
from stackc.api import CUT, CodingError, CompiledStep, Text, Windowing
from stackc.api.errors import PartError
from stackc.coding import compiled
from stackc.coding.level import Level
from stackc.coding.spec import LevelSpec
from stackc.coding.verify import prove
from stackc.parts.checked import GuardedPredictor
from stackc.testing.driving import random_cuts
from step_toys import Copying, KernelModel, Steps
from toys import ToyPredictor, sample

ALPHABET, SEGMENT = 11, 97
TABLE = random_cuts(np.random.default_rng(3), ALPHABET)

WINDOWINGS = {
    "bits8": Windowing(bits=8, symbols=1024),
    "bits24": Windowing(bits=24, symbols=1024),
    "bits16-two-symbols": Windowing(bits=16, symbols=2),
    "bits16-segment": Windowing(bits=16, symbols=1024, restart="segment"),
    "bits64-segment": Windowing(bits=64, symbols=1024, restart="segment"),
    "fixed5": Windowing(bits=None, symbols=5),
    "fixed1": Windowing(bits=None, symbols=1),
    "fixed7-segment": Windowing(bits=None, symbols=7, restart="segment"),
    "whole": Windowing(bits=None, symbols=None),
    "cuts": Windowing(bits=16, symbols=1024, cuts=lambda segment: segment == 3),
    "cuts-segment": Windowing(bits=16, symbols=1024, restart="segment", cuts=lambda segment: segment == 3),
    "cuts-whole": Windowing(bits=None, symbols=None, cuts=lambda segment: segment == 3),
    "table": Windowing(bits=16, symbols=1024, table=TABLE),
    "table-segment": Windowing(bits=32, symbols=5, restart="segment", table=TABLE, cuts=lambda segment: segment == 3),
    "table-whole": Windowing(bits=None, symbols=None, table=TABLE),
}

# Windows before which symbol 3 stands, or that would have a fourth 5: a table that the coder knows.
_TABLE = np.tile(np.arange(1, 5)[:, None], (1, ALPHABET)).astype(np.int32)
_TABLE[:] = 1 + np.maximum(np.arange(4)[:, None] - 1, 0)
_TABLE[1:, 3], _TABLE[1:3, 5], _TABLE[3, 5] = CUT, [2, 3], CUT
WINDOWINGS |= {
    "table": Windowing(bits=16, symbols=1024, table=_TABLE),
    "table-segment": Windowing(bits=24, symbols=6, restart="segment", table=_TABLE),
    "table-whole": Windowing(bits=None, symbols=None, table=_TABLE),
    "table-fixed": Windowing(bits=None, symbols=5, table=_TABLE, cuts=lambda segment: segment == 7),
}


def level(windows: str, model: Any, lanes: int = 5, token_bits: int = 8, **more: Any) -> Level:
    chosen = {**coder("arithmetic"), **more}
    return Level(
        LevelSpec(
            name="M1",
            alphabet=ALPHABET,
            segment=SEGMENT,
            windowing=WINDOWINGS[windows],
            **chosen,
            token_bits=token_bits,
            load_predictor=lambda: model,
            lanes=lanes,
        )
    )


def documents(seed: int = 0) -> tuple[Any, Any]:
    model = ToyPredictor(ALPHABET, order=1)
    parts = [sample(model, n, seed + n) for n in (0, 1, SEGMENT, 250, 3, 0, 2 * SEGMENT + 1)]
    parts += [np.random.default_rng(seed).integers(0, ALPHABET, 130), np.zeros(200, np.int64)]
    return np.concatenate(parts), np.concatenate([[0], np.cumsum([len(part) for part in parts])])


def same(one: Level, other: Level, symbols: Any, offsets: Any) -> None:
    expected, found = one.encode(symbols, offsets), other.encode(symbols, offsets)
    assert (found.tokens.tolist(), found.offsets.tolist()) == (expected.tokens.tolist(), expected.offsets.tolist())
    assert found.starts.tolist() == expected.starts.tolist()
    assert found.tokens.dtype == expected.tokens.dtype
    back = other.decode(expected.tokens, expected.offsets)
    assert (back.symbols.tolist(), back.offsets.tolist()) == (symbols.tolist(), offsets.tolist())


@pytest.mark.parametrize("windows", WINDOWINGS)
def test_loops_give_what_stepping_gives(windows: str, monkeypatch: pytest.MonkeyPatch) -> None:
    symbols, offsets = documents()
    stepped = level(windows, Steps(ALPHABET))
    assert compiled.compiled_lanes(stepped.spec) is None
    for lanes in (1, 2, 64):
        looped = level(windows, KernelModel(ALPHABET), lanes)
        assert compiled.compiled_lanes(looped.spec) is not None
        same(stepped, looped, symbols, offsets)
        same(stepped, looped, symbols[:0], np.zeros(3, np.int64))
    # A loop that returns after each few steps, is full after each few tokens, and is given a few segments at a time.
    monkeypatch.setattr(compiled, "STEPS", 7)
    monkeypatch.setattr(compiled, "ROOM", 5)
    monkeypatch.setattr(compiled, "BATCH", 200)
    same(stepped, level(windows, KernelModel(ALPHABET)), symbols, offsets)
    for kind in (np.uint8, np.uint16, np.int64):
        given = symbols.astype(kind)
        given.flags.writeable = False
        same(stepped, level(windows, KernelModel(ALPHABET)), given, offsets)


@pytest.mark.parametrize("windows", ["bits24", "fixed5", "bits64-segment", "whole"])
def test_kernels_for_few_lanes(windows: str) -> None:
    """They code where lanes are few: `step` does in more, and where nothing restarts a context `score` encodes."""
    symbols, offsets = documents()
    scores = windows in ("bits64-segment", "whole")
    for lanes in (1, 2, 3, 64):
        model = step_toys.FewLanes(ALPHABET)
        same(level(windows, Steps(ALPHABET)), level(windows, model, lanes), symbols, offsets)
        by_loop, by_calls = (model.looped, model.stepped) if lanes <= 2 else (model.stepped, model.looped)
        assert (len(by_loop), by_calls) == (2 - scores, [])
    # One document of one segment is one lane, whatever the level may have.
    model = step_toys.FewLanes(ALPHABET)
    same(level(windows, Steps(ALPHABET)), level(windows, model, 64), symbols[:90], np.array([0, 90]))
    assert 1 in model.looped or windows == "bits24"
    guarded = GuardedPredictor(step_toys.FewLanes(ALPHABET), ALPHABET, "M1: model 'toy'")
    guarded.prove(symbols.astype(np.uint8))


@pytest.mark.parametrize("token_bits", [1, 3, 12, 16, 32])
def test_tokens_of_any_size(token_bits: int) -> None:
    symbols, offsets = documents(1)
    for windows in ("whole", "fixed5"):
        stepped = level(windows, Steps(ALPHABET), token_bits=token_bits)
        same(stepped, level(windows, KernelModel(ALPHABET), token_bits=token_bits), symbols, offsets)


@pytest.mark.parametrize("windows", ["bits8", "bits24", "bits64-segment", "bits16-segment", "fixed5", "whole"])
def test_any_tokens_decode_to_the_same(windows: str) -> None:
    tokens = np.random.default_rng(3).integers(0, 256, 400)
    tokens[:20], tokens[200:230] = 0, 255  # empty texts
    offsets = np.array([0, 7, 7, 150, 400])
    expected = level(windows, Steps(ALPHABET)).decode(tokens, offsets)
    for lanes in (1, 64):
        found = level(windows, KernelModel(ALPHABET), lanes).decode(tokens, offsets)
        assert found.symbols.tolist() == expected.symbols.tolist()
        assert (found.offsets.tolist(), found.ignored) == (expected.offsets.tolist(), expected.ignored)
    most = len(expected.symbols)
    level(windows, KernelModel(ALPHABET)).decode(tokens, offsets, most)
    with pytest.raises(CodingError, match=f"M1: tokens that decode to more than the expected {most - 1} symbols"):
        level(windows, KernelModel(ALPHABET)).decode(tokens, offsets, most - 1)


@pytest.mark.parametrize("windows", ["bits24", "fixed5", "cuts-segment"])
def test_a_coder_that_has_its_own_row(windows: str, tmp_path: Path) -> None:
    """It is a level without a model."""
    symbols, offsets = documents(2)
    text = Text(symbols=symbols, offsets=offsets, source_bytes=len(symbols))
    made = coder("static-unigram")
    made["coder"].fit(text, ALPHABET, tmp_path)
    made["coder"].load(tmp_path)
    looped = level(windows, None, **made)
    assert compiled.compiled_lanes(looped.spec) is not None

    class Stepped(type(made["coder"])):  # type: ignore[misc]
        compiled = property()

    made["coder"] = Stepped()
    made["coder"].load(tmp_path)
    same(level(windows, None, **made), looped, symbols, offsets)


# -- broken rules


def test_kernels_that_differ_from_step_are_found_before_anything_is_coded() -> None:
    model = KernelModel(ALPHABET)
    model.spoilt = np.roll(model.rows, 1, axis=0)
    looped = level("fixed5", GuardedPredictor(model, ALPHABET, "M1: model 'toy'"))
    with pytest.raises(PartError, match=r"M1: model 'toy': says that it is portable, yet .* by its compiled step"):
        prove(looped, documents()[0])


@pytest.mark.parametrize(("wrong", "said"), [(0, "a frequency of 0"), (1 << 23, "sum to")])
def test_a_row_that_is_none_never_reaches_the_coder(wrong: int, said: str) -> None:
    model = GuardedPredictor(KernelModel(ALPHABET, wrong), ALPHABET, "M1: model 'toy'")
    with pytest.raises(PartError, match=f"M1: model 'toy': .*{said}"):
        level("whole", model).encode(np.full(30, 2))
    good = level("whole", KernelModel(ALPHABET)).encode(np.full(30, 2))
    with pytest.raises(PartError, match=f"M1: model 'toy': .*{said}"):
        level("whole", model).decode(good.tokens)


def test_a_coder_of_kernels_alone() -> None:
    symbols, offsets = documents()
    copied = level("fixed5", KernelModel(ALPHABET), coder=Copying(), flags=Copying).encode(symbols, offsets)
    assert copied.tokens[copied.offsets[1] : copied.offsets[2]].tolist() == [1, int(symbols[0])]
    same(*(level("fixed5", KernelModel(ALPHABET), n, coder=Copying(), flags=Copying) for n in (1, 5)), symbols, offsets)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (step_toys.REFUSES_FIRST, "add refused the first symbol of a window"),
        (step_toys.REFUSES_FOURTH, "add refused a symbol, and its windows have no bit budget"),
        (step_toys.OUTSIDE, "next gave symbol 99, outside the alphabet of 11"),
        (step_toys.USES_NOTHING, "used returned 0 tokens for a window, and 6 were left"),
        (step_toys.USES_MORE, "used returned 1000 tokens for a window, and 6 were left"),
    ],
)
def test_a_broken_rule_is_named(wrong: int, said: str) -> None:
    broken = level("fixed5", KernelModel(ALPHABET), coder=Copying(wrong), flags=Copying, coder_name="M1: coder 'copy'")
    with pytest.raises(PartError, match=f"M1: coder 'copy': {said}"):
        broken.decode(broken.encode(np.arange(5)).tokens)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (3, "compiled gave a int, not a stackc.api.CompiledStep"),
        (CompiledStep(advance=len, fill=step_toys.fill), "advance of its CompiledStep is not compiled"),
        (CompiledStep(advance=step_toys.advance, fill=step_toys.fill, tables=[]), "tables is a list, not a tuple"),
        (CompiledStep(advance=step_toys.advance, fill=step_toys.fill, tables=("x",)), "tables has a str"),
        (
            CompiledStep(advance=step_toys.advance, fill=step_toys.fill, most_lanes=0),
            "most_lanes is 0; it is a whole number, 1 or more, or None",
        ),
        (
            CompiledStep(advance=step_toys.advance, fill=step_toys.fill, start=lambda lanes: np.zeros(lanes - 1)),
            "a state is not an array, or a tuple of arrays, with 1 lanes as their first axis",
        ),
        (
            CompiledStep(advance=step_toys.advance, fill=step_toys.fill, tables=(np.zeros((4, 4))[:, 1],)),
            "an array of tables is not contiguous, aligned and writable: use numpy.require",
        ),
    ],
)
def test_what_compiled_gives_is_looked_at(made: Any, said: str) -> None:
    model = KernelModel(ALPHABET)
    model.compiled = lambda: made  # type: ignore[method-assign]
    with pytest.raises(PartError, match=f"M1: its model: {said}"):
        level("fixed5", model).encode(np.arange(5))
