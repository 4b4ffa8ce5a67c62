"""The texts of symbols one after another, compiled. The arrays around it are in `stackc.coding.texts`."""

from __future__ import annotations

from typing import Any

import numpy as np

from stackc.api.kernels import kernel
from stackc.coding.dictionary.decoding import WIDE, copy_wide

Row = Any  # an array
U = np.uint64


@kernel
def measure_texts(symbols: Row, offsets: Row, ends: Row) -> int:
    """Write where the text of each symbol ends to ends[1:]; returns the last of these.

    Args:
        symbols: inside the alphabet.
        offsets: int64[A + 1], where texts start and end.
        ends: int64[n + 1], zeros.
    """
    at = 0
    for i in range(len(symbols)):
        symbol = np.int64(symbols[i])
        at += offsets[symbol + 1] - offsets[symbol]
        ends[i + 1] = at
    return at


@kernel
def copy_texts(symbols: Row, offsets: Row, data: Row, ends: Row, out: Row) -> None:
    """Write the text of symbol i to out[ends[i] : ends[i + 1]]; data and out: uint8.

    A copy of `WIDE` bytes runs over the end of a short text, and the next text is written over what was too much.
    """
    last_begin, last_at = len(data) - WIDE, len(out) - WIDE
    for i in range(len(symbols)):
        symbol = np.int64(symbols[i])
        begin, at, size = offsets[symbol], ends[i], ends[i + 1] - ends[i]
        if size <= WIDE and begin <= last_begin and at <= last_at:
            copy_wide(data, U(begin), out, U(at))
        else:
            for k in range(size):
                out[at + k] = data[begin + k]
