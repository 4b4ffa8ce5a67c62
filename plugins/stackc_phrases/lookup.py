"""The three tables that texts are looked up in, and how they are filled. All of them are open addressing hashes.

- *Parts*: a trie over the pieces inside words. An entry is ``node << 36 | byte << 28 | child``; `part` has the token of
  each node, or NONE. The node of a single byte is that byte plus one, so no entry is 0.
- *Words*: whole words of at most 15 bytes: all those that are pieces or in a phrase, and common ones. A slot is four
  integers: 15 bytes and the length; ``word << 36 | begins a phrase << 35 | tokens << 30 | token``, where several tokens
  are found at `runs[token:]`; and what the word costs.
- *Phrases*: a trie over words. The first node is the word's number; an entry is ``(node << 32 | word) + 1`` and
  ``child << 32 | token + 1``, the token of the phrase that ends there, or 0.

Every number in them is made here, from pieces that were checked, so no look-up leads outside an array.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from stackc.api import inlined, kernel

Row = Any
U = np.uint64
NONE = -1
FAR = 1 << 60

NODE_BITS, BYTE_BITS = 28, 8
_NODE = U((1 << NODE_BITS) - 1)
_BYTE_AT, _PARENT_AT = U(NODE_BITS), U(NODE_BITS + BYTE_BITS)
_LOW32 = U(0xFFFFFFFF)
_32 = U(32)

TOKEN_BITS, COUNT_BITS = 30, 5
_REF = U((1 << TOKEN_BITS) - 1)
_COUNT = U((1 << COUNT_BITS) - 1)
_COUNT_AT, _BEGINS_AT, _WORD_AT = U(TOKEN_BITS), U(TOKEN_BITS + COUNT_BITS), U(TOKEN_BITS + COUNT_BITS + 1)

SHORT = 15
"""Bytes of a word in the table of words, at most."""
SLOT = 4
"""Integers in a slot of that table."""

_MIX_1, _MIX_2 = U(0x9E3779B97F4A7C15), U(0xC2B2AE3D27D4EB4F)

MASKS = np.array([(1 << 8 * i) - 1 for i in range(9)], np.uint64)


@intrinsic
def eight(typing_context: Any, text: Any, place: Any) -> Any:
    """text[place : place + 8] of bytes as one integer, the first byte lowest; not checked, place is unsigned."""
    if not (isinstance(text, types.Array) and text.dtype.bitwidth == 8 and isinstance(place, types.Integer)):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        made = context.make_array(signature.args[0])(context, builder, arguments[0])
        place = builder.bitcast(builder.gep(made.data, [arguments[1]]), ir.IntType(64).as_pointer())
        return builder.load(place, align=1)

    return types.uint64(text, types.uint64), generate


@inlined
def word_key(text: Row, begin: int, size: int) -> tuple[Any, Any]:
    """A word of at most `SHORT` bytes as two integers, the length in the last byte."""
    if begin + 16 <= len(text):
        low, high = eight(text, U(begin)), eight(text, U(begin + 8))
        low &= MASKS[min(size, 8)]
        high &= MASKS[max(size - 8, 0)]
    else:
        low, high = U(0), U(0)
        for i in range(size):
            if i < 8:
                low |= U(text[begin + i]) << U(8 * i)
            else:
                high |= U(text[begin + i]) << U(8 * (i - 8))
    return low, high | U(size) << U(56)


@inlined
def word_slot(low: Any, high: Any, mask: Any) -> Any:
    """The first slot to look for a word in, times `SLOT`."""
    mixed = (low ^ (high * _MIX_2)) * _MIX_1
    return ((mixed ^ (mixed >> _32)) & mask) * U(SLOT)


@inlined
def pair_slot(key: Any, mask: Any) -> Any:
    """The first slot to look for an entry of a trie in."""
    mixed = key * _MIX_1
    return (mixed >> _32) & mask


# --------------------------------------------------------------------------------------------------
# Parts of words


@inlined
def part_child(parts: Row, node: Any, byte: Any) -> Any:
    """The node one byte further; 0 if there is none."""
    mask = U(len(parts) - 1)
    wanted = node << U(BYTE_BITS) | U(byte)
    slot = pair_slot(wanted, mask)
    found = U(0)
    while parts[slot] != U(0):
        if parts[slot] >> _BYTE_AT == wanted:
            found = parts[slot] & _NODE
            break
        slot = (slot + U(1)) & mask
    return found


@kernel
def enter_parts(texts: Row, offsets: Row, tokens: Row, parts: Row, part: Row) -> None:
    """Fill the trie of parts.

    Args:
        tokens: the pieces that are used inside words.
        parts: uint64, a power of two, at least twice the bytes of these pieces.
        part: int32, one more than these bytes and 256 at least.
    """
    part[:] = NONE
    nodes = U(257)
    mask = U(len(parts) - 1)
    for token in tokens:
        begin, end = offsets[token], offsets[token + 1]
        node = U(texts[begin]) + U(1)
        for at in range(begin + 1, end):
            child = part_child(parts, node, texts[at])
            if child == U(0):
                child = nodes
                nodes += U(1)
                wanted = node << U(BYTE_BITS) | U(texts[at])
                slot = pair_slot(wanted, mask)
                while parts[slot] != U(0):
                    slot = (slot + U(1)) & mask
                parts[slot] = wanted << _BYTE_AT | child
            node = child
        part[node] = token


@inlined
def longest_part(text: Row, begin: int, end: int, parts: Row, part: Row) -> tuple[int, int]:
    """(token, bytes) of the longest part that text[begin:end], not empty, begins with."""
    node = U(text[begin]) + U(1)
    token, size = np.int64(text[begin]), 1
    for at in range(begin + 1, end):
        node = part_child(parts, node, text[at])
        if node == U(0):
            break
        if part[node] >= 0:
            token, size = np.int64(part[node]), at + 1 - begin
    return token, size


@inlined
def cut_longest(text: Row, begin: int, end: int, parts: Row, part: Row, out: Row, filled: int) -> int:
    """Write the parts of a word, the longest first; returns the number of tokens in `out`."""
    at = begin
    while at < end:
        token, size = longest_part(text, at, end, parts, part)
        out[filled] = token
        filled += 1
        at += size
    return filled


@inlined
def cost_of_word(
    text: Row, begin: int, end: int, parts: Row, part: Row, costs: Row, best: Row, last: Row
) -> int:  # fmt: skip
    """The least cost of a word in parts; `last` are the last parts of its beginnings.

    Of parses of equal cost the one whose last part is longest, and so on to the front.
    """
    size = end - begin
    for i in range(1, size + 1):
        best[i] = FAR
    best[0] = 0
    for low in range(size):
        node, here = U(text[begin + low]) + U(1), best[low]
        at = low + 1
        while True:
            if part[node] >= 0 and here + costs[part[node]] < best[at]:
                best[at], last[at] = here + costs[part[node]], part[node]
            if at == size:
                break
            node = part_child(parts, node, text[begin + at])
            if node == U(0):
                break
            at += 1
    return best[size]


@inlined
def cut_cheapest(size: int, last: Row, offsets: Row, out: Row, filled: int) -> int:
    """Write the parts that `cost_of_word` found, in order; returns the number of tokens in `out`."""
    count, at = 0, size
    while at > 0:
        at -= offsets[last[at] + 1] - offsets[last[at]]
        count += 1
    at = size
    for i in range(count - 1, -1, -1):
        out[filled + i] = last[at]
        at -= offsets[last[at] + 1] - offsets[last[at]]
    return filled + count


# --------------------------------------------------------------------------------------------------
# Words and phrases


@kernel
def enter_words(
    texts: Row, offsets: Row, begins: Row, costs: Row, sizes: Row, cheapest: bool, parts: Row, part: Row, table: Row,
    runs: Row,
) -> None:  # fmt: skip
    """Fill the table of words: word i is texts[offsets[i]:offsets[i + 1]], all different.

    Args:
        begins: bool[W], whether a phrase begins with the word.
        costs, sizes: of every token: int32[N], and int64[N + 1], where each starts and ends.
        cheapest: how words are cut.
        table: uint64[slots * SLOT], at least twice as many slots as words.
        runs: uint32, room for the bytes of all words.
    """
    mask = U(len(table) // SLOT - 1)
    best, last, own = np.empty(SHORT + 1, np.int64), np.empty(SHORT + 1, np.int64), np.empty(SHORT, np.uint32)
    filled = 0
    for word in range(len(offsets) - 1):
        low, high = offsets[word], offsets[word + 1]
        cost = cost_of_word(texts, low, high, parts, part, costs, best, last)
        if cheapest:
            count = cut_cheapest(high - low, last, sizes, own, 0)
        else:
            count = cut_longest(texts, low, high, parts, part, own, 0)
        first = own[0]
        if count > 1:
            first = np.uint32(filled)
            runs[filled : filled + count] = own[:count]
            filled += count
        one, two = word_key(texts, low, high - low)
        slot = word_slot(one, two, mask)
        while table[slot + U(1)] != U(0):
            slot = (slot + U(SLOT)) & (mask * U(SLOT) + U(SLOT - 1))
        table[slot], table[slot + U(1)] = one, two
        table[slot + U(2)] = U(word) << _WORD_AT | U(begins[word]) << _BEGINS_AT | U(count) << _COUNT_AT | U(first)
        table[slot + U(3)] = U(cost)


@inlined
def find_word(table: Row, low: Any, high: Any) -> Any:
    """The slot of a word, plus 2; 0 if it is not in the table."""
    mask = U(len(table) // SLOT - 1)
    slot = word_slot(low, high, mask)
    found = U(0)
    while table[slot + U(1)] != U(0):
        if table[slot] == low and table[slot + U(1)] == high:
            found = slot + U(2)
            break
        slot = (slot + U(SLOT)) & (mask * U(SLOT) + U(SLOT - 1))
    return found


@inlined
def phrase_child(keys: Row, values: Row, node: Any, word: Any) -> Any:
    """The value of a node and one word more; 0 if there is none."""
    mask = U(len(keys) - 1)
    wanted = (node << _32 | word) + U(1)
    slot = pair_slot(wanted, mask)
    found = U(0)
    while keys[slot] != U(0):
        if keys[slot] == wanted:
            found = values[slot]
            break
        slot = (slot + U(1)) & mask
    return found


@kernel
def enter_phrases(words: Row, offsets: Row, tokens: Row, nodes: int, keys: Row, values: Row, begins: Row) -> None:
    """Fill the trie of phrases: phrase i is the words words[offsets[i]:offsets[i + 1]].

    Args:
        nodes: the number of words, and the first node that is none.
        keys, values: uint64, a power of two, at least twice the words of all phrases.
        begins: bool[W], filled.
    """
    mask = U(len(keys) - 1)
    free = U(nodes)
    for phrase in range(len(tokens)):
        node = U(words[offsets[phrase]])
        begins[words[offsets[phrase]]] = True
        slot = U(0)
        for at in range(offsets[phrase] + 1, offsets[phrase + 1]):
            wanted = (node << _32 | U(words[at])) + U(1)
            slot = pair_slot(wanted, mask)
            while keys[slot] != U(0) and keys[slot] != wanted:
                slot = (slot + U(1)) & mask
            if keys[slot] == U(0):
                keys[slot], values[slot] = wanted, free << _32
                free += U(1)
            node = values[slot] >> _32
        values[slot] |= U(tokens[phrase]) + U(1)
