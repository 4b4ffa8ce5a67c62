"""The promise of a level, for every pair of coder and windowing, by every route."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from registered import coder, windowing
from stackc.api import CodingError, Text, Windowing
from stackc.api.errors import PartError
from stackc.coding.documents import segments
from stackc.coding.level import Level
from stackc.coding.routes import why_not_compiled
from stackc.coding.spec import LevelSpec
from stackc.coding.verify import prove
from stackc.parts.checked import GuardedPredictor
from stackc.pipeline.compiling import compiled
from stackc_coders.twin import SlotEncoder
from toys import StepOnly, ToyPredictor, sample

ALPHABET = 11
SEGMENT = 97


WINDOWINGS = {
    "bits8": lambda: windowing("equal-info", bits=8),
    "bits24": lambda: windowing("equal-info", bits=24),
    "bits48": lambda: windowing("equal-info", bits=48),
    "bits16-two-symbols": lambda: windowing("equal-info", bits=16, symbols=2),
    "bits16-segment": lambda: windowing("equal-info", bits=16, context="segment"),
    "bits64-segment": lambda: windowing("equal-info", bits=64, context="segment"),
    "bits16-every2": lambda: windowing("equal-info", bits=16, context_windows=2),
    "bits24-every3": lambda: windowing("equal-info", bits=24, context_windows=3),
    "fixed5-every2": lambda: Windowing(bits=None, symbols=5, context_windows=2),
    "cuts-every2": lambda: Windowing(bits=16, symbols=1024, context_windows=2, cuts=lambda segment: segment == 3),
    "fixed5": lambda: windowing("fixed-token", symbols=5),
    "fixed1": lambda: windowing("fixed-token", symbols=1),
    "fixed7-segment": lambda: windowing("fixed-token", symbols=7, context="segment"),
    "whole": lambda: windowing("whole"),
    "cuts": lambda: Windowing(bits=16, symbols=1024, cuts=lambda segment: segment == 3),
    "cuts-segment": lambda: Windowing(bits=16, symbols=1024, restart="segment", cuts=lambda segment: segment == 3),
    "cuts-whole": lambda: Windowing(bits=None, symbols=None, cuts=lambda segment: segment == 3),
}


def make(
    kind: str, windows: str, tmp_path: Path, *, token_bits: int = 8, predictor: Any = None, lanes: int = 5
) -> Level:
    chosen = coder(kind)
    part = chosen["coder"]
    model = predictor or ToyPredictor(ALPHABET)
    if hasattr(part, "fit"):
        text = Text(symbols=sample(model, 500), offsets=np.array([0, 500]), source_bytes=500)
        part.fit(text, ALPHABET, tmp_path)
        part.load(tmp_path)
    return Level(
        LevelSpec(
            name="M1",
            alphabet=ALPHABET,
            segment=SEGMENT,
            windowing=WINDOWINGS[windows](),
            **chosen,
            token_bits=token_bits,
            load_predictor=(lambda: model) if chosen["flags"].needs_model else None,
            lanes=lanes,
        )
    )


def documents(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    model = ToyPredictor(ALPHABET)
    parts = [sample(model, n, seed + n) for n in (0, 1, SEGMENT, 250, 3, 0, 2 * SEGMENT + 1)]
    parts.append(np.random.default_rng(seed).integers(0, ALPHABET, 130))
    parts.append(np.zeros(200, np.int64))
    return np.concatenate(parts), np.concatenate([[0], np.cumsum([len(p) for p in parts])])


@pytest.mark.parametrize("windows", WINDOWINGS)
@pytest.mark.parametrize("kind", ["arithmetic", "static-unigram", "gzip"])
def test_every_pair_gives_the_documents_back(kind: str, windows: str, tmp_path: Path) -> None:
    if kind == "gzip" and windows.startswith(("bits", "cuts")) and windows != "cuts-whole":
        with pytest.raises(CodingError, match="cannot obey a bit budget"):
            make(kind, windows, tmp_path)
        return
    level = make(kind, windows, tmp_path)
    symbols, offsets = documents()
    coded = level.encode(symbols, offsets)
    back = level.decode(coded.tokens, coded.offsets)
    assert back.symbols.tolist() == symbols.tolist()
    assert back.offsets.tolist() == offsets.tolist()
    assert back.ignored == 0
    first = {start for start, _ in segments(offsets, SEGMENT)}
    assert first <= set(coded.starts.tolist()), "a window starts with every segment"
    assert (np.diff(coded.starts) > 0).all()
    for i in range(len(offsets) - 1):  # documents are coded alone
        alone = level.encode(symbols[offsets[i] : offsets[i + 1]])
        assert alone.tokens.tolist() == coded.tokens[coded.offsets[i] : coded.offsets[i + 1]].tolist()


@pytest.mark.parametrize("every", [1, 2, 3, 50])
def test_contexts_restart_with_every_nth_window_of_a_segment(every: int) -> None:
    """Against one window after another, coded by the twin with contexts counted by hand."""
    model = ToyPredictor(ALPHABET, order=3)
    windowed = windowing("equal-info", bits=16, context_windows=every)
    spec = LevelSpec(
        name="M1", alphabet=ALPHABET, segment=SEGMENT, windowing=windowed, **coder("arithmetic"), token_bits=16,
        load_predictor=lambda: model,
    )  # fmt: skip
    symbols, offsets = documents(4)
    tokens, restarts = [], []
    for first, last in segments(offsets, SEGMENT):
        at, number, context = first, 0, ()
        while at < last:
            if number % every == 0:
                context = ()
                restarts.append(at)
            encoder = SlotEncoder(spec.window)
            while at < last and encoder.add(model.row(context), int(symbols[at])):
                context = (*context, int(symbols[at]))
                at += 1
            tokens.append(encoder.close(full=False)[0])
            number += 1
    coded = Level(spec).encode(symbols, offsets)
    assert coded.tokens.tolist() == tokens
    assert spec.restarts(coded.starts, offsets).tolist() == restarts  # type: ignore[union-attr]
    assert (why_not_compiled(spec, model) is None) == (every == 1)


@pytest.mark.parametrize("together", [1, 100, 300])
def test_segments_scored_together_are_those_scored_alone(
    together: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    symbols, offsets = documents(2)
    for windows in ("bits64-segment", "fixed7-segment", "cuts-segment", "whole"):
        level = make("arithmetic", windows, tmp_path)
        monkeypatch.undo()
        expected = level.encode(symbols, offsets)
        monkeypatch.setattr("stackc.coding.stepping.SCORED", together)
        found = level.encode(symbols, offsets)
        assert found.tokens.tolist() == expected.tokens.tolist()
        assert found.offsets.tolist() == expected.offsets.tolist()
        assert found.starts.tolist() == expected.starts.tolist()


@pytest.mark.parametrize("windows", WINDOWINGS)
def test_all_routes_give_the_same_tokens(windows: str, tmp_path: Path) -> None:
    symbols, offsets = documents(1)
    model = ToyPredictor(ALPHABET)
    level = make("arithmetic", windows, tmp_path, predictor=model)
    expected = level.encode(symbols, offsets)

    unscored = ToyPredictor(ALPHABET)
    unscored_level = make("arithmetic", windows, tmp_path, predictor=_without_score(unscored))
    others = [make("arithmetic", windows, tmp_path, predictor=model, lanes=lanes) for lanes in (1, 2, 64)]
    others += [unscored_level, make("arithmetic", windows, tmp_path, predictor=StepOnly(ALPHABET))]
    if why_not_compiled(level.spec, level.spec.model) is None:
        level = Level(level.spec, compiled(level.spec))
        others.append(level)
    for other in others:
        coded = other.encode(symbols, offsets)
        assert coded.tokens.tolist() == expected.tokens.tolist()
        assert coded.offsets.tolist() == expected.offsets.tolist()
        assert coded.starts.tolist() == expected.starts.tolist()
        back = other.decode(coded.tokens, coded.offsets)
        assert back.symbols.tolist() == symbols.tolist()


class Few(ToyPredictor):
    """Runs at most so many lanes in a state."""

    def __init__(self, alphabet: int, max_lanes: int) -> None:
        super().__init__(alphabet)
        self.max_lanes, self.most = max_lanes, 0

    def start(self, lanes: int) -> Any:
        assert lanes <= self.max_lanes
        self.most = max(self.most, lanes)
        return super().start(lanes)

    def take(self, state: Any, lanes: Any) -> Any:
        assert len(lanes) <= self.max_lanes
        return super().take(state, lanes)

    @property
    def score(self) -> Any:  # type: ignore[override]
        raise AttributeError("score")


@pytest.mark.parametrize("max_lanes", [1, 3])
@pytest.mark.parametrize("windows", ["bits8", "bits24", "bits64-segment", "fixed5"])
def test_a_model_never_runs_more_lanes_than_it_can(windows: str, max_lanes: int, tmp_path: Path) -> None:
    symbols, offsets = documents(1)
    expected = make("arithmetic", windows, tmp_path, predictor=ToyPredictor(ALPHABET)).encode(symbols, offsets)
    model = Few(ALPHABET, max_lanes)
    level = make("arithmetic", windows, tmp_path, predictor=GuardedPredictor(model, ALPHABET, "M1: model"), lanes=64)
    assert level.spec.running_lanes == max_lanes
    prove(level, symbols)
    coded = level.encode(symbols, offsets)
    assert coded.tokens.tolist() == expected.tokens.tolist()
    back = level.decode(coded.tokens, coded.offsets)
    assert back.symbols.tolist() == symbols.tolist()
    assert model.most == max_lanes
    if why_not_compiled(level.spec, level.spec.model) is None:
        assert Level(level.spec, compiled(level.spec)).encode(symbols, offsets).tokens.tolist() == coded.tokens.tolist()


@pytest.mark.parametrize("most", [0, -1, 2.0, True, "2"])
def test_a_number_of_lanes_that_is_none(most: Any) -> None:
    model = Few(ALPHABET, most)
    with pytest.raises(PartError, match=r"M1: model: max_lanes is .*; it is a whole number, 1 or more"):
        GuardedPredictor(model, ALPHABET, "M1: model")


def _without_score(predictor: ToyPredictor) -> Any:
    class Unscored(ToyPredictor):
        @property
        def score(self) -> Any:  # type: ignore[override]
            raise AttributeError("score")

    return Unscored(predictor.alphabet)


@pytest.mark.parametrize("windows", ["bits8", "bits24", "bits64-segment", "bits16-segment", "fixed5", "whole"])
@pytest.mark.parametrize("kind", ["arithmetic", "static-unigram"])
def test_any_tokens_decode(kind: str, windows: str, tmp_path: Path) -> None:
    level = make(kind, windows, tmp_path)
    tokens = np.random.default_rng(3).integers(0, 256, 400)
    tokens[:20] = 0  # empty texts
    offsets = np.array([0, 7, 7, 150, 400])
    back = level.decode(tokens, offsets)
    if level.window_tokens is not None:
        assert back.ignored == sum(int(n) % level.window_tokens for n in np.diff(offsets))
    for i in range(4):
        alone = level.decode(tokens[offsets[i] : offsets[i + 1]])
        assert alone.symbols.tolist() == back.symbols[back.offsets[i] : back.offsets[i + 1]].tolist()


def test_compiled_and_stepped_decoding_agree_on_any_tokens(tmp_path: Path) -> None:
    level = make("arithmetic", "bits8", tmp_path)
    tokens = np.random.default_rng(4).integers(0, 256, 500)
    stepped = level.decode(tokens)
    level = Level(level.spec, compiled(level.spec))
    assert level.decode(tokens).symbols.tolist() == stepped.symbols.tolist()


def test_a_level_above_another_reads_its_tokens(tmp_path: Path) -> None:
    low = make("arithmetic", "bits24", tmp_path, token_bits=4)
    symbols, offsets = documents(2)
    first = low.encode(symbols, offsets)
    high = Level(
        LevelSpec(
            name="M2",
            alphabet=low.token_alphabet,
            segment=SEGMENT,
            windowing=windowing("fixed-token", symbols=9),
            **coder("gzip"),
            token_bits=16,
        )
    )
    second = high.encode(first.tokens, first.offsets)
    middle = high.decode(second.tokens, second.offsets)
    back = low.decode(middle.symbols, middle.offsets)
    assert back.symbols.tolist() == symbols.tolist()


class Drifting(StepOnly):
    """Answers that change with every call: what an unreproducible model does to a file."""

    def start(self, lanes: int) -> Any:
        self.seed += 1
        self._rows.clear()
        return super().start(lanes)


def test_a_model_that_does_not_reproduce_itself_is_caught(tmp_path: Path) -> None:
    level = make("arithmetic", "bits24", tmp_path, predictor=Drifting(ALPHABET))
    with pytest.raises(CodingError, match="did not repeat its own frequencies"):
        level.encode(*documents())


def test_what_cannot_work_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CodingError, match="3 bits cannot hold 11 symbols"):
        Level(
            LevelSpec(
                name="M1",
                alphabet=11,
                segment=10,
                windowing=windowing("equal-info", bits=3),
                **coder("arithmetic"),
                token_bits=3,
                load_predictor=lambda: ToyPredictor(11),
            )
        )
    with pytest.raises(CodingError, match="do not divide"):
        make("arithmetic", "bits24", tmp_path, token_bits=16)
    level = make("arithmetic", "bits24", tmp_path)
    with pytest.raises(CodingError, match="outside its alphabet of 11"):
        level.encode(np.array([3, 11]))
    with pytest.raises(CodingError, match="outside its alphabet of 256"):
        level.decode(np.array([256]))


def test_a_level_that_differs_in_one_setting_shares_the_model() -> None:
    loaded = []

    def load() -> ToyPredictor:
        loaded.append(ToyPredictor(ALPHABET))
        return loaded[-1]

    spec = LevelSpec(
        name="M1",
        alphabet=ALPHABET,
        segment=SEGMENT,
        windowing=Windowing(bits=16, symbols=40, cuts=lambda segment: segment == 3),
        **coder("arithmetic"),
        token_bits=8,
        load_predictor=load,
    )
    level = Level(spec)
    symbols = sample(ToyPredictor(ALPHABET), 300)
    level.encode(symbols)
    level.without_cuts().encode(symbols)
    Level(spec.changed(lanes=1)).encode(symbols)
    assert len(loaded) == 1
