"""The coder `phrases`: the rule of words, the parse against its twin, training, and all that can be wrong."""

from __future__ import annotations

import itertools
import lzma
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recipes_of_tests import TEXT
from stackc.api import ArtifactError, CodingError, Text, read_tensors, write_tensors
from stackc.coding.trial import check_part
from stackc.parts.registry import registry
from stackc_phrases import PhrasesConfig, twin
from stackc_phrases.borders import WIDE, find_borders
from stackc_phrases.coder import PhrasesCoder
from stackc_phrases.fitting import COST_BITS, fitted, log2_fixed
from stackc_phrases.pieces import FILE, LONGEST, PHRASE_WORD, Pieces
from stackc_phrases.words import RULE, words_of, words_of_piece

CONFIGS = {
    "longest": PhrasesConfig(vocabulary=600, objective="use", parse="longest", share=0.4, rounds=4),
    "optimal": PhrasesConfig(vocabulary=600, share=0.4, surcharge=0, rounds=4),
    "words": PhrasesConfig(vocabulary=500, parse="longest", words=1, rounds=3),
}


def text_of(*documents: bytes) -> Text:
    offsets = np.cumsum([0, *map(len, documents)], dtype=np.int64)
    return Text(symbols=np.frombuffer(b"".join(documents), np.uint8), offsets=offsets, source_bytes=int(offsets[-1]))


MORE = "It's not 1,024 of 4096; don't.  The naïve café...\n\n\tthey'll (x = 3)\r\n"
DATA = Path(__file__).parents[3] / "recipes" / "data" / "test.txt.xz"
NOVEL = lzma.decompress(DATA.read_bytes())[: 1 << 17]
ENGLISH = text_of(NOVEL, b"", (MORE * 20).encode(), TEXT.encode())


@pytest.fixture(scope="module")
def coders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, PhrasesCoder]:
    made = {}
    for name, config in CONFIGS.items():
        folder = tmp_path_factory.mktemp(name)
        PhrasesCoder(config).fit(ENGLISH, 256, folder)
        made[name] = PhrasesCoder(config)
        made[name].load(folder)
    return made


def encode(coder: PhrasesCoder, *windows: bytes) -> list[list[int]]:
    bounds = np.cumsum([0, *map(len, windows)], dtype=np.int64)
    tokens, counts = coder.encode(np.frombuffer(b"".join(windows), np.uint8), bounds)
    ends = np.cumsum([0, *counts.tolist()])
    return [tokens[low:high].tolist() for low, high in itertools.pairwise(ends)]


def decode(coder: PhrasesCoder, tokens: list[int]) -> bytes:
    symbols, offsets = coder.pieces()
    return b"".join(symbols[offsets[token] : offsets[token + 1]].tobytes() for token in tokens)


AWKWARD = st.one_of(
    st.binary(max_size=80),
    st.lists(
        st.sampled_from([b" ", b" ", b"'", b"s", b"ll", b"'ll", b"'S", b"ve", b"T", b"\n", b"\r", b"\t", b"7", b"\xc3",
                         b".", b"a", b"\0", b" the", b" of the", b"It's", b" is a truth", b"  "]),
        max_size=90,
    ).map(b"".join),
)  # fmt: skip


# -- the rule of words


def borders(text: bytes) -> list[int]:
    places = np.zeros(len(text) + 1, np.int64)
    return places[: find_borders(np.frombuffer(text, np.uint8), 0, len(text), places, 0)].tolist()


@settings(max_examples=400, deadline=None, derandomize=True)
@given(data=AWKWARD, ahead=st.integers(0, 2 * WIDE))
def test_borders_are_those_of_the_regular_expression(data: bytes, ahead: int) -> None:
    """Also where a block of 64 bytes ends at any of them."""
    text = b"." * ahead + data
    words = words_of(text)
    assert b"".join(words) == text
    assert borders(text) == list(itertools.accumulate(map(len, words), initial=0))[:-1]


def test_all_short_texts_of_all_classes_are_cut_as_the_rule_says() -> None:
    for symbols in itertools.product(b"as'l .\n\t7\xe9", repeat=5):
        text = bytes(symbols)
        assert borders(text) == list(itertools.accumulate(map(len, words_of(text)), initial=0))[:-1]


