"""Encoding word by word gives the codes of the walk, whatever the text and whatever a table of words has forgotten."""

from __future__ import annotations

import functools
import itertools
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackc.api import WORD_RULE, Windowing
from stackc.api.word_tables import SHORT, UNKEYED, ask_words, enter_word, find_word, word_table
from stackc.coding.dictionary import by_words
from stackc.coding.dictionary import threads as shares
from stackc.coding.dictionary.dictionary import Dictionary
from stackc.coding.level import Level
from stackc.coding.spec import LevelSpec
from stackc.parts.registry import registry
from stackc_coders import TunstallConfig
from stackc_coders.tunstall import TunstallCoder

SENTENCE = (
    b"It's what they'll say, isn't it?  Don't 'sup o'clock x1234 ...\n\n\tna\xc3\xafve caf\xc3\xa9s 'll \t\v \r\n"
    b"internationalisations of incomprehensibilities; a's b''s 9's \x00\x00 \xff\xfe !'s 'S 'RE'd   \n  end"
)
AWKWARD = st.lists(
    st.one_of(
        st.sampled_from([b" ", b"  ", b"\t", b"\n", b"\r\n", b"\x00", b"'", b"'s", b"'ll", b"\xff", b"\xc3\xa9", b"!"]),
        st.sampled_from(SENTENCE.split(b" ")),
        st.binary(max_size=6),
        st.integers(1, 90).map(lambda times: b"ab" * times),
    ),
    max_size=40,
).map(b"".join)


def words_of(text: bytes) -> list[bytes]:
    return [found.encode("latin-1") for found in re.findall(WORD_RULE, text.decode("latin-1"))]


def dictionary_of(texts: set[bytes]) -> Dictionary:
    """All bytes, these texts and their beginnings."""
    known = {b"", *(bytes([byte]) for byte in range(256))}
    known.update(text[:size] for text in texts for size in range(2, len(text) + 1))
    ordered = sorted(known)
    number = {text: code for code, text in enumerate(ordered)}
    parent = np.array([number[text[:-1]] if text else -1 for text in ordered], np.int32)
    return Dictionary(parent, np.array([text[-1] if text else -1 for text in ordered], np.int32), 256)


@functools.cache
def words_dictionary(wide: bool = False) -> Dictionary:
    """Half of the words of `SENTENCE`, so that words have one code or many; `wide`: more texts than 16 bits name."""
    letters = [*range(0x41, 0x5B), *range(0x61, 0x7B), *range(0x80, 0x100)]
    triples = [*itertools.product(b"as", letters, letters), *itertools.product(b"e", letters, b"as")] if wide else []
    return dictionary_of(set(words_of(SENTENCE)[::2]) | {b"abababab"} | {bytes(three) for three in triples})


def windowing() -> Windowing:
    part = registry().get("windowing", "words")
    made: Windowing = part.factory(part.config())
    return made


def level_of(dictionary: Dictionary, segment: int, threads: int = 1, rule: str | None = WORD_RULE) -> Level:
    """A level of words; without a rule it takes the walk."""
    spec = LevelSpec(
        name="M1",
        alphabet=256,
        segment=segment,
        windowing=attrs.evolve(windowing(), rule=rule),
        coder=TunstallCoder(TunstallConfig(vocabulary=len(dictionary))),
        flags=TunstallConfig(vocabulary=len(dictionary)),
        token_bits=17,
        vocabulary=len(dictionary),
        threads=threads,
    )
    return Level(spec, dictionary)


def check(dictionary: Dictionary, text: bytes, segment: int, offsets: Any = None, threads: int = 1) -> None:
    symbols = np.frombuffer(text, np.uint8)
    by_word, walked = level_of(dictionary, segment, threads), level_of(dictionary, segment, rule=None)
    assert by_word.route.asks_for_cuts
    assert not walked.route.asks_for_cuts
    found, expected = by_word.encode(symbols, offsets), walked.encode(symbols, offsets)
    assert found.tokens.dtype == expected.tokens.dtype
    assert np.array_equal(found.tokens, expected.tokens)
    assert np.array_equal(found.offsets, expected.offsets)
    assert by_word.decode(found.tokens, found.offsets).symbols.tobytes() == text


@settings(max_examples=150, deadline=None, derandomize=True)
@given(data=AWKWARD, ahead=st.integers(0, 130), segment=st.sampled_from([1, 2, 7, 64, 100, 5000]))
@pytest.mark.parametrize("wide", [False, True], ids=["16 bits", "32 bits"])
def test_codes_are_those_of_the_walk(data: bytes, ahead: int, segment: int, wide: bool) -> None:
    assert (len(words_dictionary(wide)) > 1 << 16) == wide
    check(words_dictionary(wide), b"." * ahead + data, segment)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(data=AWKWARD, cuts=st.lists(st.integers(0, 400), max_size=6), segment=st.sampled_from([3, 50, 5000]))
