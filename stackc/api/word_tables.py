"""A table of the words that a coder has met, for kernels: what a word is coded as is then copied, not found again.

A table decides nothing, and any part of it may be lost: where a word is not in it, the kernel codes the word and enters
it (`enter_word`), and what was met longest ago in the same slots is forgotten. So its size is fixed. It belongs to one
caller at a time.

A slot is four integers: the word's bytes and its length (`SHORT` bytes at most), and two that are the coder's own. Two
slots are one line of the cache, and a word may be in any of the four slots of two neighbouring lines. What is found
moves to the first of them, where `ask_words` looks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from stackc.api.intrinsics import borrowed, prefetch
from stackc.api.kernels import kernel
from stackc.api.word_borders import lowest

Row = Any
Index = Any  # an integer; a checker does not know the types that numba keeps apart
U = np.uint64

SHORT = 15
"""Bytes of a word in a table, at most."""

SLOT, WAYS = 4, 4
KEY = 4
"""Integers that `ask_words` writes for a word."""

UNKEYED = U(0xFFFFFFFFFFFFFFFF)
"""In the place of its last bytes and length: a word that is too long for a table."""

_LINE = 8
_ONE, _TWO, _SHORT, _EIGHT, _LENGTH_AT = U(1), U(2), U(SHORT), U(8), U(56)
_MIX_1, _MIX_2 = U(0x9E3779B97F4A7C15), U(0xC2B2AE3D27D4EB4F)
_MASKS = np.array([(1 << 8 * i) - 1 for i in range(9)], np.uint64)


def word_table(bits: int) -> npt.NDArray[np.uint64]:
    """A table of 2^bits slots, empty, for at least 2 bits; 32 bytes each."""
    # `np.empty` asks for large pages, and `np.zeros` does not.
    room = np.empty((SLOT << bits) + _LINE, np.uint64)
    first = -room.ctypes.data // room.itemsize % _LINE
    table = room[first : first + (SLOT << bits)]
    table[:] = 0
    return table


@intrinsic
def eight_bytes(typing_context: Any, text: Any, place: Any) -> Any:
    """Inside a kernel: text[place : place + 8] of bytes as one integer, the first byte lowest; not checked.

    Args:
        text: uint8, contiguous.
        place: unsigned.
    """
    if not (isinstance(text, types.Array) and text.dtype.bitwidth == 8 and isinstance(place, types.Integer)):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        made = context.make_array(signature.args[0])(context, builder, arguments[0])
        place = builder.bitcast(builder.gep(made.data, [arguments[1]]), ir.IntType(64).as_pointer())
        return builder.load(place, align=1)

    return types.uint64(text, types.uint64), generate


@intrinsic
def put_codes(typing_context: Any, codes: Any, place: Any, value: Any) -> Any:
    """Inside a kernel: codes[place], … = the parts of a 64-bit integer, the lowest first; not checked.

    Args:
        codes: uint16 or uint32, contiguous: four or two of them are written.
        place: unsigned.
        value: unsigned.
    """
    if not (isinstance(codes, types.Array) and codes.dtype.bitwidth in (16, 32) and isinstance(place, types.Integer)):
        return None
    width = codes.dtype.bitwidth // 8

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        made = context.make_array(signature.args[0])(context, builder, arguments[0])
        place = builder.bitcast(builder.gep(made.data, [arguments[1]]), ir.IntType(64).as_pointer())
        builder.store(arguments[2], place, align=width)
        return context.get_dummy_value()

    return types.void(codes, types.uint64, types.uint64), generate


@kernel
def _key_at_end(text: Row, begin: Index, size: Index) -> tuple[Any, Any]:
    """A word as two integers, where the text ends soon after it."""
    low, high = U(0), U(0)
    for i in range(size):
        if i < 8:
            low |= U(text[begin + i]) << U(8 * i)
        else:
            high |= U(text[begin + i]) << U(8 * (i - 8))
    return low, high | U(size) << _LENGTH_AT


@kernel
def ask_words(text: Row, places: Row, first: Index, count: Index, table: Row, keys: Row) -> None:
    """Write keys and slots of words first .. first + count, and begin to load these slots.

    Args:
        places: int64, where words begin in `text`, and where the last one ends.
        keys: uint64, `KEY` for each word: its bytes and length in two, and its first slot, times `SLOT`.
    """
    text_, places_, table_, keys_, masks = borrowed((text, places, table, keys, _MASKS))
    last = len(text) - 16
    shift = U(64) - lowest(U(len(table) // SLOT))
    for k in range(U(count)):
        begin = places_[U(first) + k]
        size = U(places_[U(first) + k + _ONE] - begin)
        low, high = U(0), UNKEYED
        if size <= _SHORT:
            if begin <= last:
                low = eight_bytes(text_, U(begin)) & masks[min(size, _EIGHT)]
                high = (eight_bytes(text_, U(begin + 8)) & masks[max(size, _EIGHT) - _EIGHT]) | size << _LENGTH_AT
            else:
                low, high = _key_at_end(text, begin, np.int64(size))
        # The highest bits of a product: the lower ones do not depend on the last bytes of `low`.
        slot = (((low ^ (high * _MIX_2)) * _MIX_1) >> shift) * U(SLOT)
        keys_[U(KEY) * k], keys_[U(KEY) * k + _ONE], keys_[U(KEY) * k + _TWO] = low, high, slot
        prefetch(table_, slot)


@kernel
def find_word(table: Row, slot: Any, low: Any, high: Any) -> bool:
    """Whether the table has a word that is not in its first slot; it is there afterwards."""
    for way in range(1, WAYS):
        other = slot ^ U(way * SLOT)
        if table[other] == low and table[other + _ONE] == high:
            for i in range(U(SLOT)):
                table[slot + i], table[other + i] = table[other + i], table[slot + i]
            return True
    return False


@kernel
def enter_word(table: Row, slot: Any, low: Any, high: Any, value: Any, rest: Any) -> None:
    """Enter a word that the table does not have, in its first slot; the others move on. `UNKEYED` ones are left out."""
    if high == UNKEYED:
        return
    free = 0
    while free < WAYS - 1 and table[(slot ^ U(free * SLOT)) + _ONE] != U(0):
        free += 1
    for way in range(free, 0, -1):
        for i in range(U(SLOT)):
            table[(slot ^ U(way * SLOT)) + i] = table[(slot ^ U((way - 1) * SLOT)) + i]
    table[slot], table[slot + _ONE], table[slot + _TWO], table[slot + U(3)] = low, high, value, rest
