"""Levels around parts that break a rule, for the tests of what checks them."""

from __future__ import annotations

from typing import Any

import numpy as np

from registered import coder
from stackc.api import Windowing
from stackc.coding.level import Level
from stackc.coding.spec import LevelSpec
from stackc.coding.verify import prove
from stackc.parts.checked import GuardedPredictor
from stackc.testing.windowings import PlainCoder, PlainDecoder, PlainEncoder
from toys import ToyPredictor

WHO = "M1: coder 'bad' (plugin 'bad-parts', stackc-bad 0.1)"


DOCUMENT = np.arange(300) % 7


# -- predictors


class Guarded(ToyPredictor):
    """Right, until `wrong` changes an answer."""

    def wrong(self, rows: Any) -> Any:
        return rows

    def step(self, state: Any, symbols: Any) -> Any:
        return self.wrong(super().step(state, symbols))


class LaneDependent(Guarded):
    """Says that it is portable, but answers by how many lanes there are: as sums of floats do."""

    def wrong(self, rows: Any) -> Any:
        if len(rows) > 1:
            rows[:, 0], rows[:, 1] = rows[:, 0] + 1, rows[:, 1] - 1
        return rows


def tried(level: Level, symbols: Any) -> Any:
    """Encode as a build does: a trial, then the text."""
    prove(level, symbols)
    return level.encode(symbols)


def guarded(inner: ToyPredictor) -> GuardedPredictor:
    return GuardedPredictor(inner, 7, "M1: model 'toy' (plugin 'toys')")


def stepped(inner: ToyPredictor, restart: Any = "window") -> Level:
    return Level(
        LevelSpec(
            name="M1",
            alphabet=7,
            segment=100,
            windowing=Windowing(bits=16, symbols=50, restart=restart),
            **coder("arithmetic"),
            token_bits=16,
            load_predictor=lambda: guarded(inner),
        )
    )


# -- coders


class Bad(PlainCoder):
    """The plain coder of the suites, with some of its classes replaced."""

    def __init__(self, encoder: Any = PlainEncoder, decoder: Any = PlainDecoder, ends: bool = True) -> None:
        self._made, self.ends = (encoder, decoder), ends  # type: ignore[misc]

    def encoder(self, window: Any) -> Any:
        return self._made[0](window)

    def decoder(self, window: Any, bits: Any) -> Any:
        return self._made[1](window, bits)


class Loses(PlainDecoder):
    """Ends every window a symbol early."""

    def next(self, freqs: Any) -> int | None:
        return None if self._read >= 6 else super().next(freqs)


def plain(coder: Any, bits: int | None) -> Level:
    return Level(
        LevelSpec(
            name="M1",
            alphabet=7,
            segment=100,
            windowing=Windowing(bits=bits, symbols=30),
            coder=coder,
            token_bits=8,
            coder_name=WHO,
        )
    )
