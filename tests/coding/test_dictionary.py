"""Compiled levels: the kernels against the plain walk, decoding, and what is no dictionary."""

from __future__ import annotations

import itertools
import pickle
import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackc.api import ArtifactError, CodingError
from stackc.coding.dictionary import decoding as spell
from stackc.coding.dictionary import dictionary as module
from stackc.coding.dictionary import encoding as walk
from stackc.coding.dictionary import marking
from stackc.coding.dictionary import threads as shares
from stackc.coding.dictionary import twin as plain_walk
from stackc.coding.dictionary.dictionary import Dictionary

Text = tuple[int, ...]


def random_dictionary(alphabet: int, size: int, seed: int) -> tuple[Dictionary, list[Text]]:
    """A prefix-closed set of texts in preorder, and the texts. Half of them extend one of the last made, so that
    some get long."""
    rng = np.random.default_rng(seed)
    made: list[Text] = [(), *((s,) for s in range(alphabet))]
    known = set(made)
    while len(made) < size:
        above = (
            made[int(rng.integers(len(made)))] if rng.random() < 0.5 else made[-1 - int(rng.integers(5)) % len(made)]
        )
        text = (*above, int(rng.integers(min(alphabet, 1 + int(rng.integers(alphabet))))))
        if text not in known:
            known.add(text)
            made.append(text)
    ordered = sorted(made)  # tuples sort in preorder: a prefix before what extends it
    number = {text: code for code, text in enumerate(ordered)}
    parent = np.array([number[text[:-1]] if text else -1 for text in ordered], np.int32)
    symbol = np.array([text[-1] if text else -1 for text in ordered], np.int32)
    return Dictionary(parent, symbol, alphabet), ordered


def random_documents(
    dictionary: Dictionary, texts: list[Text], lengths: list[int], seed: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Documents of texts of the dictionary with strange symbols between them; flat, and their offsets."""
    rng = np.random.default_rng(seed)
    flat: list[int] = []
    for length in lengths:
        document: list[int] = []
        while len(document) < length:
            document += texts[int(rng.integers(len(texts)))]
            if rng.random() < 0.2:
                document.append(int(rng.integers(dictionary.alphabet)))
        flat += document[:length]
    return np.array(flat, np.int64), np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def check(
    dictionary: Dictionary, symbols: npt.NDArray[np.integer], offsets: npt.NDArray[np.int64], segment: int, budget: int,
    cuts: npt.NDArray[np.bool_] | None = None, threads: int = 1,
) -> None:  # fmt: skip
    """Encoding is that of the plain walk, and decoding gives the symbols back."""
    parent, symbol = dictionary.parent.tolist(), dictionary.symbol.tolist()
    longer = plain_walk.extensions(parent, symbol)
    expected = [
        plain_walk.encode(longer, symbols[a:z].tolist(), segment, budget, None if cuts is None else cuts[a:z].tolist())
        for a, z in itertools.pairwise(offsets)
    ]
    codes, bounds = dictionary.encode(symbols, offsets, segment, budget, cuts, threads)
    assert codes.tolist() == [code for one in expected for code in one]
    assert np.diff(bounds).tolist() == [len(one) for one in expected]
    back, ends = dictionary.decode(codes, bounds, threads)
    assert back.tolist() == symbols.tolist() == plain_walk.decode(parent, symbol, codes.tolist())
    assert ends.tolist() == offsets.tolist()
    lengths = [len(dictionary.text(code)) for code in codes.tolist()]
    assert dictionary.starts(codes).tolist() == (np.cumsum(lengths) - lengths).tolist()


@pytest.fixture(params=["fast", "fallback"])
def routes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Once as it is, and once as where a trie does not fit into a double array and texts are too long to lay out."""
    if request.param == "fallback":
        monkeypatch.setattr(module, "PACK_WORK", -1)
        monkeypatch.setattr(module, "LAID_OUT_BYTES", -1)
    monkeypatch.setattr(shares, "SHARE", 300)
    return str(request.param)


@pytest.mark.parametrize(
    ("alphabet", "size"), [(1, 2), (1, 40), (2, 30), (5, 200), (256, 1500), (300, 900), (65_536, 67_000)]
)
def test_the_kernels_do_what_the_plain_walk_does(alphabet: int, size: int, routes: str) -> None:
    dictionary, texts = random_dictionary(alphabet, size, seed=size)
    assert (dictionary._table is None) == (routes == "fallback" and size > alphabet + 1)
    lengths = [0, 1, 500, 37, 0, 1000, walk.SHORT - 1, walk.SHORT, 0, 2500, *[1] * 30, 900, 2, 0]
    symbols, offsets = random_documents(dictionary, texts, lengths, seed=1)
    cuts = np.random.default_rng(2).random(len(symbols)) < 0.1
    for threads, (segment, budget) in enumerate(((10_000, 1 << 30), (150, 1000), (7, 3), (10_000, 2), (1 << 30, 60))):
        check(dictionary, symbols, offsets, segment, budget, threads=1 + threads % 3)
    check(dictionary, symbols, offsets, 400, 50, cuts, threads=2)


@pytest.mark.parametrize("count", [*range(1, walk.LANES + 2), 2 * walk.LANES + 3, walk.GROUP + walk.LANES - 1])
def test_any_number_of_segments_is_walked_side_by_side(count: int) -> None:
    """Lanes that have no segment left repeat what another lane does; the last segments are walked alone."""
    dictionary, texts = random_dictionary(20, 300, seed=count)
    lengths = np.random.default_rng(count).integers(walk.SHORT, 3 * walk.SHORT, count).tolist()
    symbols, offsets = random_documents(dictionary, texts, lengths, seed=count)
    check(dictionary, symbols, offsets, 1 << 30, 1 << 30)
    check(dictionary, symbols, offsets, 2 * walk.SHORT, 1 << 30)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    alphabet=st.integers(1, 40),
    lengths=st.lists(st.integers(0, 900), max_size=9),
    segment=st.sampled_from([1, 7, 150, 400, 1 << 30]),
    budget=st.sampled_from([2, 20, 1 << 30]),
    part=st.integers(1, 3000),
    share=st.sampled_from([100, 1 << 20]),
    often=st.sampled_from([0.0, 0.02, 0.5, 1.0]),
)
def test_forced_cuts_marked_in_parts_are_cuts(
    seed: int, alphabet: int, lengths: list[int], segment: int, budget: int, part: int, share: int, often: float
) -> None:
    """Whatever the size of a part, which may end in a document, between two, or among empty ones."""
    dictionary, texts = random_dictionary(alphabet, 41 + alphabet, seed)
    symbols, offsets = random_documents(dictionary, texts, lengths, seed)
    cuts = np.random.default_rng(seed).random(len(symbols)) < often
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(marking, "PART", part)
        patch.setattr(shares, "SHARE", share)
        check(dictionary, symbols, offsets, segment, budget, cuts, threads=2)


