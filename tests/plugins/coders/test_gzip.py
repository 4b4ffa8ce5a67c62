"""Zlib windows: any symbols, damage told in one line, and no bomb inflated."""

from __future__ import annotations

import tracemalloc
import zlib

import numpy as np
import pytest

from stackc.api import CodingError, Window
from stackc.parts.lanes import AdaptedLaneDecoder, AdaptedLaneEncoder
from stackc.parts.packing import TokenBits, pack
from stackc.testing.driving import decode_lanes, encode_lanes
from stackc_coders import GzipConfig
from stackc_coders.gzip_coder import GzipCoder, symbol_bytes

CODER, FLAGS = GzipCoder(), GzipConfig()


def window_of(alphabet: int = 256, symbols: int = 1000, token_bits: int = 8) -> Window:
    return Window(alphabet=alphabet, bits=None, symbols=symbols, token_bits=token_bits)


def stream_symbols(stream: bytes, window: Window) -> list[int]:
    tokens = np.frombuffer(stream, np.uint8).astype(np.uint32)
    decoder, out = CODER.decoder(window, TokenBits(tokens, 8, 0, len(tokens))), []
    while len(out) < window.symbols and (symbol := decoder.next(None)) is not None:
        out.append(symbol)
    assert decoder.used(len(out) == window.symbols) <= 8 * len(tokens)
    return out


@pytest.mark.parametrize("token_bits", [1, 7, 8, 16, 20])
@pytest.mark.parametrize("alphabet", [1, 2, 256, 257, 65_536, 65_537, 1 << 20])
def test_any_symbols_come_back(alphabet: int, token_bits: int) -> None:
    rng = np.random.default_rng(alphabet)
    window = window_of(alphabet, 500, token_bits)
    text = [0, alphabet - 1, *rng.integers(0, alphabet, 1200).tolist(), *[alphabet // 2] * 400]
    one = encode_lanes(AdaptedLaneEncoder(CODER, FLAGS, window, 1), window, None, [text])[0]
    tokens = np.array(one.tokens, np.uint32)
    back = decode_lanes(AdaptedLaneDecoder(CODER, FLAGS, window, 1, tokens), window, None, [(0, len(tokens))])[0]
    assert (back.windows, back.sizes) == (one.windows, one.sizes)


def test_symbols_take_whole_bytes() -> None:
    sizes = [symbol_bytes(alphabet) for alphabet in (1, 2, 256, 257, 65_536, 65_537, 1 << 20)]
    assert sizes == [1, 1, 1, 2, 2, 3, 3]
    assert stream_symbols(zlib.compress(bytes([1, 2, 255, 254])), window_of(65_536)) == [0x0102, 0xFFFE]


def test_the_level_is_zlibs() -> None:
    text = list(b"to be or not to be, that is the question; to be or not" * 9)
    for level in (1, 6, 9):
        encoder = GzipCoder(level=level).encoder(window_of())
        for symbol in text:
            assert encoder.add(None, symbol)
        value, bits = encoder.close(False)
        assert value.to_bytes(bits // 8, "big") == zlib.compress(bytes(text), level)


def test_a_huge_window() -> None:
    window = window_of(256, 3_000_000, 16)
    rng = np.random.default_rng(0)
    text = np.concatenate([np.zeros(1_000_000, np.int64), rng.integers(0, 256, 200_000)]).tolist()
    encoder = CODER.encoder(window)
    for symbol in text:
        encoder.add(None, symbol)
    tokens = pack(*encoder.close(False), 16)
    decoder = CODER.decoder(window, TokenBits(tokens, 16, 0, len(tokens)))
    assert [decoder.next(None) for _ in text] == text
    assert decoder.next(None) is None
    assert -(-decoder.used(False) // 16) == len(tokens)


def test_an_empty_stream_is_an_empty_window() -> None:
    assert stream_symbols(zlib.compress(b""), window_of()) == []


@pytest.mark.parametrize(
    ("stream", "line"),
    [
        (b"", "cut off"),
        (b"not zlib at all", "damaged"),
        (zlib.compress(bytes(range(200)))[:-1], "cut off"),
        (zlib.compress(bytes(range(200)))[:-1] + b"\x00", "damaged"),
        (zlib.compress(bytes(1001)), "more than 1000 symbols"),
        (zlib.compress(bytes([9, 10])), "symbol 10, outside the alphabet of 10"),
    ],
)
def test_damage_is_told_in_one_line(stream: bytes, line: str) -> None:
    with pytest.raises(CodingError, match=line) as error:
        stream_symbols(stream, window_of(10))
    assert "\n" not in str(error.value)


def test_half_a_symbol_is_damage() -> None:
    with pytest.raises(CodingError, match="3 bytes, which is not a multiple of 2"):
        stream_symbols(zlib.compress(bytes(3)), window_of(257))


def test_a_bomb_is_not_inflated() -> None:
    bomb = zlib.compress(bytes(200_000_000), 9)
    tracemalloc.start()
    with pytest.raises(CodingError, match="more than 1000 symbols"):
        stream_symbols(bomb, window_of())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000


def test_a_bit_budget_is_refused() -> None:
    window = Window(alphabet=256, bits=64, symbols=10, token_bits=8)
    for make in (lambda: CODER.encoder(window), lambda: CODER.decoder(window, TokenBits(np.zeros(1), 8, 0, 1))):
        with pytest.raises(CodingError, match="gzip cannot obey a bit budget of 64"):
            make()
