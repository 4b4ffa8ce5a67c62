"""The binary arithmetic coder of bitwise models, as functions that are compiled into a plugin's own loop.

A decision is a bit and the probability of a one, an integer p in 1 .. 65535, of 65536. The coder
narrows an interval of 32-bit numbers, and every number in it that is left at the end names the decisions:

    low                   middle middle+1              high         middle = low + floor((high - low) * p / 65536)
     |------- a one -------|      |------ a zero ------|

While low and high agree in their first byte, that byte is written and both are shifted by it. They differ in it
afterwards, so low < high and both parts hold at least one number: every decision can be coded, however small the
interval. (If it lies around a change of the first byte it may become small: then decisions cost a little more, about
one part in 10,000 over a text. There is no carry into bytes that are written already.)

`code_bit` serves both directions, so that a model is written once:

    from stackc.api import CODER_STATE, code_bit, finish_coder, kernel, start_coder

    @kernel
    def run(probabilities, symbols, buffer, size, decoding):
        coder = np.zeros(CODER_STATE, np.int64)
        start_coder(coder, buffer, size, decoding)
        for i in range(len(symbols)):
            node = 1
            for shift in range(7, -1, -1):
                bit = code_bit(coder, buffer, probabilities[node], symbols[i] >> shift & 1)
                node = 2 * node + bit  # and here the model learns from the bit
            symbols[i] = node & 255  # encoding changes nothing: it is the same symbol
        return size if decoding else finish_coder(coder, buffer)

Everything is a signed 64-bit integer below 2^48: the type in which numba computes, so that nothing becomes a float
(as an unsigned and a signed integer together do) and nothing wraps around. `stackc.api.bitwise_twin` is the readable
twin, and decides in case of doubt.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stackc.api.arrays import Int64
from stackc.api.kernels import inlined
from stackc.api.limits import PROBABILITY_BITS

CODER_STATE = 6
"""Entries of a coder's state, an int64 array: low, high, value, at, end, decoding."""

LOW, HIGH, VALUE, AT, END, DECODING = range(CODER_STATE)

_WORD = (1 << 32) - 1
_BYTE = 1 << 24
"""Two words whose first bytes agree differ by less than this."""

_P = (1 << PROBABILITY_BITS) - 1


@inlined
def start_coder(coder: Int64, buffer: npt.NDArray[np.uint8], size: int, decoding: Any) -> None:
    """Begin at the first byte of a buffer.

    Args:
        coder: int64[CODER_STATE], overwritten.
        buffer: uint8 array: the payload, or where it goes.
        size: bytes of `buffer` that are the payload, or that may be written; a larger or negative number counts as
            all of it.
        decoding: True to read decisions, False to write them.
    """
    coder[LOW] = 0
    coder[HIGH] = _WORD
    coder[VALUE] = 0
    coder[AT] = 0
    coder[END] = len(buffer) if size < 0 or size > len(buffer) else size
    coder[DECODING] = 1 if decoding else 0
    if decoding:
        for _ in range(4):
            byte = np.int64(0)
            if coder[AT] < coder[END]:
                byte = np.int64(buffer[coder[AT]])
            coder[VALUE] = coder[VALUE] << 8 | byte
            coder[AT] += 1


@inlined
def code_bit(coder: Int64, buffer: npt.NDArray[np.uint8], p: Any, bit: Any) -> Any:
    """Write a decision, or read one: the bit, 0 or 1 (int64).

    Args:
        coder: from `start_coder`; changed.
        buffer: the same as there.
        p: probability of a one, 1 .. 65535. Of a larger number the last 16 bits count: a wrong model costs bytes, but
            never reads or writes anywhere else.
        bit: the bit to write, 0 or 1; not used when decoding.

    Behind the payload zeros are read, so any bytes decode to something. Bytes that do not fit into the buffer
    are not written; `finish_coder` says so.
    """
    low = coder[LOW]
    high = coder[HIGH]
    middle = low + ((high - low) * (np.int64(p) & _P) >> PROBABILITY_BITS)
    one = np.int64(coder[VALUE] <= middle) if coder[DECODING] else np.int64(bit)
    if one:
        high = middle
    else:
        low = middle + 1
    while (low ^ high) < _BYTE:  # at most four times: then low is 0 and high is 2^32 - 1
        if coder[DECODING]:
            byte = np.int64(0)
            if coder[AT] < coder[END]:
                byte = np.int64(buffer[coder[AT]])
            coder[VALUE] = (coder[VALUE] << 8 & _WORD) | byte
        elif coder[AT] < coder[END]:
            buffer[coder[AT]] = high >> 24
        elif high >= _BYTE:  # a byte that is not zero, which has to be written
            coder[END] = -1
        coder[AT] += 1
        low = low << 8 & _WORD
        high = (high << 8 & _WORD) | 255
    coder[LOW] = low
    coder[HIGH] = high
    return one


@inlined
def finish_coder(coder: Int64, buffer: npt.NDArray[np.uint8]) -> Any:
    """End an encoding: the number of bytes of the payload, or -1 if they did not fit.

    Zeros follow a payload, so it ends with no zero. Its last byte is the first byte of low plus one, which followed by
    zeros is a number of the interval; none is needed if low is 0.
    """
    if coder[LOW] > 0:
        if coder[AT] < coder[END]:
            buffer[coder[AT]] = (coder[LOW] >> 24) + 1
        else:
            coder[END] = -1
        coder[AT] += 1
    size = min(coder[AT], coder[END])
    while size > 0 and buffer[size - 1] == 0:
        size -= 1
    return size