def test_marked_symbols_have_a_type_that_holds_them() -> None:
    """Alphabets of up to 2^15 in two bytes, larger ones in four; those that no entry can tell apart, not at all."""
    most = int(walk.EMPTY) // 2
    assert marking.can_mark(most)
    assert not marking.can_mark(most + 1)
    for alphabet in (1 << 15, (1 << 15) + 1, most + 1):
        dictionary, texts = random_dictionary(alphabet, alphabet + 200, seed=5)
        symbols, offsets = random_documents(dictionary, texts, [700, 0, 90], seed=5)
        symbols[::50] = alphabet - 1
        check(dictionary, symbols, offsets, 300, 1 << 30, np.random.default_rng(5).random(len(symbols)) < 0.1)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    alphabet=st.integers(1, 40),
    more=st.integers(0, 120),
    lengths=st.lists(st.integers(0, 700), max_size=9),
    segment=st.integers(1, 800),
    budget=st.integers(1, 30),
    threads=st.integers(1, 3),
    cut=st.booleans(),
)
def test_any_dictionary_any_documents(
    seed: int, alphabet: int, more: int, lengths: list[int], segment: int, budget: int, threads: int, cut: bool
) -> None:
    dictionary, texts = random_dictionary(alphabet, 1 + alphabet + more, seed)
    symbols, offsets = random_documents(dictionary, texts, lengths, seed)
    cuts = np.random.default_rng(seed).random(len(symbols)) < 0.1 if cut else None
    share, shares.SHARE = shares.SHARE, 100
    try:
        check(dictionary, symbols, offsets, segment, budget, cuts, threads)
        check(dictionary, symbols, offsets, segment, 1 << 30, None, threads)
    finally:
        shares.SHARE = share


