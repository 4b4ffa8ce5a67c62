"""Coders of one window at a time, over lanes. What all adapters keep is in the coders' contract suite."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest

from stackc.api import IDLE, BitSource, CodingError, Frequencies, Window
from stackc.parts.lanes import AdaptedLaneDecoder, AdaptedLaneEncoder, lane_decoder, lane_encoder
from stackc.parts.registry import registry


class Bytes:
    """A toy coder: a byte a symbol, no ends."""

    budget: ClassVar[bool] = False
    ends: ClassVar[bool] = False
    total: ClassVar[bool] = False
    needs_model: ClassVar[bool] = False

    def encoder(self, window: Window) -> Any:
        return _Encoder()

    def decoder(self, window: Window, bits: BitSource) -> Any:
        return _Decoder(bits)


class _Encoder:
    def __init__(self) -> None:
        self.text = b""

    def add(self, freqs: Frequencies | None, symbol: int) -> bool:
        self.text += bytes([symbol])
        return True

    def close(self, full: bool) -> tuple[int, int]:
        return int.from_bytes(self.text, "big"), 8 * len(self.text)


class _Decoder:
    def __init__(self, bits: BitSource) -> None:
        self.bits, self.count = bits, 0

    def next(self, freqs: Frequencies | None) -> int:
        self.count += 8
        return self.bits.read(8)

    def used(self, full: bool) -> int:
        return self.count


class Total(Bytes):
    total: ClassVar[bool] = True


WINDOW = Window(alphabet=256, bits=None, symbols=300, token_bits=12)
LANE = np.zeros(1, np.int64)


def test_a_symbol_count_comes_first_where_ends_are_not_marked() -> None:
    lanes = AdaptedLaneEncoder(Bytes(), Bytes(), WINDOW, 2)
    assert lanes.add(None, np.array([7, IDLE])).tolist() == [True, False]
    assert lanes.add(None, np.array([0xAB, 1])).tolist() == [True, True]
    tokens, counts = lanes.close(np.array([1, 0]), np.array([False, False]))
    # 16 bits of count in two tokens of 12, then the symbols' bits, each padded with zeros
    assert [hex(token) for token in tokens] == ["0x0", "0x100", "0x10", "0x0", "0x200", "0x7a", "0xb00"]
    assert counts.tolist() == [3, 4]
    assert lanes.close(LANE, np.array([False]))[0].tolist() == [0, 0], "a new window is open"


def test_counts_end_windows() -> None:
    tokens = np.array([0, 0x200, 0x07A, 0xB00, 0, 0x100, 0x010], np.uint32)
    lanes = lane_decoder(Bytes(), Bytes(), WINDOW, 1, tokens)
    assert isinstance(lanes, AdaptedLaneDecoder)
    at, texts = 0, []
    while at < len(tokens):
        lanes.open(LANE, np.array([at]), np.array([len(tokens)]))
        text = []
        while (symbol := int(lanes.next(None, np.array([True]))[0])) >= 0:
            text.append(symbol)
        texts.append(text)
        at += int(lanes.used(LANE, np.array([False]))[0])
    assert texts == [[7, 0xAB], [1]]


def test_a_count_past_the_symbol_budget() -> None:
    tokens = np.full(4, 0xFFF, np.uint32)
    with pytest.raises(CodingError, match="a window of 65535 symbols, more than the 300"):
        lane_decoder(Bytes(), Bytes(), WINDOW, 1, tokens).open(LANE, LANE, LANE + 4)
    lanes = lane_decoder(Total(), Total(), WINDOW, 1, tokens)
    lanes.open(LANE, LANE, LANE + 4)
    count = 0
    while int(lanes.next(None, np.array([True]))[0]) >= 0:
        count += 1
    assert count == 300, "a coder that decodes anything stops at the budget"
    assert lanes.used(LANE, np.array([True])).tolist() == [4]


def test_what_cannot_be_adapted() -> None:
    with pytest.raises(CodingError, match="does not mark ends cannot fill windows of exactly 24 bits"):
        lane_encoder(Bytes(), Bytes(), Window(alphabet=256, bits=24, symbols=300, token_bits=12), 1)
    window = Window(alphabet=256, bits=None, symbols=65_536, token_bits=12)
    with pytest.raises(CodingError, match="windows of up to 65536 symbols need a coder that marks ends"):
        lane_decoder(Bytes(), Bytes(), window, 1, np.zeros(1, np.uint32))
    with pytest.raises(CodingError, match="symbol 256 is outside the alphabet of 256"):
        lane_encoder(Bytes(), Bytes(), WINDOW, 1).add(None, np.array([256]))


def test_the_highest_tier_is_taken() -> None:
    part = registry().get("coder", "arithmetic")
    config = part.config()
    coder = part.factory(config)
    encoder = lane_encoder(coder, config, WINDOW, 2)
    assert not isinstance(encoder._inner, AdaptedLaneEncoder)
    assert encoder._run is not None
    decoder = lane_decoder(coder, config, WINDOW, 2, np.zeros(1, np.uint32))
    assert not isinstance(decoder, AdaptedLaneDecoder)
    assert isinstance(lane_encoder(Bytes(), Bytes(), WINDOW, 2)._inner, AdaptedLaneEncoder)


class OwnLanes(Bytes):
    """Lanes without `run`."""

    def lane_encoder(self, window: Window, lanes: int) -> Any:
        made = AdaptedLaneEncoder(Bytes(), Bytes(), window, lanes)
        return type("Lanes", (), {"add": made.add, "close": made.close})


def test_run_is_added_where_lanes_lack_it() -> None:
    lanes = lane_encoder(OwnLanes(), OwnLanes(), Window(alphabet=256, bits=None, symbols=3, token_bits=8), 2)
    cuts = np.array([True, False, False, False, True, False, False])
    tokens, lengths = lanes.run(1, None, np.arange(1, 8), cuts)
    assert lengths.tolist() == [3, 1, 3]
    assert tokens.tolist() == [0, 3, 1, 2, 3, 0, 1, 4, 0, 3, 5, 6, 7]
