"""Bits as tokens and back."""

from __future__ import annotations

import numpy as np
import pytest

from stackc.parts.packing import TokenBits, pack


@pytest.mark.parametrize("token_bits", [1, 3, 8, 16, 20, 31, 32])
def test_packed_bits_are_read_back(token_bits: int) -> None:
    rng = np.random.default_rng(token_bits)
    for bits in (0, 1, 7, 8, 33, 64, 129, 1000):
        value = int.from_bytes(rng.bytes(200), "big") & (1 << bits) - 1
        tokens = pack(value, bits, token_bits)
        assert tokens.dtype == np.uint32
        assert len(tokens) == -(-bits // token_bits)
        source = TokenBits(tokens, token_bits, 0, len(tokens))
        back = left = 0
        while left < bits:
            step = min(bits - left, int(rng.integers(1, 60)))
            back, left = back << step | source.read(step), left + step
        assert back == value
        assert source.read(source.left) == 0, "zeros to whole tokens"


def test_most_significant_first() -> None:
    assert pack(0b1011, 4, 1).tolist() == [1, 0, 1, 1]
    assert pack(0b1011, 4, 3).tolist() == [0b101, 0b100]
    assert pack(0, 0, 8).tolist() == []


def test_zeros_follow_without_end() -> None:
    source = TokenBits(np.array([9, 255, 255, 9]), 8, 1, 3)
    assert source.left == 16
    assert source.read(12) == 0xFFF
    assert source.read(12) == 0xF00
    assert source.left == -8
    assert source.read(100) == 0
    assert source.left == -108


def test_long_reads_are_one_number() -> None:
    tokens = np.random.default_rng(0).integers(0, 1 << 16, 20_000).astype(np.uint32)
    assert TokenBits(tokens, 16, 0, 20_000).read(320_000) == int.from_bytes(tokens.astype(">u2").tobytes(), "big")


def test_only_the_low_bits_of_a_token_are_read() -> None:
    assert TokenBits(np.array([0x1FF, -1]), 4, 0, 2).read(8) == 0xFF


def test_a_value_that_needs_more_bits_is_a_mistake() -> None:
    with pytest.raises(AssertionError, match="a code of 3 bits"):
        pack(8, 3, 8)