def test_groups_of_segments_larger_than_the_scratch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "SCRATCH", 1)
    dictionary, texts = random_dictionary(7, 300, seed=4)
    symbols, offsets = random_documents(dictionary, texts, [9000, 3, 4000, 200, 5000], seed=4)
    for segment in (130, 500, 2000, 100_000):
        check(dictionary, symbols, offsets, segment, 1 << 30)


@pytest.mark.parametrize("most", [0, 1 << 24])
def test_calls_share_no_memory_with_each_others_results(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(module, "KEPT_ROOM", most)
    dictionary, texts = random_dictionary(9, 60, seed=5)
    given = [random_documents(dictionary, texts, [size], seed=size) for size in (400, 3000, 50)]
    found = [dictionary.encode(*one, 100, 100)[0] for one in given]
    kept = [codes.tolist() for codes in found]
    for codes, expected in zip(found, kept, strict=True):
        codes[:] = 1
        assert [dictionary.encode(*one, 100, 100)[0].tolist() for one in given] == kept
        assert codes.tolist() == [1] * len(expected)


class Hasty(list):  # type: ignore[type-arg]
    """Memory that another thread takes as soon as it is given back."""

    def append(self, room: Any) -> None:
        room[:] = 7
        super().append(room)


def test_results_are_taken_from_kept_memory_before_it_is_given_back() -> None:
    dictionary, texts = random_dictionary(9, 60, seed=5)
    symbols, offsets = random_documents(dictionary, texts, [4000], seed=6)
    expected = dictionary.encode(symbols, offsets, 100, 100)[0].tolist()
    dictionary._room, dictionary._scratch = Hasty(), Hasty()
    for _ in range(3):
        assert dictionary.encode(symbols, offsets, 100, 100)[0].tolist() == expected
    assert dictionary._room, "nothing was kept"


def test_threads_that_code_texts_of_one_size_get_their_own() -> None:
    dictionary, texts = random_dictionary(9, 60, seed=5)
    given = [random_documents(dictionary, texts, [40_000], seed=seed) for seed in range(4)]
    expected = [dictionary.encode(*one, 100, 100)[0].tobytes() for one in given]
    wrong = []

    def work(number: int) -> None:
        for _ in range(60):
            if dictionary.encode(*given[number], 100, 100)[0].tobytes() != expected[number]:
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(dictionary._room) <= module.KEPT_ROOMS


def test_a_copy_has_the_texts_alone() -> None:
    dictionary, texts = random_dictionary(9, 60, seed=5)
    symbols, offsets = random_documents(dictionary, texts, [40_000], seed=6)
    for _ in range(3):
        codes = dictionary.encode(symbols, offsets, 100, 100)[0]
    packed = pickle.dumps(dictionary)
    assert len(packed) < 10_000
    assert pickle.loads(packed).encode(symbols, offsets, 100, 100)[0].tolist() == codes.tolist()


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.uint16, np.uint32, np.int64])
def test_symbols_of_any_type_and_codes_of_the_smallest(kind: type) -> None:
    dictionary, texts = random_dictionary(100, 400, seed=8)
    symbols, offsets = random_documents(dictionary, texts, [300, 40], seed=8)
    given_symbols = symbols.astype(kind)
    given_symbols.flags.writeable = False
    codes, bounds = dictionary.encode(given_symbols, offsets, 64, 64)
    assert codes.dtype == np.uint16
    assert codes.tolist() == dictionary.encode(symbols, offsets, 64, 64)[0].tolist()
    back, _ = dictionary.decode(codes.astype(np.int64), bounds)
    assert back.dtype == np.uint8
    assert back.tolist() == symbols.tolist()
    assert dictionary.encode(symbols[::2].astype(kind), np.array([0, 170]), 64, 64)[0].tolist()


