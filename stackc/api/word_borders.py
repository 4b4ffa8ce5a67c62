"""Where words begin (`WORD_RULE`), compiled: 64 bytes at a time, each class of bytes as the bits of one integer.

Whether a word begins at a byte follows from that byte, the one before and the one after; contractions, which look
further, are checked one by one.

The comparisons are written in LLVM's vectors, because its compiler does not find them in a loop over bytes; a machine
without registers of that width computes in parts, with the same answers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from stackc.api.intrinsics import borrowed
from stackc.api.kernels import inlined, kernel

Row = Any
Index = Any  # an integer; a checker does not know the types that numba keeps apart
U = np.uint64
WIDE = 64
_ONE, _LAST = U(1), U(63)

CLASSES = 7
CARRIED = CLASSES + WIDE // 8
"""Integers that a search leaves for its next part: the classes of the last bytes, and room for the bytes at the end."""

_BYTE = ir.IntType(8)
_BYTES = ir.VectorType(_BYTE, WIDE)
_BITS = ir.IntType(64)


def _vector(number: Index) -> Any:
    return ir.Constant(_BYTES, [_BYTE(number)] * WIDE)


def _between(builder: Any, data: Any, first: Index, last: Index) -> Any:
    """Lanes of first..last: one subtraction and one comparison without sign."""
    return builder.icmp_unsigned("<=", builder.sub(data, _vector(first)), _vector(last - first))


@intrinsic
def classes(typing_context: Any, text: Any, place: Any) -> Any:
    """Six uint64, one bit for each of text[place : place + WIDE] (uint8, not checked; place is unsigned).

    Letters, digits, blanks, tabs, line ends, apostrophes.
    """
    if not (isinstance(text, types.Array) and text.dtype.bitwidth == 8 and isinstance(place, types.Integer)):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        made = context.make_array(signature.args[0])(context, builder, arguments[0])
        source = builder.bitcast(builder.gep(made.data, [arguments[1]]), _BYTES.as_pointer())
        data = builder.load(source, align=1)
        small = builder.or_(data, _vector(0x20))
        letters = builder.or_(
            _between(builder, small, 0x61, 0x7A), builder.icmp_signed("<", data, ir.Constant(_BYTES, [_BYTE(0)] * WIDE))
        )
        tabs = builder.or_(_between(builder, data, 0x09, 0x09), _between(builder, data, 0x0B, 0x0C))
        lines = builder.or_(_between(builder, data, 0x0A, 0x0A), _between(builder, data, 0x0D, 0x0D))
        found = [letters, _between(builder, data, 0x30, 0x39), _between(builder, data, 0x20, 0x20), tabs, lines]
        found.append(_between(builder, data, 0x27, 0x27))
        return context.make_tuple(builder, signature.return_type, [builder.bitcast(lanes, _BITS) for lanes in found])

    tuples: Any = types
    return tuples.UniTuple(types.uint64, 6)(text, types.uint64), generate


@intrinsic
def lowest(typing_context: Any, bits: Any) -> Any:
    """The place of the lowest bit that is set; of 0 it is 64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(_BITS, [_BITS, ir.IntType(1)]), "llvm.cttz.i64"
        )
        return builder.call(function, [arguments[0], ir.IntType(1)(0)])

    return types.uint64(types.uint64), generate


