"""The texts of symbols: expanded through dictionaries and pieces, against decoding; where there are none; limits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackc.api import CodingError, SymbolTexts, Windowing, offsets_of
from stackc.coding.dictionary.dictionary import Dictionary
from stackc.coding.level import Level
from stackc.coding.spec import LevelSpec
from stackc.coding.texts import byte_texts, expanded, symbol_texts, why_no_texts
from stackc.testing.driving import TablePredictor
from stackc_coders import ArithmeticConfig
from stackc_coders.arithmetic import ArithmeticCoder

PIECES = [b"th", b"", b"the ", b"a", b"\x00\xff", b"th"]


class Pieces:
    """A piece coder of `PIECES` and one of nothing, whatever it is given: only its table is asked for."""

    budget, ends, total, needs_model = False, True, True, False

    def __init__(self, pieces: list[Any]) -> None:
        self._pieces = pieces

    def pieces(self) -> Any:
        symbols = np.array([symbol for piece in self._pieces for symbol in piece], np.int64)
        return symbols, offsets_of([len(piece) for piece in self._pieces])

    def encode(self, symbols: Any, bounds: Any) -> Any:
        raise AssertionError


class Tree:
    """A dictionary coder: its level is compiled, or nothing."""

    budget, ends, total, needs_model = False, True, True, True

    def dictionary(self, *_: Any) -> Any:
        raise AssertionError


def spec(name: str, alphabet: int, coder: Any, vocabulary: int) -> LevelSpec:
    return LevelSpec(
        name=name, alphabet=alphabet, segment=100, windowing=Windowing(), coder=coder, vocabulary=vocabulary,
        token_bits=max(1, (vocabulary - 1).bit_length()), load_predictor=lambda: None,  # type: ignore[arg-type, return-value]
    )  # fmt: skip


def piece_level(name: str, alphabet: int, pieces: list[Any], vocabulary: int) -> Level:
    return Level(spec(name, alphabet, Pieces(pieces), vocabulary))


def dictionary_level(name: str, texts: list[tuple[int, ...]], alphabet: int, vocabulary: int) -> Level:
    """A level of all texts of one symbol and these, which are prefix-closed with them."""
    whole = sorted({(), *((symbol,) for symbol in range(alphabet)), *texts})
    places = {text: code for code, text in enumerate(whole)}
    parent = np.array([-1, *(places[text[:-1]] for text in whole[1:])], np.int32)
    symbol = np.array([-1, *(text[-1] for text in whole[1:])], np.int32)
    return Level(spec(name, alphabet, Tree(), vocabulary), Dictionary(parent, symbol, alphabet))


def stepped(bits: int, token_bits: int) -> Level:
    """Windows of a coder with a model, not compiled."""
    row = np.full((1, 256), (1 << 24) // 256, np.uint32)
    return Level(
        LevelSpec(
            name="M1", alphabet=256, segment=100, windowing=Windowing(bits=bits, restart="window"),
            coder=ArithmeticCoder(), flags=ArithmeticConfig(), token_bits=token_bits,
            load_predictor=lambda: TablePredictor(row),
        )
    )  # fmt: skip


def test_a_byte_is_its_own_text() -> None:
    texts = symbol_texts([])
    assert texts is not None
    assert [texts[symbol] for symbol in range(len(texts))] == [bytes([symbol]) for symbol in range(256)]


def test_texts_of_pieces_and_of_dictionaries_above_them() -> None:
    """Duplicates keep their text, numbers without one are empty, and add nothing to texts above."""
    low = piece_level("M1", 256, PIECES, 8)
    one = symbol_texts([low])
    assert one is not None
    assert [one[symbol] for symbol in range(len(one))] == [*PIECES, b"", b""]
    high = dictionary_level("M2", [(2, 3), (2, 3, 1), (2, 3, 1, 4), (7, 0)], 8, 20)
    two = symbol_texts([low, high])
    assert two is not None
    assert len(two) == 20
    assert high.dictionary is not None
    for code in range(20):
        symbols = high.dictionary.text(code) if code < len(high.dictionary) else []
        assert two[code] == b"".join(one[symbol] for symbol in symbols)
    assert two[0] == b""
    assert b"the a\x00\xff" in [two[code] for code in range(20)]
    again = symbol_texts([low, high])
    assert again is not None
    assert (again.data.tobytes(), again.offsets.tolist()) == (two.data.tobytes(), two.offsets.tolist())
    assert not again.data.flags.writeable


@given(st.lists(st.lists(st.integers(0, 5), max_size=6), max_size=12), st.integers(0, 3))
def test_texts_are_what_the_levels_decode_to(pieces: list[list[int]], more: int) -> None:
    levels = [piece_level("M1", 256, PIECES, 6), piece_level("M2", 6, pieces, len(pieces) + more)]
    texts = symbol_texts(levels)
    assert texts is not None
    for code in range(len(pieces) + more):
        symbols = levels[1].decode(np.array([code]), None).symbols
        assert texts[code] == levels[0].decode(symbols, None).symbols.tobytes()


def test_symbols_whose_codes_have_no_text_of_their_own() -> None:
    assert symbol_texts([stepped(24, 24)]) is None  # too many bits to be compiled
    assert symbol_texts([stepped(24, 24), piece_level("M2", 1 << 24, [[0]], 4)]) is None
    low = dictionary_level("M1", [(3, 4)], 256, 300)
    halves = Level(stepped(10, 5).spec, low.dictionary)  # two tokens a code
    assert symbol_texts([halves]) is None


def test_why_there_are_no_texts_is_known_before_a_model_exists() -> None:
    low = piece_level("M1", 256, PIECES, 8).spec
    assert why_no_texts([]) is None
    assert why_no_texts([low, dictionary_level("M2", [], 8, 20).spec]) is None
    assert why_no_texts([stepped(10, 10).spec]) is None
    assert why_no_texts([stepped(10, 5).spec]) == "M1 has 2 tokens per window"
    reason = "M1 is not compiled: a window has 24 bits, and at most 20 are compiled"
    assert why_no_texts([stepped(24, 24).spec, low]) == reason


def test_texts_have_a_limit_at_every_level() -> None:
    """Runs of runs grow as a power of the depth: refused before memory is taken for them."""
    runs = [piece_level(f"M{n}", 256 if n == 1 else 1, [[0] * 60_000], 1) for n in (1, 2, 3)]
    assert symbol_texts(runs[:1], 60_000) is not None
    with pytest.raises(CodingError, match="M1: tokens that decode to more than the expected 59999 symbols"):
        symbol_texts(runs[:1], 59_999)
    with pytest.raises(CodingError, match=r"texts of 3,600,000,000 bytes; at most 268,435,456 are expanded"):
        symbol_texts(runs)


@settings(deadline=None)  # the first example compiles
@given(st.lists(st.one_of(st.binary(max_size=4), st.binary(max_size=40)), min_size=1, max_size=6), st.data())
def test_symbols_are_expanded(pieces: list[bytes], data: st.DataObject) -> None:
    symbols = data.draw(st.lists(st.integers(0, len(pieces) - 1), max_size=300))
    texts = SymbolTexts(
        data=np.frombuffer(b"".join(pieces), np.uint8), offsets=offsets_of([len(piece) for piece in pieces])
    )
    for kind in (np.uint8, np.uint16, np.int64):
        out, ends = expanded(texts, np.array(symbols, kind))
        assert out.tobytes() == b"".join(pieces[symbol] for symbol in symbols)
        assert ends.tolist() == offsets_of([len(pieces[symbol]) for symbol in symbols]).tolist()


@pytest.mark.parametrize("symbol", [-1, 256, 1 << 40])
def test_symbols_without_an_entry_are_refused(symbol: int) -> None:
    with pytest.raises(IndexError, match=f"symbol {symbol} is outside the alphabet of 256"):
        expanded(byte_texts(), np.array([3, symbol]))
    with pytest.raises(IndexError):
        byte_texts()[256]
