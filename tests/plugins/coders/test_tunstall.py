"""The `tunstall` coder: its contract, and its texts against the plain twin."""

from __future__ import annotations

import numpy as np
import pytest

from stackc.api import CodingError, Window, Windowing
from stackc.coding.dictionary.dictionary import Dictionary
from stackc.coding.level import Level
from stackc.coding.spec import LevelSpec
from stackc.testing import DictionaryCoderContract
from stackc_coders import TunstallConfig
from stackc_coders import tunstall as tunstall_module
from stackc_coders.tunstall import TunstallCoder, twin_texts
from toys import StepOnly, ToyPredictor, sample


class TestTunstallContract(DictionaryCoderContract):
    config = TunstallConfig

    def make(self, vocabulary: int) -> TunstallCoder:
        return TunstallCoder(vocabulary)


def texts(coder: TunstallCoder, predictor: ToyPredictor, longest: int, lanes: int) -> list[tuple[int, ...]]:
    window = Window(alphabet=predictor.alphabet, bits=None, symbols=longest, token_bits=20)
    parent, symbol = coder.dictionary(predictor, window, lanes)
    made: list[tuple[int, ...]] = [()]
    for code in range(1, len(parent)):
        made.append((*made[parent[code]], int(symbol[code])))
    return made


@pytest.mark.parametrize("seed", range(24))
def test_its_texts_are_the_most_probable_ones(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of equals the lexicographically smaller: sharpness 0 makes many equal."""
    rng = np.random.default_rng(seed)
    alphabet, longest = int(rng.integers(1, 9)), int(rng.integers(1, 12))
    vocabulary = int(rng.integers(alphabet + 1, 200))
    predictor = ToyPredictor(alphabet, int(rng.integers(0, 3)), seed, sharpness=float(rng.choice([0, 1, 3])))
    expected = twin_texts(predictor.row, alphabet, vocabulary, longest)
    for lanes, states in ((1, 32), (3, 1), (64, 32)):
        monkeypatch.setattr(tunstall_module, "_STATES", states)
        assert texts(TunstallCoder(vocabulary), predictor, longest, lanes) == expected


def test_a_model_without_take_is_stepped_from_the_start() -> None:
    class NoTake(ToyPredictor):
        take = None  # type: ignore[assignment]

    with_take, without = ToyPredictor(4, seed=2), NoTake(4, seed=2)
    del NoTake.take
    monkey = [texts(TunstallCoder(90), one, 9, 8) for one in (with_take, without)]
    assert monkey[0] == monkey[1]


def test_there_may_be_fewer_texts_than_codes() -> None:
    predictor = ToyPredictor(1)
    assert texts(TunstallCoder(50), predictor, 7, 8) == [(0,) * length for length in range(8)]


def test_a_vocabulary_below_the_alphabet_is_refused() -> None:
    window = Window(alphabet=5, bits=None, symbols=9, token_bits=3)
    with pytest.raises(CodingError, match="cannot hold 5 symbols"):
        TunstallCoder(5).dictionary(ToyPredictor(5), window, 8)
    assert TunstallConfig(vocabulary=5).problems(5, None)
    assert not TunstallConfig(vocabulary=6).problems(5, None)


def level(predictor: ToyPredictor, vocabulary: int, compiled: bool = True) -> Level:
    coder = TunstallCoder(vocabulary)
    window = Window(alphabet=predictor.alphabet, bits=None, symbols=16, token_bits=8)
    return Level(
        LevelSpec(
            name="M1",
            alphabet=predictor.alphabet,
            segment=100,
            windowing=Windowing(bits=None, symbols=16),
            coder=coder,
            flags=TunstallConfig(),
            token_bits=8,
            vocabulary=vocabulary,
            load_predictor=lambda: predictor,
        ),
        dictionary=Dictionary(*coder.dictionary(predictor, window, 32), predictor.alphabet) if compiled else None,
    )


def test_a_level_of_any_size_gives_one_token_a_window_and_back() -> None:
    predictor = ToyPredictor(6, seed=4, sharpness=2.0)
    one = level(predictor, 150)
    assert (one.token_alphabet, one.window_tokens) == (150, 1)
    symbols = sample(predictor, 730)
    coded = one.encode(symbols)
    assert int(coded.tokens.max()) < 150
    assert len(coded.tokens) == len(coded.starts) < len(symbols) / 1.5
    assert one.decode(coded.tokens).symbols.tolist() == symbols.tolist()
    with pytest.raises(CodingError, match="code 150 is outside the dictionary of 150 texts"):
        one.decode(np.array([150]))


def test_without_its_dictionary_the_level_says_so() -> None:
    one = level(StepOnly(3), 20, compiled=False)
    for call in (one.encode, one.decode):
        with pytest.raises(CodingError, match="not compiled"):
            call(np.array([1, 2]))