@intrinsic
def ones(typing_context: Any, bits: Any) -> Any:
    """How many bits are set."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(_BITS, [_BITS]), "llvm.ctpop.i64")
        return builder.call(function, arguments)

    return types.uint64(types.uint64), generate


@kernel
def contraction(text: Row, begin: Index, at: Index, end: Index) -> bool:
    """Whether text[at], a letter after an apostrophe in text[begin:end], belongs to a contraction."""
    if at - 2 < begin:
        return False
    before = text[at - 2]
    if not (before >= 0x80 or 0x30 <= before <= 0x39 or 0x61 <= (before | 0x20) <= 0x7A):
        return False
    small, after = text[at] | 0x20, at + 1
    if small == 0x6C or small == 0x76 or small == 0x72:  # ll, ve, re
        rest = 0x6C if small == 0x6C else 0x65
        if after >= end or (text[after] | 0x20) != rest:
            return False
        after += 1
    elif not (small == 0x73 or small == 0x64 or small == 0x6D or small == 0x74):  # s, d, m, t
        return False
    if text[at] >= 0x80:
        return False
    return after >= end or not (text[after] >= 0x80 or 0x61 <= (text[after] | 0x20) <= 0x7A)


@inlined
def _joined(mask: Any, before: Any) -> Any:
    """The mask one place on, with the last bit of the block before."""
    return (mask << _ONE) | (before >> _LAST)


@inlined
def _block(text: Row, block: Index, end: Index, before: Row) -> tuple[Any, ...]:
    """The classes of text[block : block + WIDE], which of them are before `end`, and 1 if a solid byte follows them."""
    left = end - block
    following = U(0)
    if left >= WIDE:
        letters, digits, blanks, tabs, lines, quotes = classes(text, U(block))
        valid = ~U(0)
        if left > WIDE:
            byte = text[block + WIDE]
            following = U(0) if 9 <= byte <= 13 or byte == 32 else _ONE
    else:
        rest = before[CLASSES:].view(np.uint8)
        for i in range(left):
            rest[i] = text[block + i]
        letters, digits, blanks, tabs, lines, quotes = classes(rest, U(0))
        valid = (_ONE << U(left)) - _ONE
        letters, digits, blanks, tabs, lines, quotes = (
            letters & valid, digits & valid, blanks & valid, tabs & valid, lines & valid, quotes & valid
        )  # fmt: skip
    return letters, digits, blanks, tabs, lines, quotes, valid, following


@inlined
def _write_places(found: Any, block: Index, places: Row, filled: Index) -> Index:
    """Write the places of the bits that are set; returns the number of places that are filled.

    Eight at a time, of which those after the last are overwritten later: to end the loop after each word would be
    guessed wrong in nearly every block.
    """
    places_, at = borrowed((places,))[0], U(filled)
    count = ones(found)
    if filled + WIDE <= len(places):
        while found:
            for _ in range(8):
                places_[at] = block + np.int64(lowest(found))
                at += _ONE
                found &= found - _ONE
    else:
        while found:
            places_[at] = block + np.int64(lowest(found))
            at += _ONE
            found &= found - _ONE
    return filled + np.int64(count)


@kernel
def more_words(
    text: Row, begin: Index, end: Index, block: Index, stop: Index, places: Row, filled: Index, before: Row
) -> Index:
    """Write where the words of text[begin:end] begin in text[block:stop] to places[filled:], one a byte at most.

    What stands in `places` after them may be overwritten.

    Args:
        block: `begin` or, to continue, the last `stop`.
        stop: `end`, or a multiple of `WIDE` bytes after `begin`.
        before: uint64[CARRIED], which a call leaves for the next one; any numbers at first.

    Returns:
        the number of places that are filled.
    """
    text, before = borrowed((text, before))
    if block == begin:
        before[:CLASSES] = 0
    letters0, digits0, marks0, blanks0 = before[0], before[1], before[2], before[3]
    tabs0, lines0, quotes0 = before[4], before[5], before[6]
    while block < stop:
        letters, digits, blanks, tabs, lines, quotes, valid, following = _block(text, block, end, before)
        white = blanks | tabs | lines
        marks = valid & ~(white | letters | digits)
        attach = _joined(blanks, blanks0)
        space = attach | _joined(tabs, tabs0)
        solid = letters | digits | marks
        next_solid = (solid >> _ONE) | (following << _LAST)
        same = letters & (_joined(letters, letters0) | attach)
        same |= digits & (_joined(digits, digits0) | attach)
        same |= marks & (_joined(marks, marks0) | attach)
        same |= lines & _joined(lines, lines0)
        same |= tabs & space
        same |= blanks & space & ~next_solid
        short = letters & _joined(quotes, quotes0)
        while short:
            place = lowest(short)
            short &= short - _ONE
            if contraction(text, begin, block + np.int64(place), end):
                same |= _ONE << place
        found = valid & ~same
        if block == begin:
            found |= _ONE
        filled = _write_places(found, block, places, filled)
        letters0, digits0, marks0, blanks0 = letters, digits, marks, blanks
        tabs0, lines0, quotes0 = tabs, lines, quotes
        block += WIDE
    before[0], before[1], before[2], before[3] = letters0, digits0, marks0, blanks0
    before[4], before[5], before[6] = tabs0, lines0, quotes0
    return filled


@kernel
def find_words(text: Row, begin: Index, end: Index, places: Row, filled: Index) -> Index:
    """Write where the words of text[begin:end], uint8, begin to places[filled:], one place for each byte at most.

    Returns:
        the number of places that are filled.
    """
    return more_words(text, begin, end, begin, end, places, filled, np.empty(CARRIED, np.uint64))
