"""What may say something about the next symbol: contexts, as hashes, and a match with what was seen before."""

from __future__ import annotations

from typing import Any

from stackc.api import inlined
from stackc_mixing.integers import Int, Row, i64, u32, u64
from stackc_mixing.layout import (
    AT,
    FIELD,
    LEAST,
    LENGTH,
    LENGTHS,
    LINE,
    LINE_1,
    LONGEST,
    MOST_ZEROS,
    NO_TEXT,
    NO_TEXT_BYTES,
    SEEN_BITS,
    SOLID,
    SOURCE,
    WORD,
    WORD_1,
    WORD_2,
    ZEROS,
)
from stackc_mixing.shapes import SOME, TWELVE, Shape
from stackc_mixing.tables import KINDS, LOWER
from stackc_mixing.vectors import shift_in_zeros, splat


@inlined
def hashed(a: Int, b: Int) -> Int:
    """32 bits of two numbers of 32 bits."""
    h = u32(u32(a) * u32(0x2F0B4C47) + u32(b) * u32(0x9E3779B1) + u32(0x7F4A7C15))
    h = u32(h ^ (h >> u32(15)))
    h = u32(h * u32(0x85EBCA6B))
    return u32(h ^ (h >> u32(13)))


@inlined
def hashed_lanes(a: Int, b: Int) -> Int:
    """Vectors: as `hashed`."""
    h = a * splat(0x2F0B4C47) + b * splat(0x9E3779B1) + splat(0x7F4A7C15)
    h = (h ^ shift_in_zeros(h, splat(15))) * splat(0x85EBCA6B)
    return h ^ shift_in_zeros(h, splat(13))


@inlined
def key_of(h: Int, places: Row) -> Int:
    """The entry of `places` for the hash of the last six symbols."""
    return u64(u32(h * u32(0x9E3779B1)) >> u32(7)) & u64(len(places) - 1)


@inlined
def before(symbols: Row, at: Int, back: Int) -> Int:
    """The symbol `back` places before `at`; 0 before the run begins."""
    return u32(symbols[at - back]) if at >= back else u32(0)


@inlined
def orders(symbols: Row, at: Int) -> Any:
    """The hashes of the last 1, 2, 3, 4, 5 and 6 symbols."""
    o1 = hashed(before(symbols, at, 1), u32(1))
    o2 = hashed(o1, before(symbols, at, 2))
    o3 = hashed(o2, before(symbols, at, 3))
    o4 = hashed(o3, before(symbols, at, 4))
    o5 = hashed(o4, before(symbols, at, 5))
    return o1, o2, o3, o4, o5, hashed(o5, before(symbols, at, 6))


@inlined
def above_of(symbols: Row, at: Int, memory: Row) -> Any:
    """(column; the byte above, in the line before, or 0)."""
    column = i64(at) - memory[LINE]
    above_at = memory[LINE_1] + column
    return column, u32(symbols[above_at]) if 0 <= above_at < memory[LINE] else u32(0)


@inlined
def byte_contexts(symbols: Row, at: Int, memory: Row, hashes: Row) -> None:
    """Of bytes: orders 1 to 6, words, what stands above, columns and fields."""
    c1, c2, c3 = before(symbols, at, 1), before(symbols, at, 2), before(symbols, at, 3)
    o1, o2, o3, o4, o5, o6 = orders(symbols, at)
    word, word_1, word_2 = u32(memory[WORD]), u32(memory[WORD_1]), u32(memory[WORD_2])
    column, above = above_of(symbols, at, memory)
    hashes[0], hashes[1], hashes[2], hashes[4], hashes[5], hashes[6] = o1, o2, o3, o4, o5, o6
    hashes[3] = hashed(word + u32(7), c1)
    hashes[7] = hashed(hashed(c2, u32(9)), c3)
    hashes[8] = hashed(u32(10) + (above << u32(16)), c1 | (u32(min(column, 255)) << u32(8)))
    hashes[9] = hashed(word + u32(11), word_2)
    hashes[10] = hashed(u32(12) + (u32(memory[FIELD]) << u32(16)), c1 | (above << u32(8)))
    hashes[11] = hashed(hashed(word + u32(13), word_1), word_2)
    hashes[12] = hashed(word_1 + u32(14), c1)
    hashes[13] = hashed(word + u32(8), word_1)


