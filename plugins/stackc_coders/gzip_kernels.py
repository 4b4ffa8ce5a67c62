"""The bits of tokens as bytes, from any of the eight bits of a byte on, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np

from stackc.api import kernel

Row = Any
Index = Any
U = np.uint64


@kernel
def shift_into(tokens: Row, token_bits: Index, apart: Index, rows: Row) -> None:
    """Bytes of tokens, once for each bit of a byte that a window may begin with.

    Args:
        tokens: integers below 2^token_bits, 1 .. 32.
        apart: windows begin at multiples of this number of bits.
        rows: uint8[8, n + 1], n the bytes that the tokens fill or begin. Row 0, `apart`, 2 * `apart`, … are filled: the
            bits from this one of the first byte on, then zeros.
    """
    kept, held, at = U(0), 0, 0
    plain = rows[0]
    for token in tokens:
        kept = kept << U(token_bits) | U(token)
        held += token_bits
        while held >= 8:
            held -= 8
            plain[at] = kept >> U(held) & U(255)
            at += 1
    if held:
        plain[at] = kept << U(8 - held) & U(255)
        at += 1
    plain[at] = 0
    for shift in range(apart, 8, apart):
        row = rows[shift]
        for i in range(at):
            row[i] = np.uint8(plain[i] << shift | plain[i + 1] >> (8 - shift))
        row[at] = 0
