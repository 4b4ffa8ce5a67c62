"""Codes that must never change (the slot rule, docs/concepts.md). A change here is a new `bits_version`."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from stackc.api import CodingError, Frequencies, Int32, Window
from stackc.parts.lanes import AdaptedLaneDecoder, AdaptedLaneEncoder
from stackc.testing.driving import TablePredictor, decode_lanes, encode_lanes, row_after
from stackc_coders import ArithmeticConfig
from stackc_coders.arithmetic import ArithmeticCoder

T = 1 << 24


def row(*cumulative: int) -> list[int]:
    return [high - low for low, high in pairwise(cumulative)]


def numbers(text: str) -> list[int]:
    return [int(word) for word in text.split()]


FIRST = np.array([row(0, T // 2, 3 * T // 4, 7 * T // 8, T)], np.uint32)
FIRST_TEXT = numbers("0 0 1 0 2 0 0 0 3 1 0 0 0 0 1 2 3 3 0 1 0 0 2 0")
SECOND = np.array(
    [
        row(0, T // 3, 2 * T // 3, T),
        row(0, 7 * T // 10, 9 * T // 10, T),
        row(0, T // 10, 8 * T // 10, T),
        row(0, T // 4, T // 2, T),
    ],
    np.uint32,
)
SECOND_TEXT = numbers("0 0 0 1 1 1 1 2 0 0 1 2 2 2 0 0 0 0 0 0 1 1 0")

CODES = [
    (FIRST, FIRST_TEXT, 4, "2 8 12 2 15 3 4 11 13 14 9 12"),
    (FIRST, FIRST_TEXT, 6, "10 49 30 4 43 63 18 48"),
    (FIRST, FIRST_TEXT, 8, "39 32 11 219 234 192"),
    (FIRST, FIRST_TEXT, 12, "612 3848 3578 769"),
    (FIRST, FIRST_TEXT, 16, "9762 2945 35841"),
    (FIRST, FIRST_TEXT * 4, 64, "2746645461006405151 16114734369216114457 14105678453555363849"),
    (FIRST, FIRST_TEXT * 4, 128, "50666665880401143448151083115001086309 39936521816918565312605425567503745024"),
    (SECOND, SECOND_TEXT, 3, "2 1 4 4 5 2 3 7 5 2 2 2 4 1"),
    (SECOND, SECOND_TEXT, 5, "3 14 23 20 23 4 12 1"),
    (SECOND, SECOND_TEXT, 8, "33 181 239 44 1"),
    (SECOND, SECOND_TEXT, 10, "134 213 45 1"),
]

TOKENS = [
    (FIRST, FIRST_TEXT, 5, 4, "2 6 1 1 14 1 0 9 13 15 10 0 3 0 0 0 0 0 0 0 0 4"),
    (FIRST, FIRST_TEXT, 8, 8, "38 1 240 89 253 25"),
    (FIRST, FIRST_TEXT, 24, 8, "38 30 11 126 147 20"),
    (FIRST, FIRST_TEXT, 48, 16, "9758 2942 37651 45069 30720"),
    (SECOND, SECOND_TEXT, 8, 8, "33 102 53 42 21 18 236 58 196 0"),
]

# With tables of cuts: in the first, 0 and 1 are letters, 2 a blank that a word begins with, 3 a mark that nothing
# follows; in the second what follows depends on the symbol before.
FIRST_CUTS = np.array([[1, 1, 2, 3], [1, 1, -1, 3], [1, 1, -1, -1], [-1, -1, -1, -1]], np.int32)
SECOND_CUTS = np.array([[1, 1, 0], [-1, 1, 2], [0, -1, -1]], np.int32)
WIDE = (
    "701219150 1677721600 3321399636 1409286144 2212903510 1946157056 3221225471 4227858432 3758096383 4227858432"
    " 3758096383 4227858432 1227133513 738197504 3221225472 0"
)
SHORT = (
    "2 9 12 11 12 1 4 14 6 4 12 6 0 8 1 7 15 15 15 15 15 15 15 15 12 11 15 15 15 15 15 15 15 15 12 14 14 4 9 2 4 9 2 4"
    " 9 2 12 12 0 0 0 0 0 0 0 0 0"
)
BYTES = "41 203 193 78 100 197 249 131 230 58 86 116 191 255 255 255 252 224 224 73 36 146 73 44 192 0 0 0 0"
LONG = (
    "0 0 0 0 4 0 0 0 0 4 21 151 180 37 22 32 213 85 85 0 4 0 0 0 0 4 0 0 0 0 4 0 0 0 0 4 0 0 0 0 4 0 0 0 0 12 0 0 0 0 4"
)

MASKED = [
    (FIRST, FIRST_TEXT, FIRST_CUTS, 4, 1024, 4, "2 8 12 2 13 9 2 7 11 13 13 5 1 12"),
    (FIRST, FIRST_TEXT, FIRST_CUTS, 6, 1024, 6, "12 50 55 35 31 47 55 55 20 48"),
    (FIRST, FIRST_TEXT, FIRST_CUTS, 8, 1024, 8, "44 198 134 191 223 223 75 192"),
    (FIRST, FIRST_TEXT, FIRST_CUTS, 12, 1024, 12, "670 3167 2112 3071 3583 3583 1172 3072"),
    (FIRST, FIRST_TEXT, FIRST_CUTS, 16, 1024, 16, "10701 50680 33768 49151 57343 57343 18726 49152"),
    (FIRST, FIRST_TEXT, FIRST_CUTS, 64, 1024, 32, WIDE),
    (FIRST, FIRST_TEXT, FIRST_CUTS, None, 5, 4, SHORT),
    (FIRST, FIRST_TEXT, FIRST_CUTS, None, 24, 8, BYTES),
    (SECOND, SECOND_TEXT, SECOND_CUTS, 3, 1024, 3, "1 1 2 4 3 5 1 2 7 5 1 1 1 1 1 2 3 1"),
    (SECOND, SECOND_TEXT, SECOND_CUTS, 5, 1024, 5, "1 1 5 22 6 28 1 1 1 1 3 1"),
    (SECOND, SECOND_TEXT, SECOND_CUTS, 8, 1024, 8, "1 1 26 236 1 1 1 1 3 1"),
    (SECOND, SECOND_TEXT, SECOND_CUTS, 10, 1024, 10, "1 1 94 854 1 1 1 1 3 1"),
    (SECOND, SECOND_TEXT, SECOND_CUTS, None, 8, 8, LONG),
]

CODER, FLAGS = ArithmeticCoder(), ArithmeticConfig()


def tokens_of(codes: str, bits: int, token_bits: int) -> list[int]:
    shifts = range(bits - token_bits, -1, -token_bits)
    return [code >> shift & (1 << token_bits) - 1 for code in numbers(codes) for shift in shifts]


def token_sizes(bits: int) -> list[int]:
    return [size for size in range(1, min(bits, 32) + 1) if bits % size == 0]


def check(table: Frequencies, text: list[int], window: Window, expected: list[int]) -> None:
    """Both tiers write `expected` and read it back."""
    for encoder in (AdaptedLaneEncoder(CODER, FLAGS, window, 1), CODER.lane_encoder(window, 1)):
        coded = encode_lanes(encoder, window, table, [text])[0]
        assert coded.tokens == expected
    tokens = np.array(expected, np.uint32)
    for decoder in (AdaptedLaneDecoder(CODER, FLAGS, window, 1, tokens), CODER.lane_decoder(window, 1, tokens)):
        back = decode_lanes(decoder, window, table, [(0, len(tokens))])[0]
        assert (back.windows, back.sizes) == (coded.windows, coded.sizes)
        assert [symbol for part in back.windows for symbol in part] == text


@pytest.mark.parametrize(("table", "text", "bits", "codes"), CODES)
def test_codes(table: Frequencies, text: list[int], bits: int, codes: str) -> None:
    for token_bits in token_sizes(bits):
        window = Window(alphabet=table.shape[1], bits=bits, symbols=1024, token_bits=token_bits)
        check(table, text, window, tokens_of(codes, bits, token_bits))


@pytest.mark.parametrize(("table", "text", "symbols", "token_bits", "tokens"), TOKENS)
def test_tokens_without_a_bit_budget(
    table: Frequencies, text: list[int], symbols: int, token_bits: int, tokens: str
) -> None:
    window = Window(alphabet=table.shape[1], bits=None, symbols=symbols, token_bits=token_bits)
    check(table, text, window, numbers(tokens))


@pytest.mark.parametrize(("table", "text", "cuts", "bits", "symbols", "token_bits", "tokens"), MASKED)
def test_codes_with_a_table_of_cuts(
    table: Frequencies, text: list[int], cuts: Int32, bits: int | None, symbols: int, token_bits: int, tokens: str
) -> None:
    window = Window(alphabet=table.shape[1], bits=bits, symbols=symbols, token_bits=token_bits, table=cuts)
    check(table, text, window, numbers(tokens))
    if bits is None or bits > 16:
        return
    parent, symbol = CODER.dictionary(TablePredictor(table), window, 3)
    child = {(int(parent[code]), int(symbol[code])): code for code in range(len(parent) - 1, 0, -1)}
    found, code = [], 0
    for s in text:
        if (code, s) not in child:
            found.append(code)
            code = 0
        code = child[code, s]
    assert [*found, code] == numbers(tokens)


@pytest.mark.parametrize(("table", "text", "bits", "codes"), CODES)
def test_codes_of_a_run(table: Frequencies, text: list[int], bits: int, codes: str) -> None:
    """The route that scores whole segments. Its contexts do not restart with windows: only the first model serves."""
    if len(table) > 1:
        return
    window = Window(alphabet=table.shape[1], bits=bits, symbols=1024, token_bits=token_sizes(bits)[-1])
    encoder = CODER.lane_encoder(window, 1)
    rows = np.repeat(table, len(text), axis=0)
    made, lengths = encoder.run(0, rows, np.array(text), np.zeros(len(text), np.bool_))
    rest, _ = encoder.close(np.zeros(1, np.int64), np.zeros(1, np.bool_))
    assert [*made.tolist(), *rest.tolist()] == tokens_of(codes, bits, window.token_bits)
    assert lengths.sum() < len(text)


@pytest.mark.parametrize(("table", "text", "bits", "codes"), [case for case in CODES if case[2] <= 16])
@pytest.mark.parametrize("lanes", [1, 3, 256])
def test_codes_of_a_dictionary(table: Frequencies, text: list[int], bits: int, codes: str, lanes: int) -> None:
    window = Window(alphabet=table.shape[1], bits=bits, symbols=1024, token_bits=bits)
    parent, symbol = CODER.dictionary(TablePredictor(table), window, lanes)
    child = {(int(parent[code]), int(symbol[code])): code for code in range(len(parent) - 1, 0, -1)}
    found, code = [], 0
    for s in text:
        if (code, s) not in child:
            found.append(code)
            code = 0
        code = child[code, s]
    assert [*found, code] == numbers(codes)


def test_the_context_of_the_drivers_is_the_last_symbol() -> None:
    assert [row_after(SECOND, last) for last in (-1, 0, 1, 2)] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("window", "line"),
    [
        (Window(alphabet=256, bits=8, symbols=9, token_bits=8), "8 bits cannot hold an alphabet of 256 .* at least 9"),
        (Window(alphabet=2, bits=0, symbols=9, token_bits=1), "0 bits cannot hold"),
        (Window(alphabet=256, bits=16, symbols=9, token_bits=5), "tokens of 5 bits do not divide windows of 16 bits"),
        (Window(alphabet=256, bits=66, symbols=9, token_bits=33), "tokens of 33 bits; they may have 1 to 32"),
    ],
)
def test_windows_that_cannot_be_coded(window: Window, line: str) -> None:
    tokens = np.zeros(1, np.uint32)
    for make in (
        lambda: CODER.encoder(window),
        lambda: CODER.lane_encoder(window, 1),
        lambda: CODER.lane_decoder(window, 1, tokens),
        lambda: CODER.dictionary(TablePredictor(FIRST), window, 1),
    ):
        with pytest.raises(CodingError, match=line):
            make()
    with pytest.raises(CodingError, match="at most 20 bits are compiled, not of 24"):
        CODER.dictionary(TablePredictor(FIRST), Window(alphabet=4, bits=24, symbols=9, token_bits=8), 1)