@inlined
def token_contexts(symbols: Row, at: Int, hashes: Row) -> None:
    """Of tokens, which have no letters or lines: orders 1 to 7, and orders with gaps."""
    c1, c2, c3 = before(symbols, at, 1), before(symbols, at, 2), before(symbols, at, 3)
    c4 = before(symbols, at, 4)
    o1, o2, o3, o4, o5, o6 = orders(symbols, at)
    hashes[0], hashes[1], hashes[2], hashes[4], hashes[5], hashes[6] = o1, o2, o3, o4, o5, o6
    hashes[3] = hashed(c2, u32(2))
    hashes[7] = hashed(hashed(c2, u32(9)), c3)
    hashes[8] = hashed(hashed(c1, u32(10)), c3)
    hashes[9] = hashed(c3, u32(11))
    hashes[10] = hashed(hashed(c1, u32(12)), c4)
    hashes[11] = hashed(o6, before(symbols, at, 7))
    hashes[12] = hashed(hashed(hashed(c2, u32(14)), c3), c4)
    hashes[13] = hashed(hashed(c1, u32(15)), hashed(c3, c4))


@inlined
def some_of_bytes(symbols: Row, at: Int, memory: Row, hashes: Row) -> None:
    """The same of a model with some contexts: without order 5, gaps and the words before a word, but for one.

    After bytes that no text has, numbers of two to four bytes take the place of words, columns and fields.
    """
    c1, c2, c3, c4 = before(symbols, at, 1), before(symbols, at, 2), before(symbols, at, 3), before(symbols, at, 4)
    o1, o2, o3, o4, _, o6 = orders(symbols, at)
    word = u32(memory[WORD])
    hashes[0], hashes[1], hashes[2], hashes[3], hashes[4], hashes[5] = o3, hashed(word + u32(7), c1), o1, o2, o4, o6
    if at < memory[NO_TEXT]:
        hashes[6] = hashed(hashed(c2, u32(16)), c4)
        hashes[7] = hashed(hashed(c3, u32(17)), before(symbols, at, 6))
        hashes[8] = hashed(hashed(c2, u32(18)), c3)
        hashes[9] = hashed(hashed(c4, u32(19)), before(symbols, at, 8))
        return
    column, above = above_of(symbols, at, memory)
    hashes[6] = hashed(u32(10) + (above << u32(16)), c1 | (u32(min(column, 255)) << u32(8)))
    hashes[7] = hashed(word + u32(8), u32(memory[WORD_1]))
    hashes[8] = hashed(u32(12) + (u32(memory[FIELD]) << u32(16)), c1 | (above << u32(8)))
    hashes[9] = hashed(word + u32(11), u32(memory[WORD_2]))


@inlined
def some_of_tokens(symbols: Row, at: Int, hashes: Row) -> None:
    """The same of tokens."""
    c1, c2, c3 = before(symbols, at, 1), before(symbols, at, 2), before(symbols, at, 3)
    o1, o2, o3, o4, _, o6 = orders(symbols, at)
    hashes[0], hashes[1], hashes[2], hashes[3], hashes[4], hashes[5] = o3, hashed(c2, u32(2)), o1, o2, o4, o6
    hashes[6] = hashed(hashed(c1, u32(10)), c3)
    hashes[7] = hashed(hashed(c2, u32(9)), c3)
    hashes[8] = hashed(hashed(c1, u32(12)), before(symbols, at, 4))
    hashes[9] = hashed(c3, u32(11))


@inlined
def twelve_of_bytes(symbols: Row, at: Int, memory: Row, hashes: Row) -> None:
    """The same of the model with twelve: those of `some_of_bytes`, three words, and the word before.

    After bytes that no text has, gaps, the place in a number of four bytes, and the last bytes that are not zero: in
    UTF-16 and UTF-32 these are characters.
    """
    some_of_bytes(symbols, at, memory, hashes)
    c1 = before(symbols, at, 1)
    if at < memory[NO_TEXT]:
        c3, c4 = before(symbols, at, 3), before(symbols, at, 4)
        zeros, solid = hashed(u32(memory[ZEROS]), u32(20)), u64(memory[SOLID])
        hashes[7] = hashed(hashed(u32(at & 3), u32(21)), c1)
        hashes[9] = hashed(hashed(c3, u32(22)), c4)
        hashes[10] = hashed(zeros, u32(solid & u64(0xFFFFFF)))
        hashes[11] = hashed(hashed(zeros, u32(solid & u64(0xFFFFFFFF))), u32(solid >> u64(32)) & u32(255))
        return
    word, word_1 = u32(memory[WORD]), u32(memory[WORD_1])
    hashes[10] = hashed(hashed(word + u32(13), word_1), u32(memory[WORD_2]))
    hashes[11] = hashed(word_1 + u32(14), c1)


@inlined
def twelve_of_tokens(symbols: Row, at: Int, hashes: Row) -> None:
    """The same of tokens."""
    some_of_tokens(symbols, at, hashes)
    o4 = hashes[4]
    hashes[10] = hashed(o4, before(symbols, at, 5))
    hashes[11] = hashed(hashed(hashed(before(symbols, at, 2), u32(14)), before(symbols, at, 3)), before(symbols, at, 4))


