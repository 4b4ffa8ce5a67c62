"""Compiled levels: the walk against a naive longest match, decoding, and what is no dictionary."""

from pathlib import Path

import numpy as np
import pytest

from stackc.api import ArtifactError, CodingError
from stackc.dictionary import Dictionary


def random_dictionary(alphabet: int, size: int, seed: int) -> tuple[Dictionary, list[tuple[int, ...]]]:
    """A prefix-closed set of texts in preorder, and the texts."""
    rng = np.random.default_rng(seed)
    texts = {()} | {(s,) for s in range(alphabet)}
    while len(texts) < size:
        longest = sorted(texts)[int(rng.integers(len(texts)))]
        texts.add((*longest, int(rng.integers(alphabet))))
    ordered = sorted(texts)  # tuples sort in preorder: a prefix before what extends it
    number = {text: code for code, text in enumerate(ordered)}
    parent = np.array([number[text[:-1]] if text else -1 for text in ordered], np.int32)
    symbol = np.array([text[-1] if text else -1 for text in ordered], np.int32)
    return Dictionary(parent, symbol, alphabet), ordered


def naive(texts: list[tuple[int, ...]], symbols: list[int], segment: int, budget: int) -> list[int]:
    number = {text: code for code, text in enumerate(texts)}
    codes = []
    for first in range(0, len(symbols), segment):
        piece = symbols[first : first + segment]
        while piece:
            length = 1
            while length < min(len(piece), budget) and tuple(piece[: length + 1]) in number:
                length += 1
            codes.append(number[tuple(piece[:length])])
            piece = piece[length:]
    return codes


@pytest.mark.parametrize(("alphabet", "size"), [(1, 5), (2, 30), (5, 200), (300, 900)])
def test_walk_is_the_longest_match_and_decodes(alphabet: int, size: int) -> None:
    dictionary, texts = random_dictionary(alphabet, size, seed=size)
    rng = np.random.default_rng(size)
    documents = [rng.integers(0, alphabet, n) ** 2 % alphabet for n in (0, 1, 500, 37, 0, 1000)]
    offsets = np.concatenate([[0], np.cumsum([len(d) for d in documents])])
    symbols = np.concatenate(documents).astype(np.uint16)
    for segment, budget in ((64, 1000), (10_000, 2), (7, 3)):
        codes, starts, bounds = dictionary.encode(symbols, offsets, segment, budget)
        expected = [naive(texts, d.tolist(), segment, budget) for d in documents]
        assert codes.tolist() == [code for one in expected for code in one]
        assert np.diff(bounds).tolist() == [len(one) for one in expected]
        back, ends = dictionary.decode(codes.astype(np.int64), bounds)
        assert back.tolist() == symbols.tolist()
        assert ends.tolist() == offsets.tolist()
        lengths = dictionary.length[codes]
        assert starts.tolist() == (np.cumsum(lengths) - lengths).tolist()


def test_forced_cuts_start_windows() -> None:
    dictionary, _ = random_dictionary(2, 60, seed=1)
    symbols = np.random.default_rng(1).integers(0, 2, 400).astype(np.uint8)
    cuts = np.random.default_rng(2).random(400) < 0.2
    _, starts, _ = dictionary.encode(symbols, np.array([0, 400]), 100, 50, cuts)
    assert set(np.flatnonzero(cuts)) <= set(starts.tolist())


def test_codes_of_a_text_are_those_of_all_that_extend_it() -> None:
    dictionary, texts = random_dictionary(3, 100, seed=3)
    for code, text in enumerate(texts):
        inside = [c for c, t in enumerate(texts) if t[: len(text)] == text]
        assert inside == list(range(code, dictionary.end[code]))
        assert tuple(dictionary.text(code)) == text
        assert [texts[c] for c in dictionary.children(code)] == [t for t in texts if t[:-1] == text and t]


def test_left_over_codes_name_the_text_that_reached_the_budget() -> None:
    # Codes 2 and 3 are both "00": with a budget of two symbols nothing extends it.
    dictionary = Dictionary(np.array([-1, 0, 1, 1, 0]), np.array([-1, 0, 0, 0, 1]), 2)
    codes, _, _ = dictionary.encode(np.zeros(4, np.uint8), np.array([0, 4]), 10, 2)
    assert codes.tolist() == [2, 2]
    assert dictionary.text(3) == [0, 0]
    assert dictionary.children(1).tolist() == [2]
    assert dictionary.end.tolist()[1:3] == [4, 4]


def test_saved_and_loaded(tmp_path: Path) -> None:
    dictionary, _ = random_dictionary(4, 50, seed=5)
    dictionary.save(tmp_path / "d.safetensors")
    again = Dictionary.load(tmp_path / "d.safetensors", 4)
    assert (again.parent == dictionary.parent).all()
    assert (again.symbol == dictionary.symbol).all()


@pytest.mark.parametrize(
    ("parent", "symbol"),
    [
        ([-1, 0, 5], [-1, 0, 1]),  # a parent after its child
        ([-1, 0, 0], [-1, 0, 9]),  # a symbol outside the alphabet
        ([-1, 0, 1], [-1, 0, 1]),  # no text for symbol 1
        ([-1], [-1]),
        ([-1, 0, -7], [-1, 0, 1]),
    ],
)
def test_what_is_no_dictionary_is_refused(parent: list[int], symbol: list[int]) -> None:
    with pytest.raises(ArtifactError):
        Dictionary(np.array(parent), np.array(symbol), 2)


def test_symbols_and_codes_out_of_range_are_refused() -> None:
    dictionary, _ = random_dictionary(4, 20, seed=6)
    with pytest.raises(CodingError, match="outside the alphabet of 4"):
        dictionary.encode(np.array([4], np.uint8), np.array([0, 1]), 10, 10)
    with pytest.raises(CodingError, match="outside the dictionary"):
        dictionary.decode(np.array([20]), np.array([0, 1]))
