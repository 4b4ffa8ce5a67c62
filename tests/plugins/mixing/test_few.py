"""The mixing models with some, few, six and twelve contexts: their contracts, and what is theirs alone."""

from __future__ import annotations

import attrs
import numpy as np
import pytest

from mixing_toys import FEW, SIX, SMALL, SOME, TWELVE, encoded, predictor_of, texts
from stackc.testing.bitwise import BitwiseContract
from stackc_mixing import Mixing, MixingTraining, config, layout
from stackc_mixing.backend import MixingBackend


class TestFewContextsContract(BitwiseContract):
    alphabets = (1, 2, 5, 256, 300)

    def config(self) -> Mixing:
        return FEW

    def make(self) -> tuple[MixingBackend, MixingTraining]:
        return MixingBackend(FEW), MixingTraining()


class TestSixContextsContract(BitwiseContract):
    alphabets = (1, 2, 5, 256, 300)

    def config(self) -> Mixing:
        return SIX

    def make(self) -> tuple[MixingBackend, MixingTraining]:
        return MixingBackend(SIX), MixingTraining()


class TestSomeContextsContract(BitwiseContract):
    alphabets = (2, 256, 300)

    def config(self) -> Mixing:
        return SOME

    def make(self) -> tuple[MixingBackend, MixingTraining]:
        return MixingBackend(SOME), MixingTraining()


class TestTwelveContextsContract(BitwiseContract):
    alphabets = (1, 2, 5, 256, 300)

    def config(self) -> Mixing:
        return TWELVE

    def make(self) -> tuple[MixingBackend, MixingTraining]:
        return MixingBackend(TWELVE), MixingTraining()


@pytest.mark.parametrize("config", [SOME, FEW, SIX, TWELVE], ids=["some", "few", "six", "twelve"])
def test_advancing_is_encoding(config: Mixing) -> None:
    run = texts(256, 300)["damaged repeats"]
    predictor = predictor_of(run[:100], 256, config)
    advanced, whole = predictor.begin(), predictor.begin()
    for symbol in run.tolist():
        predictor.advance(advanced, symbol)
    encoded(predictor, run, state=whole)
    assert all(np.array_equal(table, whole.tables[name]) for name, table in advanced.tables.items())


def test_the_configuration_repeats_the_sizes_of_the_kernels() -> None:
    assert (config.FEW, config.FEW_SETS, config.FEW_INPUTS) == (layout.FEW, layout.FEW_SETS, layout.FEW_INPUTS)
    assert (config.SIX, config.GUESSES) == (layout.SIX, layout.GUESSES)
    assert (config.CLASSES, config.TWELVE_SETS) == (layout.CLASSES, layout.TWELVE_SETS)


@pytest.mark.parametrize("config", [FEW, SIX], ids=["few", "six"])
def test_few_and_six_contexts_use_no_rich_slots(config: Mixing) -> None:
    text = texts(256, 300)["prose"]
    other = predictor_of(text, 256, attrs.evolve(config, rich=9))
    assert encoded(other, text) == encoded(predictor_of(text, 256, config), text)
    assert encoded(other, text) != encoded(predictor_of(text, 256, SMALL), text)