@inlined
def contexts(shape: Shape, symbols: Row, at: Int, depth: Int, memory: Row, hashes: Row) -> None:
    """Fill the hashes of all contexts of the symbol at `at` of the run."""
    if len(shape.contexts) == len(TWELVE.contexts):
        if depth == 8:
            twelve_of_bytes(symbols, at, memory, hashes)
        else:
            twelve_of_tokens(symbols, at, hashes)
    elif len(shape.contexts) == len(SOME.contexts):
        if depth == 8:
            some_of_bytes(symbols, at, memory, hashes)
        else:
            some_of_tokens(symbols, at, hashes)
    elif depth == 8:
        byte_contexts(symbols, at, memory, hashes)
    else:
        token_contexts(symbols, at, hashes)


@inlined
def few_contexts(symbols: Row, at: Int, depth: Int, memory: Row, hashes: Row) -> None:
    """The same of a model with few: orders 1 to 4, and of bytes the word so far; then order 6, for the match."""
    o1, o2, o3, o4, _, o6 = orders(symbols, at)
    c1, c2 = before(symbols, at, 1), before(symbols, at, 2)
    hashes[0], hashes[1], hashes[2], hashes[3], hashes[5] = o1, o2, o3, o4, o6
    if depth == 8:
        hashes[4] = hashed(u32(memory[WORD]) + u32(7), c1)
    else:
        hashes[4] = hashed(hashed(c2, u32(9)), before(symbols, at, 3))


@inlined
def matched(window: Row, symbols: Row, at: Int, memory: Row, places: Row, key: Int) -> Any:
    """(where a match continues, its length): the present one, or what followed the same six symbols last time."""
    source, length = memory[SOURCE], memory[LENGTH]
    if length == 0:
        source = i64(places[key])
        if 0 < source < len(window) + at:
            while length < min(LONGEST, at) and length < source:
                behind = source - 1 - length
                old = u32(window[behind]) if behind < len(window) else u32(symbols[behind - len(window)])
                if old != u32(symbols[at - 1 - length]):
                    break
                length += 1
            if length < LEAST:
                length = i64(0)
    return source, length


@inlined
def copied(window: Row, symbols: Row, source: Int) -> Int:
    """The symbol at a position of window and run."""
    return u32(window[source]) if source < len(window) else u32(symbols[source - len(window)])


@inlined
def length_class(length: Int) -> Int:
    return length if length < 16 else min(15 + ((length - 16) >> 4), LENGTHS - 1)


@inlined
def continue_match(window: Row, symbols: Row, at: Int, depth: Int, source: Int, length: Int, memory: Row) -> Int:
    """After a symbol, which is returned: whether the match continues."""
    symbol = u32(symbols[at])
    memory[SEEN_BITS] += depth
    if length > 0:
        length = min(length + 1, i64(65535)) if copied(window, symbols, source) == symbol else i64(0)
        source += 1
    memory[LENGTH], memory[SOURCE] = length, source
    memory[AT] = at + 1
    return symbol


@inlined
def read_byte(symbol: Int, at: Int, memory: Row) -> None:
    """After a byte: words, lines and fields."""
    kind = KINDS[symbol & u32(255)]
    if kind == 1:
        memory[WORD] = i64(hashed(u32(memory[WORD]) + u32(LOWER[symbol & u32(255)]), u32(3)))
        return
    if memory[WORD] != 0:
        memory[WORD_2], memory[WORD_1], memory[WORD] = memory[WORD_1], memory[WORD], i64(0)
    if kind == 2:
        memory[LINE_1], memory[LINE], memory[FIELD] = memory[LINE], i64(at + 1), i64(0)
    elif kind == 3:
        memory[FIELD] = (memory[FIELD] + 1) & 255
    elif kind == 4:
        memory[NO_TEXT] = at + NO_TEXT_BYTES


@inlined
def remember(window: Row, symbols: Row, at: Int, depth: Int, source: Int, length: Int, memory: Row) -> None:
    """After a symbol: whether the match continues, and of bytes, words and lines."""
    symbol = continue_match(window, symbols, at, depth, source, length, memory)
    if depth == 8:
        read_byte(symbol, at, memory)


@inlined
def remember_solid(window: Row, symbols: Row, at: Int, depth: Int, source: Int, length: Int, memory: Row) -> None:
    """The same of the model with twelve contexts, in which zeros do not end words."""
    symbol = continue_match(window, symbols, at, depth, source, length, memory)
    if depth != 8:
        return
    if symbol == 0:
        memory[ZEROS] = min(memory[ZEROS] + 1, i64(MOST_ZEROS))
        memory[NO_TEXT] = at + NO_TEXT_BYTES
        return
    memory[ZEROS], memory[SOLID] = i64(0), (memory[SOLID] << 8) | i64(symbol)
    read_byte(symbol, at, memory)
