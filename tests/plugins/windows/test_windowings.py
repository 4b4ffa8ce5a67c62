"""The windowings that ship, through the suite that plugin authors run, and what their configurations refuse."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest

from stackc.api import Windowing
from stackc.parts.registry import registry
from stackc.testing.windowings import WindowingContract


def made(name: str, **fields: Any) -> Windowing:
    part = registry().get("windowing", name)
    windowing: Windowing = part.factory(part.config(**fields))
    return windowing


class TestEqualInfo(WindowingContract):
    def make(self) -> Windowing:
        return made("equal-info", bits=48)


class TestNarrowEqualInfo(WindowingContract):
    def make(self) -> Windowing:
        return made("equal-info", bits=3, symbols=2)


class TestAligned(WindowingContract):
    def make(self) -> Windowing:
        return made("aligned", bits=48)


class TestAlignedEveryThirdWord(WindowingContract):
    def make(self) -> Windowing:
        return made("aligned", bits=64, words=3, symbols=9, context="segment")


class TestWords(WindowingContract):
    def make(self) -> Windowing:
        return made("words", bits=48)


class TestWordsWithoutABudget(WindowingContract):
    def make(self) -> Windowing:
        return made("words", symbols=9)


class TestFixedToken(WindowingContract):
    def make(self) -> Windowing:
        return made("fixed-token", symbols=7)


class TestWhole(WindowingContract):
    alphabet: ClassVar[int] = 1000

    def make(self) -> Windowing:
        return made("whole", context="segment")


class TestAtBlanks(WindowingContract):
    """A third party's rule: windows never cross a blank."""

    def make(self) -> Windowing:
        return Windowing(bits=32, symbols=5, cuts=lambda segment: segment == 32)


class TestBetweenBlanks(WindowingContract):
    def make(self) -> Windowing:
        return Windowing(bits=None, symbols=None, restart="segment", cuts=lambda segment: segment == 32)


def test_the_suite_finds_what_is_wrong() -> None:
    class Suite(WindowingContract):
        def make(self) -> Windowing:
            return Windowing(bits=None, symbols=70_000, cuts=lambda segment: np.zeros(len(segment), np.int64))

    for test in (Suite().test_it_is_a_windowing, Suite().test_cuts_are_one_answer_a_symbol):
        with pytest.raises(AssertionError):
            test()


def test_windowings_are_data() -> None:
    assert made("equal-info", bits=16) == Windowing(bits=16, symbols=1024, restart="window")
    wide = made("equal-info", bits=128, symbols=9, context="segment")
    assert made("equal-info", bits=16, context_windows=2) == Windowing(
        bits=16, symbols=1024, restart="window", context_windows=2
    )
    assert wide == Windowing(bits=128, symbols=9, restart="segment")
    assert made("fixed-token", symbols=65_535) == Windowing(bits=None, symbols=65_535, restart="window")
    assert made("whole", context="window") == Windowing(bits=None, symbols=None, restart="window")


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("equal-info", {"bits": 0}),
        ("equal-info", {"bits": 16, "symbols": 0}),
        ("equal-info", {"bits": 16, "symbols": 65_536}),
        ("equal-info", {"bits": 16, "context": "document"}),
        ("aligned", {"bits": 0}),
        ("aligned", {"bits": 16, "words": 0}),
        ("aligned", {"bits": 16, "words": 65_536}),
        ("fixed-token", {"symbols": 0}),
        ("fixed-token", {"symbols": 65_536}),
        ("whole", {"context": ""}),
    ],
)
def test_values_out_of_range(name: str, fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=list(fields)[-1]):
        made(name, **fields)


@pytest.mark.parametrize(("name", "field"), [("equal-info", "bits"), ("aligned", "bits"), ("fixed-token", "symbols")])
def test_what_must_be_said(name: str, field: str) -> None:
    with pytest.raises(TypeError, match=field):
        made(name)