def test_documents_are_cut_as_the_walk_cuts_them(data: bytes, cuts: list[int], segment: int) -> None:
    """Also empty ones, and ones whose words would go on in the next."""
    inner = sorted(min(cut, len(data)) for cut in cuts)
    check(words_dictionary(), data, segment, np.array([0, *inner, len(data)], np.int64))


def test_all_short_texts_of_all_classes_have_the_codes_of_the_walk() -> None:
    texts = [bytes(symbols) for symbols in itertools.product(b"as'l .\n\t7\xe9", repeat=4)]
    every = dictionary_of({word for text in texts for word in words_of(text)})
    joined = b"".join(texts)
    check(every, joined, 5000, np.arange(0, len(joined) + 1, 4))
    check(words_dictionary(), joined, 5000, np.arange(0, len(joined) + 1, 4))


def hostile(size: int) -> bytes:
    """Words that never come again."""
    return np.random.default_rng(0).integers(0, 256, size).astype(np.uint8).tobytes()


def test_a_text_of_new_words_is_left_to_the_walk_for_a_while() -> None:
    dictionary = dictionary_of(set(words_of(SENTENCE)[::2]))
    text = hostile(600_000) + SENTENCE * 400 + hostile(70_000)
    check(dictionary, text, 10_000, np.array([0, 250_000, 250_001, 655_000, len(text)]))
    (words,) = dictionary._words
    assert words.rest > 0
    for resting in (0, 10, 300_000):
        words.resting = resting
        check(dictionary, text, 10_000, np.array([0, 250_000, 250_001, 655_000, len(text)]))
    assert len(dictionary._words) == 1


def test_a_table_that_forgets_changes_no_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_words, "TABLE_BITS", 2)
    dictionary = dictionary_of(set(words_of(SENTENCE)[::2]))
    for _ in range(2):
        check(dictionary, SENTENCE * 300, 999)


def test_threads_share_a_dictionary_and_no_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "SHARE", 5_000)
    dictionary, text = words_dictionary(), SENTENCE * 200 + hostile(20_000)
    check(dictionary, text, 700, np.array([0, 6_000, 6_000, len(text)]), threads=4)
    texts = [text[start:] for start in range(0, 400, 50)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda one: check(dictionary, one, 700), texts))


def test_texts_of_several_words_are_not_looked_up_word_by_word() -> None:
    table = windowing().table
    assert table is not None
    assert words_dictionary().has_words(table, 1024)
    assert not words_dictionary().has_words(table, 3)
    for text in (b"a b", b"a1", b"\n ", b"...a"):
        assert not dictionary_of({text}).has_words(table, 1024)
        assert not level_of(dictionary_of({text}), 100).route.asks_for_cuts


# -- the table


def keys_of(text: bytes, places: list[int], table: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    keys = np.zeros((len(places) - 1, 4), np.uint64)
    ask_words(np.frombuffer(text, np.uint8), np.array(places, np.int64), 0, len(places) - 1, table, keys.reshape(-1))
    return keys[:, :3]


def test_words_of_equal_bytes_have_equal_keys_wherever_they_stand() -> None:
    """Also where the text ends soon, so that no sixteen bytes can be read; words that are too long have no key."""
    table = word_table(4)
    for size in range(1, SHORT + 1):
        word = bytes(range(256 - size, 256))
        text = word + b"a" + word
        first, _, last = keys_of(text, [0, size, size + 1, len(text)], table)
        assert np.array_equal(first, last)
        assert int(first[1]) >> 56 == size
        assert (int(first[0]) | (int(first[1]) << 64)).to_bytes(16, "little")[:size] == word
    assert keys_of(b"a" * 40, [0, SHORT + 1, 40], table)[:, 1].tolist() == [int(UNKEYED)] * 2


def test_what_was_met_longest_ago_is_forgotten() -> None:
    table, slot, places = word_table(2), np.uint64(0), range(1, 6)
    words = [(np.uint64(n), np.uint64(1 << 56)) for n in places]
    for n, (low, high) in zip(places, words, strict=True):
        enter_word(table, slot, low, high, np.uint64(10 * n), np.uint64(n))
    assert table.reshape(4, 4)[:, 0].tolist() == [5, 4, 3, 2]
    assert not find_word(table, slot, *words[0])
    assert find_word(table, slot, *words[2])
    assert table.reshape(4, 4)[:, 2].tolist() == [30, 40, 50, 20]
    before = table.copy()
    enter_word(table, slot, np.uint64(0), UNKEYED, np.uint64(1), np.uint64(1))
    assert np.array_equal(table, before)
