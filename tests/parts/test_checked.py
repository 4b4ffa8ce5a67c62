"""Bad parts: each breaks one rule, and the error names the level, the part and the rule. Nothing of it is kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
import numpy as np
import pytest

from checked_toys import DOCUMENT, Guarded, LaneDependent, guarded, stepped, tried
from registered import coder
from stackc.api import TOTAL, PluginError, Windowing
from stackc.api.errors import PartError
from stackc.coding.level import Level
from stackc.coding.spec import LevelSpec
from stackc.coding.verify import prove
from stackc.parts.checked import EVERY, FIRST, GuardedPredictor
from toys import ToyPredictor


class Zero(Guarded):
    def wrong(self, rows: Any) -> Any:
        rows[:, 1], rows[:, 0] = rows[:, 1] + rows[:, 0], 0
        return rows


class Short(Guarded):
    def wrong(self, rows: Any) -> Any:
        rows[:, 0] += 1
        return rows


class Floats(Guarded):
    def wrong(self, rows: Any) -> Any:
        return rows / TOTAL


class Narrow(Guarded):
    def wrong(self, rows: Any) -> Any:
        return rows[:, 1:]


class ScoresOtherwise(ToyPredictor):
    def score(self, segment: Any, restarts: Any = None) -> Iterator[Any]:
        for rows in super().score(segment, restarts):
            rows[:, 0], rows[:, 1] = rows[:, 0] + 1, rows[:, 1] - 1
            yield rows


class ScoresLess(ToyPredictor):
    def score(self, segment: Any, restarts: Any = None) -> Iterator[Any]:
        yield from super().score(segment[:-1], restarts)


@pytest.mark.parametrize(
    ("inner", "rule"),
    [
        (Zero(7), "a frequency of 0; every symbol needs a count of at least 1"),
        (Short(7), f"frequencies that sum to {TOTAL + 1}, expected 2\\^24"),
        (Floats(7), "frequencies of type float64, expected uint32"),
        (Narrow(7), r"frequencies of shape \(1, 6\), expected \(lanes, 7\)"),
        (
            LaneDependent(7),
            "says that it is portable, yet its predictions among other lanes differ from those alone at symbol 0",
        ),
        (
            ScoresOtherwise(7),
            "says that it is portable, yet its predictions by scoring differ from those alone at symbol 0",
        ),
        (ScoresLess(7), "score gave 15 rows for a segment of 16 symbols"),
    ],
)
@pytest.mark.parametrize("restart", ["window", "segment"])
def test_a_bad_predictor_is_named_before_anything_is_coded(inner: ToyPredictor, rule: str, restart: str) -> None:
    made = stepped(inner, restart)
    for _ in range(2):  # and again
        with pytest.raises(PartError, match=rf"^M1: model 'toy' \(plugin 'toys'\): {rule}"):
            tried(made, DOCUMENT)


def test_a_right_predictor_passes_and_codes_as_without_the_guard() -> None:
    plain = stepped(ToyPredictor(7))
    plain = Level(attrs.evolve(plain.spec, load_predictor=lambda: ToyPredictor(7)))
    made = stepped(ToyPredictor(7))
    assert made.encode(DOCUMENT).tokens.tolist() == plain.encode(DOCUMENT).tokens.tolist()
    assert isinstance(made.spec.predictor, GuardedPredictor)
    assert hasattr(made.spec.predictor, "score")
    assert not hasattr(made.spec.predictor, "pick")


def test_what_does_not_claim_to_be_portable_may_answer_otherwise_among_lanes() -> None:
    inner = LaneDependent(7)
    inner.portability = "same-build"
    made = stepped(inner)
    coded = tried(made, DOCUMENT)
    assert made.decode(coded.tokens).symbols.tolist() == DOCUMENT.tolist()


def test_a_predictor_that_goes_wrong_later_is_found_by_looking_now_and_then() -> None:
    class Later(Guarded):
        calls = 0

        def wrong(self, rows: Any) -> Any:
            self.calls += 1
            if self.calls > 2 * FIRST:
                rows[:, 0] += 1
            return rows

    made = guarded(Later(7))
    state = made.start(2)
    inputs = np.full(2, -1, np.int64)
    made.step(state, inputs)

    def go_on() -> None:
        for _ in range(2 * FIRST + EVERY):
            made.step(state, np.zeros(2, np.int64))

    with pytest.raises(PartError, match="frequencies that sum to"):
        go_on()


def test_a_predictor_of_another_alphabet_or_portability() -> None:
    with pytest.raises(PartError, match="has an alphabet of 6 symbols; the level reads one of 7"):
        guarded(ToyPredictor(6))
    inner = ToyPredictor(7)
    inner.portability = "anywhere"  # type: ignore[assignment]
    with pytest.raises(PartError, match="a portability of 'anywhere'; there are 'portable', 'same-build'"):
        guarded(inner)


# -- files


def top(predictor: Any) -> Level:
    return Level(
        LevelSpec(
            name="M1",
            alphabet=256,
            segment=100,
            windowing=Windowing(bits=None, symbols=None, restart="segment"),
            **coder("arithmetic"),
            token_bits=8,
            load_predictor=lambda: predictor,
        )
    )


def test_a_bad_model_of_files_is_named_too() -> None:
    predictor = GuardedPredictor(Short(256), 256, "M1: model 'toy' (plugin 'toys')")
    text = b"some text " * 30
    with pytest.raises(PartError, match=r"^M1: model 'toy'"):
        prove(top(predictor), np.frombuffer(text, np.uint8))
    assert issubclass(PartError, PluginError), "a plugin's fault, not damage"
