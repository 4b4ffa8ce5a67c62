"""Bits as tokens and back, for coders that work one window at a time. Always most significant bit first.

A code is a Python integer of any length. Converting it through bytes and `np.unpackbits` takes time linear in its
length; shifting out a token at a time copies the whole integer for every token, which is quadratic.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stackc.api.arrays import Tokens

_AT_ONCE = 1 << 16
"""Bits unpacked at once: a long read takes about this many bytes of memory, however long the code is."""


def pack(value: int, bits: int, token_bits: int) -> Tokens:
    """The tokens of `bits` bits, padded with zeros to whole tokens: uint32[ceil(bits / token_bits)].

    Args:
        value: 0 .. 2^bits - 1.
        bits: 0 or more.
        token_bits: 1 .. 32.
    """
    assert 0 <= value < 1 << bits, f"a code of {bits} bits"
    count = -(-bits // token_bits)
    padded = -(-count * token_bits // 8) * 8
    digits = np.frombuffer((value << (padded - bits)).to_bytes(padded // 8, "big"), np.uint8)
    pieces = np.unpackbits(digits)[: count * token_bits].reshape(count, token_bits)
    powers = np.left_shift(np.int64(1), np.arange(token_bits - 1, -1, -1, dtype=np.int64))
    return (pieces.astype(np.int64) @ powers).astype(np.uint32)


class TokenBits:
    """The bits of tokens[start:end], then zeros without end (a `stackc.api.BitSource`).

    Args:
        tokens: integers; the lowest `token_bits` bits of each are read.
        token_bits: 1 .. 32.
        start, end: which tokens.

    Attributes:
        left: bits before the zeros begin; negative once they were passed.
    """

    def __init__(self, tokens: npt.NDArray[Any], token_bits: int, start: int, end: int) -> None:
        self._tokens, self._token_bits = tokens, token_bits
        self._at = start * token_bits
        self.left = end * token_bits - self._at

    def read(self, count: int) -> int:
        """The next `count` bits as an integer."""
        value = 0
        while count > 0:
            step = min(count, _AT_ONCE)
            value = value << step | self._read(step)
            count -= step
        return value

    def _read(self, count: int) -> int:
        first, size = self._at // self._token_bits, self._token_bits
        real = max(0, min(count, self.left))
        value = 0
        if real:
            tokens = np.asarray(self._tokens[first : (self._at + real - 1) // size + 1], np.int64)
            shifts = np.arange(size - 1, -1, -1)
            digits = ((tokens[:, None] >> shifts) & 1).reshape(-1)[self._at - first * size :][:real]
            value = int.from_bytes(np.packbits(digits.astype(np.uint8)).tobytes(), "big") >> (-real % 8)
        self._at += count
        self.left -= count
        return value << (count - real)