def test_words_as_people_see_them() -> None:
    said = "It's what they'll\n\n   say, isn't it?  Don't 'sup o'clock x1234 ..."
    assert [word.decode() for word in words_of(said.encode())] == [
        "It", "'s", " what", " they", "'ll", "\n\n", "  ", " say", ",", " isn", "'t", " it", "?", " ", " Don", "'t",
        " '", "sup", " o", "'", "clock", " x", "1234", " ...",
    ]  # fmt: skip
    assert re.compile(RULE).groups == 0


# -- the parse


@pytest.mark.parametrize("name", CONFIGS)
@settings(max_examples=150, deadline=None, derandomize=True)
@given(data=AWKWARD)
def test_any_bytes_are_cut_as_the_twin_cuts_them(coders: dict[str, PhrasesCoder], name: str, data: bytes) -> None:
    coder = coders[name]
    pieces, _ = coder._ready()
    tokens = {text: token for token, text in enumerate(pieces.texts)}
    several = {text for text, words in zip(pieces.texts, pieces.words, strict=True) if words > 1}
    (found,) = encode(coder, data)
    assert decode(coder, found) == data
    if name == "optimal":
        assert found == twin.cheapest(tokens, several, pieces.costs.tolist(), data)
    else:
        assert found == twin.longest(tokens, several, data)


def test_the_vocabulary_holds_words_and_phrases(coders: dict[str, PhrasesCoder]) -> None:
    for name, coder in coders.items():
        pieces, _ = coder._ready()
        assert len(pieces.texts) == CONFIGS[name].vocabulary
        assert (pieces.words.max() > 1) == (CONFIGS[name].words > 1)
        for text, words in zip(pieces.texts, pieces.words.tolist(), strict=True):
            assert words == 1 or len(words_of_piece(text)) == words
        (found,) = encode(coder, TEXT.encode())
        assert len(found) < len(TEXT) / 2


def test_windows_of_one_word_hold_one_word(coders: dict[str, PhrasesCoder]) -> None:
    """Cut by words, no token holds more than one; cut not at all, a phrase does, and only from word to word."""
    coder = coders["longest"]
    pieces, _ = coder._ready()
    words = words_of(TEXT.encode())
    alone = [token for tokens in encode(coder, *words) for token in tokens]
    assert {int(pieces.words[token]) for token in alone} == {1}
    (whole,) = encode(coder, TEXT.encode())
    ends = set(itertools.accumulate(map(len, words)))
    at = 0
    for token in whole:
        assert pieces.words[token] == 1 or at in {0, *ends}
        at += len(pieces.texts[token])
        assert pieces.words[token] == 1 or at in ends
    assert len(whole) < len(alone)


def hand_made(pieces: dict[bytes, tuple[int, float]]) -> Pieces:
    """Bytes of 12 bits each, and more pieces: text to (words, cost in bits)."""
    every = [(bytes([byte]), 1, 12.0) for byte in range(256)] + [(text, *rest) for text, rest in pieces.items()]
    return Pieces(
        texts=[text for text, _, _ in every],
        words=np.array([words for _, words, _ in every], np.uint8),
        costs=np.array([int(cost * 2**COST_BITS) for *_, cost in every], np.int32),
    )


GOLDEN = hand_made(
    {
        b" th": (1, 6), b" the": (1, 4), b"em": (1, 8), b" of": (1, 4), b"he": (1, 7), b" of the": (2, 5),
        b" of the the": (3, 30), b"'s": (1, 5), b"It": (1, 9), b"It's": (2, 10), b"  ": (1, 3), b". The": (2, 9),
        b"them": (1, 20), b" The": (1, 14), b"\n ": (2, 6),
    }
)  # fmt: skip
SAID = b"It's of the the then, of them.  The   the\n them of the."
CUT = {
    "longest": "It's| of the the| the|n|,| of| the|m|.| | The|  | the|\n| the|m| of the|.",
    "optimal": "It's| of the| the| the|n|,| of| th|em|.| | The|  | the|\n| th|em| of the|.",
}


@pytest.mark.parametrize("parse", ["longest", "optimal"])
def test_golden_cuts(parse: Any, tmp_path: Path) -> None:
    GOLDEN.write(tmp_path)
    coder = PhrasesCoder(PhrasesConfig(vocabulary=300, parse=parse))
    coder.load(tmp_path)
    (found,) = encode(coder, SAID)
    assert "|".join(GOLDEN.texts[token].decode() for token in found) == CUT[parse]
