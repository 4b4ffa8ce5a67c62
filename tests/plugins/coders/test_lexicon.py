"""The `lexicon` coder: its contract, its cuttings against the plain twin, and what its training promises."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stackc.api import (
    LOG_BITS,
    ArtifactError,
    CodingError,
    Int64,
    Predictor,
    Symbols,
    Text,
    Window,
    normalise,
    offsets_of,
    write_tensors,
)
from stackc.coding.trial import check_part
from stackc.parts.registry import registry
from stackc.testing import PieceCoderContract
from stackc.testing.tables import cut_place
from stackc_coders import LexiconConfig
from stackc_coders.lexicon import FILE, LexiconCoder, Texts, Trainer, distinct, twin_cut
from stackc_windows.words import word_table
from toys import ToyPredictor


class TestLexiconContract(PieceCoderContract):
    config = LexiconConfig

    def make(self, vocabulary: int) -> LexiconCoder:
        return LexiconCoder(LexiconConfig(vocabulary=vocabulary))


class TestLexiconOfTokensContract(PieceCoderContract):
    """Symbols of a deeper level, under a model with contexts."""

    config = LexiconConfig
    alphabet = 40
    vocabulary = 90

    def make(self, vocabulary: int) -> LexiconCoder:
        return LexiconCoder(LexiconConfig(vocabulary=vocabulary, proposals=3, surcharge=0))

    def text(self) -> Symbols:
        return np.random.default_rng(self.seed).geometric(0.2, 4000).clip(1, 40) - 1

    def predictor(self) -> Predictor:
        return ToyPredictor(self.alphabet, 1, 5)


ALPHABET = 6


def trained(seed: int, **settings: Any) -> tuple[Texts, list[tuple[int, ...]], Trainer]:
    """A lexicon of a random text, its training windows, and its trainer."""
    rng = np.random.default_rng(seed)
    text = rng.choice(ALPHABET, 3000, p=[0.4, 0.3, 0.1, 0.1, 0.05, 0.05])
    bounds = np.unique(np.concatenate([[0, len(text)], rng.integers(0, len(text), 500)]))
    bounds = np.unique(np.concatenate([bounds, np.arange(0, len(text), 9)]))
    window = Window(alphabet=ALPHABET, bits=None, symbols=9, token_bits=8)
    config = LexiconConfig(vocabulary=40, **{"proposals": 4, **settings})
    trainer = Trainer(ToyPredictor(ALPHABET, 1, seed), window, text, bounds, 4, config)
    windows = [tuple(text[low:high].tolist()) for low, high in itertools.pairwise(bounds)]
    return trainer.run(), windows, trainer


def named(texts: Texts) -> dict[tuple[int, ...], int]:
    """Every text and its cost."""
    bounds = texts.offsets.tolist()
    spelt = [tuple(texts.symbols[low:high].tolist()) for low, high in itertools.pairwise(bounds)]
    assert len(set(spelt)) == len(spelt)
    return dict(zip(spelt, texts.costs.tolist(), strict=True))


def loaded(texts: Texts, folder: Path, vocabulary: int = 40) -> LexiconCoder:
    texts.write(folder)
    coder = LexiconCoder(LexiconConfig(vocabulary=vocabulary))
    coder.load(folder)
    return coder


@pytest.mark.parametrize("seed", range(4))
def test_windows_are_cut_as_the_twin_says(seed: int, tmp_path: Path) -> None:
    texts, _, _ = trained(seed)
    costs, coder = named(texts), loaded(texts, tmp_path)
    rng = np.random.default_rng([seed, 1])
    windows = [tuple(rng.integers(0, ALPHABET, int(size)).tolist()) for size in rng.integers(1, 40, 60)]
    flat, bounds = np.array(list(itertools.chain(*windows))), offsets_of(list(map(len, windows)))
    tokens, counts = coder.encode(flat, bounds)
    spelt, ends = list(costs), offsets_of(counts)
    for window, low, high in zip(windows, ends[:-1], ends[1:], strict=True):
        assert [spelt[token] for token in tokens[low:high]] == twin_cut(window, costs)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_windows_that_were_met_before_are_cut_as_the_twin_says(kind: Any, tmp_path: Path) -> None:
    """Many short windows, again and again: more than are looked up at a time, and of more tokens than a slot holds."""
    texts, _, _ = trained(7)
    costs, coder = named(texts), loaded(texts, tmp_path)
    rng = np.random.default_rng(8)
    few = [tuple(rng.integers(0, ALPHABET, int(size)).tolist()) for size in rng.integers(0, 20, 150)]
    windows = [few[int(number)] for number in rng.integers(0, len(few), 900)]
    flat, bounds = np.array(list(itertools.chain(*windows)), kind), offsets_of(list(map(len, windows)))
    cuttings = {window: twin_cut(window, costs) for window in few}
    assert max(len(cutting) for cutting in cuttings.values()) > 7
    spelt = list(costs)
    for first in (0, 300, 0):
        tokens, counts = coder.encode(flat, bounds[first:])
        ends = offsets_of(counts)
        for window, low, high in zip(windows[first:], ends[:-1], ends[1:], strict=True):
            assert [spelt[token] for token in tokens[low:high]] == cuttings[window]


def test_of_equal_cuttings_the_last_text_is_longest(tmp_path: Path) -> None:
    texts = Texts.of(np.array([0, 1, 0, 1, 1, 0], np.int32), offsets_of([1, 1, 2, 2]), np.full(4, 7))
    tokens, _ = loaded(texts, tmp_path).encode(np.array([0, 1, 0]), np.array([0, 3]))
    assert tokens.tolist() == [0, 3]
    assert twin_cut((0, 1, 0), named(texts)) == [(0,), (1, 0)]


def test_every_text_is_a_symbol_or_used() -> None:
    """No code is spent on what the training text never uses, prefixes included; costs follow from the uses."""
    missing = 0
    for seed in range(3):
        texts, windows, trainer = trained(seed)
        costs = named(texts)
        assert list(costs)[:ALPHABET] == [(symbol,) for symbol in range(ALPHABET)]
        assert len(costs) <= 40
        uses = Counter(itertools.chain.from_iterable(twin_cut(window, costs) for window in windows))
        assert all(uses[text] for text in costs if len(text) > 1)
        missing += len({text[:size] for text in costs for size in range(2, len(text))} - set(costs))
        assert trainer.uses.sum() == uses.total()
    assert missing, "every prefix is a text: the test shows nothing"


def test_more_surcharge_makes_fewer_tokens() -> None:
    made = []
    for surcharge in (0, 3, 12):
        texts, windows, _ = trained(1, surcharge=surcharge)
        costs = named(texts)
        assert min(costs.values()) > surcharge << LOG_BITS
        made.append(sum(len(twin_cut(window, costs)) for window in windows))
    assert made[0] >= made[1] >= made[2]
    assert made[0] > made[2]


def test_lanes_change_nothing(tmp_path: Path) -> None:
    window, text = Window(alphabet=ALPHABET, bits=None, symbols=9, token_bits=8), np.arange(900) * 7 % 11 % ALPHABET
    bounds: Int64 = np.arange(0, 901, 9)
    found = []
    for lanes in (1, 3, 64):
        coder = LexiconCoder(LexiconConfig(vocabulary=30))
        train = Text(symbols=text, offsets=np.array([0, 900]), source_bytes=900)
        coder.fit_under(ToyPredictor(ALPHABET, 2, 3), window, train, bounds, lanes, tmp_path)
        found.append((tmp_path / FILE).read_bytes())
    assert found[0] == found[1] == found[2]


def test_texts_that_the_windowing_cuts_are_not_proposed() -> None:
    text = np.frombuffer(b"a word, a rose\n" * 40, np.uint8)
    window = Window(alphabet=256, bits=None, symbols=8, token_bits=9, table=word_table())
    weights = np.bincount(text, minlength=256)

    class Frequent(ToyPredictor):
        def row(self, context: tuple[int, ...]) -> Any:
            return normalise(weights)

    trainer = Trainer(Frequent(256, 0), window, text, np.arange(0, len(text) + 1, 8), 64, LexiconConfig(vocabulary=300))
    offered = [key for key in named(trainer.texts) if len(key) > 1]
    assert tuple(b" r") in offered
    assert all(cut_place(word_table(), key) is None for key in offered)


def test_equal_windows_are_counted_together() -> None:
    rng = np.random.default_rng(8)
    windows = [tuple(rng.integers(0, 9, int(size)).tolist()) for size in rng.integers(1, 6, 20_000)]
    flat, bounds = np.array(list(itertools.chain(*windows))), offsets_of(list(map(len, windows)))
    firsts, counts = distinct(flat, bounds)
    expected = Counter(windows)  # in the order of their first occurrence
    assert [windows[first] for first in firsts] == list(expected)
    assert counts.tolist() == list(expected.values())
    assert len(expected) > 1 << 12, "the table never grew"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"costs": np.zeros(8, np.int32)}, "a cost outside 1"),
        ({"costs": np.full(8, 1 << 27, np.int32)}, "a cost outside 1"),
        ({"costs": np.ones(7, np.int32)}, "8 texts and 7 costs"),
        ({"lengths": np.array([1] * 6 + [2, 3], np.int32)}, "lengths do not add up"),
        ({"lengths": np.array([1] * 6 + [4, 0], np.int32)}, "lengths do not add up"),
        ({"symbols": np.array([0, 1, 2, 3, 5, 4, 0, 1, 1, 1], np.int32)}, "not the symbols alone"),
        ({"symbols": np.array([0, 1, 2, 3, 4, 5, 0, 1, 1, 6], np.int32)}, "outside the alphabet of 6"),
        ({"symbols": np.array([0, 1, 2, 3, 4, 5, 0, 1, -1, 1], np.int32)}, "outside the alphabet of 6"),
        ({"symbols": np.array([0, 1, 2, 3, 4, 5, 0, 1, 0, 1], np.int32)}, "two texts are equal"),
        ({"symbols": np.zeros(10, np.int64)}, "no symbols in it"),
        ({"lengths": np.zeros(0, np.int32), "costs": np.zeros(0, np.int32)}, "0 texts"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    good = {
        "symbols": np.array([0, 1, 2, 3, 4, 5, 0, 1, 1, 1], np.int32),
        "lengths": np.array([1] * 6 + [2, 2], np.int32),
        "costs": np.ones(8, np.int32),
    }
    write_tensors(tmp_path / FILE, good)
    LexiconCoder(LexiconConfig(vocabulary=8)).load(tmp_path)
    with pytest.raises(ArtifactError, match="8 texts and 8 costs, where the recipe has 7"):
        LexiconCoder(LexiconConfig(vocabulary=7)).load(tmp_path)
    write_tensors(tmp_path / FILE, {**good, **change})
    with pytest.raises(ArtifactError, match=said) as caught:
        LexiconCoder(LexiconConfig(vocabulary=8)).load(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_vocabulary_below_the_alphabet_is_refused(tmp_path: Path) -> None:
    window = Window(alphabet=5, bits=None, symbols=9, token_bits=3)
    train = Text(symbols=np.zeros(9, np.int64), offsets=np.array([0, 9]), source_bytes=9)
    with pytest.raises(CodingError, match="cannot hold 5 symbols"):
        LexiconCoder(LexiconConfig(vocabulary=5)).fit_under(
            ToyPredictor(5), window, train, np.array([0, 9]), 8, tmp_path
        )
    assert LexiconConfig(vocabulary=5).problems(5, None)
    assert not LexiconConfig(vocabulary=6).problems(5, None)


def test_it_is_not_used_before_it_is_loaded() -> None:
    with pytest.raises(CodingError, match="no texts yet"):
        LexiconCoder(LexiconConfig()).pieces()


def test_it_passes_the_check_of_plugins() -> None:
    verdict = check_part(registry().get("coder", "lexicon"))
    assert not verdict.problems
