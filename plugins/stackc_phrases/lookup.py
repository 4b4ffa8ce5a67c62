"""The tables that texts are looked up in, and how they are filled. All of them are open addressing hashes.

- *Parts*: a trie over the pieces inside words. An entry is ``node << 36 | byte << 28 | child``; `part` has the token of
  each node, or NONE. The node of a single byte is that byte plus one, so no entry is 0.
- *Words*: whole words of at most 15 bytes. A slot is four integers, half a line of the cache: 15 bytes and the length
  in two of them; ``word << 36 | begins a phrase << 35 | tokens << 30 | token``; several tokens are at `runs[token:]`;
  what the word costs. Words that no phrase has are all number 0. At first it holds the words that are pieces or in a
  phrase; whoever encodes has its own copy, which learns further words until it is full (`learn`). It decides nothing,
  and saves cutting a word again. Behind the slots is one of zeros, for words that it does not have.
- *Phrases*: a trie over words. The first node is the word's number; an entry is two integers,
  ``(node << 32 | word) + 1``, and ``child << 32 | token + 1`` with the token of the phrase that ends there, or 0.
- A *filter*: one bit for the hash of each entry of that trie. Most words do not continue a phrase, and it says so for
  nearly all of them from 128 KiB, which stay in the cache.

Every number in them is made here, from pieces that were checked, so no look-up leads outside an array.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stackc.api import eight_bytes, inlined, kernel

Row = Any
Index = Any  # an integer; a checker does not know the types that numba keeps apart
U = np.uint64
NONE = -1
FAR = 1 << 60

NODE_BITS, BYTE_BITS = 28, 8
_NODE = U((1 << NODE_BITS) - 1)
_BYTE_AT, _PARENT_AT = U(NODE_BITS), U(NODE_BITS + BYTE_BITS)
LOW_32 = U(0xFFFFFFFF)
TO_HIGH = U(32)

TOKEN_BITS, COUNT_BITS = 30, 5
REFERENCE = U((1 << TOKEN_BITS) - 1)
COUNT = U((1 << COUNT_BITS) - 1)
COUNT_AT, BEGINS_AT, WORD_AT = U(TOKEN_BITS), U(TOKEN_BITS + COUNT_BITS), U(TOKEN_BITS + COUNT_BITS + 1)

SHORT = 15
"""Bytes of a word in the table of words, at most."""
SLOT = 4
"""Integers in a slot of that table."""
INLINE = 4
"""Tokens that are written at once, at most."""

SIEVE_BITS = 20
"""Bits of a hash that the filter sees."""
SIEVE = 1 << (SIEVE_BITS - 6)

_TOP_17 = U(47)
_MIX_1, _MIX_2 = U(0x9E3779B97F4A7C15), U(0xC2B2AE3D27D4EB4F)

MASKS = np.array([(1 << 8 * i) - 1 for i in range(9)], np.uint64)


@inlined
def word_key(text: Row, begin: Index, size: Index) -> tuple[Any, Any]:
    """A word of at most `SHORT` bytes as two integers, the length in the last byte."""
    if begin + 16 <= len(text):
        low, high = eight_bytes(text, U(begin)), eight_bytes(text, U(begin + 8))
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
    # The highest bits count too: the others do not depend on the last bytes of `low`.
    return ((mixed >> TO_HIGH ^ mixed >> _TOP_17) & mask) * U(SLOT)


@inlined
def top_of(table: Row) -> Any:
    """The last place of the table of words, before the slot of those that it does not have."""
    return U(len(table) - SLOT - 1)


@inlined
def pair_slot(key: Any, mask: Any) -> Any:
    """The first slot to look for an entry of a trie in."""
    mixed = key * _MIX_1
    return (mixed >> TO_HIGH) & mask


# --------------------------------------------------------------------------------------------------
# Parts of words


@inlined
def part_child(parts: Row, node: Any, byte: Any) -> Any:
    """The node one byte further; 0 if no text continues so."""
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
def longest_part(text: Row, begin: Index, end: Index, parts: Row, part: Row) -> tuple[Index, Index]:
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
def cut_longest(text: Row, begin: Index, end: Index, parts: Row, part: Row, out: Row, filled: Index) -> Index:
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
    text: Row, begin: Index, end: Index, parts: Row, part: Row, costs: Row, best: Row, last: Row
) -> Index:  # fmt: skip
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
def cut_cheapest(size: Index, last: Row, offsets: Row, out: Row, filled: Index) -> Index:
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
def learn(
    text: Row, begin: Index, size: Index, number: Any, cheapest: bool, costs: Row, sizes: Row, parts: Row, part: Row,
    table: Row, runs: Row, filled: Row,
) -> Any:  # fmt: skip
    """Enter a word that is not in the table of words; nothing happens if the table or `runs` is full.

    Args:
        number: ``word << 1 | begins a phrase``.
        cheapest: how words are cut.
        costs, sizes: of every token: int32[N], and int64[N + 1], where each starts and ends.
        filled: int64[2], the words in the table, and the tokens in `runs`.

    Returns:
        the slot where the word is, or the last one.
    """
    low, high = word_key(text, begin, size)
    top = top_of(table)
    slot = word_slot(low, high, top // U(SLOT))
    while table[slot + U(1)] != U(0):
        slot = (slot + U(SLOT)) & top
    if U(2 * SLOT * (filled[0] + 1)) > top or filled[1] + SHORT > len(runs):
        return top + U(1)
    best, last, own = np.empty(SHORT + 1, np.int64), np.empty(SHORT + 1, np.int64), np.zeros(SHORT, np.uint32)
    cost = cost_of_word(text, begin, begin + size, parts, part, costs, best, last)
    if cheapest:
        count = cut_cheapest(size, last, sizes, own, 0)
    else:
        count = cut_longest(text, begin, begin + size, parts, part, own, 0)
    first = own[0]
    if count > 1:
        first = np.uint32(filled[1])
        runs[filled[1] : filled[1] + count] = own[:count]
        filled[1] += count
    table[slot], table[slot + U(1)] = low, high
    table[slot + U(2)] = number << BEGINS_AT | U(count) << COUNT_AT | U(first)
    table[slot + U(3)] = U(cost)
    filled[0] += 1
    return slot


@kernel
def enter_words(
    texts: Row, offsets: Row, begins: Row, cheapest: bool, costs: Row, sizes: Row, parts: Row, part: Row, table: Row,
    runs: Row, filled: Row,
) -> None:  # fmt: skip
    """Fill the table of words: word i is texts[offsets[i]:offsets[i + 1]], all different.

    Args:
        begins: bool[W + 1], whether a phrase begins with the word; the numbers of words count from 1.
    """
    for word in range(len(offsets) - 1):
        low, size = offsets[word], offsets[word + 1] - offsets[word]
        number = U(word + 1) << U(1) | U(begins[word + 1])
        learn(texts, low, size, number, cheapest, costs, sizes, parts, part, table, runs, filled)


@inlined
def pair_key(node: Any, word: Any) -> Any:
    """The key of a node and one word more."""
    return (node << TO_HIGH | word) + U(1)


@inlined
def may_continue(wanted: Any, sieve: Row) -> Any:
    """1 if the trie may have this key, 0 if it has not."""
    mixed = wanted * _MIX_2
    return (sieve[mixed >> U(64 - SIEVE_BITS + 6)] >> ((mixed >> U(64 - SIEVE_BITS)) & U(63))) & U(1)


@kernel
def enter_phrases(words: Row, offsets: Row, tokens: Row, nodes: Index, trie: Row, sieve: Row, begins: Row) -> None:
    """Fill the trie of phrases: phrase i is the words words[offsets[i]:offsets[i + 1]].

    Args:
        nodes: the first node of phrases, behind the numbers of words.
        trie: uint64, two for a slot; a power of two, at least twice as many slots as words in all phrases.
        sieve: uint64[SIEVE], filled.
        begins: bool[W + 1], filled.
    """
    mask = U(len(trie) // 2 - 1)
    free = U(nodes)
    for phrase in range(len(tokens)):
        node = U(words[offsets[phrase]])
        begins[words[offsets[phrase]]] = True
        slot = U(0)
        for at in range(offsets[phrase] + 1, offsets[phrase + 1]):
            wanted = pair_key(node, U(words[at]))
            slot = pair_slot(wanted, mask) * U(2)
            while trie[slot] != U(0) and trie[slot] != wanted:
                slot = (slot + U(2)) & (mask * U(2) + U(1))
            if trie[slot] == U(0):
                trie[slot], trie[slot + U(1)] = wanted, free << TO_HIGH
                free += U(1)
                mixed = wanted * _MIX_2
                sieve[mixed >> U(64 - SIEVE_BITS + 6)] |= U(1) << ((mixed >> U(64 - SIEVE_BITS)) & U(63))
            node = trie[slot + U(1)] >> TO_HIGH
        trie[slot + U(1)] |= U(tokens[phrase]) + U(1)