def test_worst_cases_of_packing_end_soon_and_walk_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many families of many, far apart: a double array of four places a text cannot hold them."""
    rng = np.random.default_rng(0)
    alphabet = 4096
    families = [sorted(rng.choice(alphabet, 64, replace=False).tolist()) for _ in range(400)]
    texts: list[Text] = [(), *((s,) for s in range(alphabet))]
    texts += [(first, second) for first, family in enumerate(families) for second in family]
    ordered = sorted(texts)
    number = {text: code for code, text in enumerate(ordered)}
    parent = np.array([number[text[:-1]] if text else -1 for text in ordered])
    dictionary = Dictionary(parent, np.array([text[-1] if text else -1 for text in ordered]), alphabet)
    symbols, offsets = random_documents(dictionary, texts, [2000, 500], seed=0)
    check(dictionary, symbols, offsets, 700, 1 << 30)


def test_an_alphabet_too_wide_for_a_double_array() -> None:
    alphabet = 1 << walk.SYMBOL_BITS
    pairs = [(0, 5), (0, alphabet - 1), (alphabet - 1, 0), (alphabet - 1, alphabet - 1)]
    ordered = sorted([(), *((s,) for s in range(alphabet)), *pairs])
    number = {text: code for code, text in enumerate(ordered)}
    parent = np.array([number[text[:-1]] if text else -1 for text in ordered])
    dictionary = Dictionary(parent, np.array([text[-1] if text else -1 for text in ordered]), alphabet)
    assert dictionary._table is None
    symbols, offsets = random_documents(dictionary, [(0, 5, 7), *pairs], [300, 0, 1], seed=0)
    check(dictionary, symbols, offsets, 100, 1 << 30)


def test_texts_of_a_chain_share_their_place() -> None:
    """A text of 65,535 symbols and all its beginnings: laid out once, not 2^31 symbols."""
    size = 65_536
    parent = np.arange(-1, size - 1)
    dictionary = Dictionary(parent, np.append(-1, np.zeros(size - 1, np.int32)), 1)
    _, laid_out = dictionary._texts
    assert laid_out is not None
    assert len(laid_out) == size - 1 + spell.WIDE
    codes, bounds = dictionary.encode(np.zeros(100_000, np.uint8), np.array([0, 100_000]), 1 << 20, 1 << 20)
    assert codes.tolist() == [65_535, 34_465]
    assert dictionary.decode(codes, bounds)[0].tolist() == [0] * 100_000


def test_forced_cuts_start_windows() -> None:
    dictionary, _ = random_dictionary(2, 60, seed=1)
    symbols = np.random.default_rng(1).integers(0, 2, 400).astype(np.uint8)
    cuts = np.random.default_rng(2).random(400) < 0.2
    codes, _ = dictionary.encode(symbols, np.array([0, 400]), 100, 50, cuts)
    assert set(np.flatnonzero(cuts)) <= set(dictionary.starts(codes).tolist())


def test_codes_of_a_text_are_those_of_all_that_extend_it() -> None:
    dictionary, texts = random_dictionary(3, 100, seed=3)
    for code, text in enumerate(texts):
        inside = [c for c, t in enumerate(texts) if t[: len(text)] == text]
        assert inside == list(range(code, dictionary.end[code]))
        assert tuple(dictionary.text(code)) == text
        longer = [c for c, t in enumerate(texts) if t[:-1] == text and t]
        assert dictionary.children(code).tolist() == longer
        assert [dictionary.child(code, s) for s in range(3) if dictionary.child(code, s)] == longer


def test_left_over_codes_name_the_text_that_reached_the_budget() -> None:
    # Codes 2 and 3 are both "00": with a budget of two symbols nothing extends it.
    dictionary = Dictionary(np.array([-1, 0, 1, 1, 0]), np.array([-1, 0, 0, 0, 1]), 2)
    codes, _ = dictionary.encode(np.zeros(4, np.uint8), np.array([0, 4]), 10, 2)
    assert codes.tolist() == [2, 2]
    assert dictionary.text(3) == [0, 0]
    assert dictionary.decode(np.array([3, 4, 3]), np.array([0, 3]))[0].tolist() == [0, 0, 1, 0, 0]
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
        ([-1, 0, 0], [-1, 1, 0]),  # siblings out of order
        ([-1], [-1]),
        ([-1, 0, -7], [-1, 0, 1]),
    ],
)
def test_what_is_no_dictionary_is_refused(parent: list[int], symbol: list[int]) -> None:
    with pytest.raises(ArtifactError):
        Dictionary(np.array(parent), np.array(symbol), 2)


def test_symbols_and_codes_out_of_range_are_refused() -> None:
    dictionary, _ = random_dictionary(4, 20, seed=6)
    for wrong in (np.array([4], np.uint8), np.array([-1]), np.array([1 << 40])):
        with pytest.raises(CodingError, match="outside the alphabet of 4"):
            dictionary.encode(wrong, np.array([0, 1]), 10, 10)
    for code in (20, -1, 65_556):
        with pytest.raises(CodingError, match="outside the dictionary"):
            dictionary.decode(np.array([code]), np.array([0, 1]))
