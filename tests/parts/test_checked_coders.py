"""Coders, lanes and windowings that break a rule are named, with the level and the rule."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from checked_toys import DOCUMENT, WHO, Bad, Loses, plain, tried
from stackc.api import CodingError, Windowing
from stackc.api.errors import PartError
from stackc.coding.level import Level
from stackc.coding.spec import LevelSpec
from stackc.testing.windowings import PlainCoder, PlainDecoder, PlainEncoder


class OverBudget(PlainEncoder):
    def close(self, full: bool) -> tuple[int, int]:
        value, bits = super().close(full)
        return value << 1, bits + 1


class TooLarge(PlainEncoder):
    def close(self, full: bool) -> tuple[int, int]:
        value, bits = super().close(full)
        return value | 1 << bits, bits


class Refuses(PlainEncoder):
    def add(self, freqs: Any, symbol: int) -> bool:
        return symbol != 3 and super().add(freqs, symbol)


class Above(PlainDecoder):
    def next(self, freqs: Any) -> int | None:
        symbol = super().next(freqs)
        return symbol if symbol is None else symbol + 7


class Below(PlainDecoder):
    def next(self, freqs: Any) -> int | None:
        symbol = super().next(freqs)
        return symbol if symbol is None else symbol - 7


class Other(PlainDecoder):
    def next(self, freqs: Any) -> int | None:
        symbol = super().next(freqs)
        return 0 if symbol == 5 else symbol


class TakesNothing(PlainDecoder):
    def used(self, full: bool) -> int:
        return 0


class Raises(PlainDecoder):
    def next(self, freqs: Any) -> int | None:
        raise CodingError("damaged")


@pytest.mark.parametrize(
    ("made", "bits", "rule"),
    [
        (Bad(OverBudget), 16, "close gave a code of 17 bits; every window has exactly 16"),
        (Bad(TooLarge), 16, "close gave a value that does not fit in the 16 bits that it says"),
        (Bad(TooLarge), None, "close gave a value that does not fit in the "),
        (Bad(Refuses), 16, "add refused the first symbol of a window; one symbol must always fit"),
        (Bad(decoder=Above), 16, "next gave symbol 7, outside the alphabet of 7"),
        (Bad(decoder=Below), 16, "next gave symbol -7, outside the alphabet of 7"),
        (Bad(decoder=Loses), 16, "64 symbols decode to 26; decoding must restore all of them"),
        (Bad(decoder=Loses, ends=False), None, "next ended a window with 28 symbols still to come"),
        (Bad(decoder=Other), 16, "symbol 5 decodes to 0, at position 5"),
        (Bad(decoder=TakesNothing), 16, "used returned 0 tokens for a window, and 2 were left"),
        (Bad(decoder=Raises), 16, r"does not decode its own output \(damaged\)"),
    ],
)
def test_a_bad_coder_is_named_before_anything_is_kept(made: Any, bits: int | None, rule: str) -> None:
    with pytest.raises(PartError, match=rf"^{WHO.replace('(', '[(]').replace(')', '[)]')}: {rule}"):
        tried(plain(made, bits), DOCUMENT)


def test_a_bad_decoder_is_named_where_files_are_read_too() -> None:
    tokens = plain(Bad(), 16).encode(DOCUMENT).tokens
    for decoder, rule in ((Above, "outside the alphabet of 7"), (TakesNothing, "every window has at least one")):
        with pytest.raises(PartError, match=rule):
            plain(Bad(decoder=decoder), 16).decode(tokens)


class BadLanes(PlainCoder):
    """Tier 2 of its own, which tokens pass through unchecked by the adapter."""

    def __init__(self, spoil: Any) -> None:
        self.spoil = spoil

    def lane_encoder(self, window: Any, lanes: int) -> Any:
        from stackc.parts.lanes import AdaptedLaneEncoder

        made, spoil = AdaptedLaneEncoder(PlainCoder(), PlainCoder(), window, lanes), self.spoil

        class Lanes:
            add = staticmethod(made.add)

            def close(self, chosen: Any, full: Any) -> Any:
                return spoil(*made.close(chosen, full))

        return Lanes()


@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        (lambda tokens, counts: (tokens + 256, counts), "a token outside the alphabet of 256"),
        (lambda tokens, counts: (np.repeat(tokens, 2), 2 * counts), "every window has 16 bits, 2 tokens"),
    ],
)
def test_bad_lanes_are_named(spoil: Any, rule: str) -> None:
    made = plain(BadLanes(spoil), 16)
    with pytest.raises(PartError, match=rule):
        tried(made, DOCUMENT)


# -- windowings


@pytest.mark.parametrize(
    ("cuts", "said"),
    [
        (lambda segment: segment, r"int64\[100\]"),
        (lambda segment: np.zeros(3, np.bool_), r"bool\[3\]"),
        (lambda segment: [True] * len(segment), "list"),
    ],
)
def test_bad_cuts_are_named(cuts: Any, said: str) -> None:
    made = Level(
        LevelSpec(
            name="M1",
            alphabet=7,
            segment=100,
            windowing=Windowing(bits=16, cuts=cuts),
            coder=PlainCoder(),
            token_bits=8,
            windowing_name="M1: windowing 'bad' (plugin 'bad-parts')",
        )
    )
    with pytest.raises(PartError, match=rf"^M1: windowing 'bad' .*: cuts of 100 symbols are {said}, not bool\[n\]"):
        tried(made, DOCUMENT)
