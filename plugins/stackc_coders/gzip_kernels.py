"""The bits of tokens in words, from any of the eight bits of a byte on, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np

from stackc.api import kernel

Row = Any
Index = Any
U = np.uint64


@kernel
def shift_into(tokens: Row, token_bits: Index, apart: Index, rows: Row) -> None:
    """Bits of tokens in words of 64, once for each bit of a byte that a window may begin with.

    Args:
        tokens: integers below 2^token_bits, 1 .. 32.
        apart: windows begin at multiples of this number of bits.
        rows: uint64[8, n], 64 * (n - 1) at least as many as the tokens have bits. Row 0, `apart`, 2 * `apart`, … are
            filled: the bits without the first 0, `apart`, … of them, most significant first, then zeros.
    """
    size, words = U(token_bits), rows[0]
    word, free, at = U(0), U(64), 0
    for token in tokens:
        if size < free:
            free -= size
            word |= U(token) << free
        else:
            behind = size - free  # bits of this token in the next word
            words[at] = word | U(token) >> behind
            at, free = at + 1, U(64) - behind
            word = U(token) << free if behind else U(0)
    words[at] = word
    words[at + 1 :] = 0
    for shift in range(apart, 8, apart):
        row, left, right = rows[shift], U(shift), U(64 - shift)
        for i in range(len(words) - 1):
            row[i] = words[i] << left | words[i + 1] >> right
        row[-1] = 0
