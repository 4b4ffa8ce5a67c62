"""Cutting windows into the texts of a lexicon at least cost, and counting windows, compiled. The rule is in `lexicon`.

The texts are paths of a trie, which is a hash table: the key of an edge is its upper node and its symbol, and it leads
to a node; node 0 is the empty text. `tokens[node]` is the token whose text ends there, -1 if none does.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stackc.api import ask_words, borrowed, enter_word, find_word, inlined, kernel, put_codes

Row = Any
Index = Any
U = np.uint64

FAR = 1 << 60
"""A cost that no sum of costs reaches."""

NONE = -1

HELD = 8
"""Tokens that are copied at a time, at most: two integers of a slot, of which the second begins with their number."""

BLOCK, ASKED = 256, 4
"""Windows that are looked up at a time, and integers that `ask_words` writes for each."""

_MIX, _BASIS, _PRIME = U(0x9E3779B97F4A7C15), U(0xCBF29CE484222325), U(0x100000001B3)


@inlined
def slot_of(key: Any, mask: Index) -> Index:
    """Where to look for a key first."""
    mixed = key * _MIX
    return np.int64((mixed ^ (mixed >> U(32))) & U(mask))


@inlined
def edge(node: Index, symbol: Index) -> Any:
    """The key of an edge: never 0, which marks an empty slot."""
    return U(node) << U(32) | U(symbol) + U(1)


@inlined
def child(keys: Row, nodes: Row, mask: Index, node: Index, symbol: Index) -> Index:
    """The child of `node` along `symbol`; 0 if it has no such child."""
    key = edge(node, symbol)
    slot = slot_of(key, mask)
    while keys[slot] != 0 and keys[slot] != key:
        slot = (slot + 1) & mask
    return nodes[slot] if keys[slot] == key else 0


@kernel
def enter(symbols: Row, offsets: Row, keys: Row, nodes: Row, tokens: Row) -> Index:
    """Put texts into an empty trie.

    Args:
        symbols, offsets: the texts, none of them empty; text t is token t.
        keys, nodes: filled; zeros, a power of two of them, and more than there are symbols.
        tokens: filled; -1 everywhere, one more than there are symbols at least.

    Returns:
        the first token whose text is that of another, or -1.
    """
    mask, made = len(keys) - 1, 0
    for token in range(len(offsets) - 1):
        node = 0
        for at in range(offsets[token], offsets[token + 1]):
            key = edge(node, symbols[at])
            slot = slot_of(key, mask)
            while keys[slot] != 0 and keys[slot] != key:
                slot = (slot + 1) & mask
            if keys[slot] == 0:
                made += 1
                keys[slot], nodes[slot] = key, made
            node = nodes[slot]
        if tokens[node] >= 0:
            return token
        tokens[node] = token
    return NONE


@kernel
def cheapest(
    symbols: Row, begin: Index, end: Index, without: Index, keys: Row, nodes: Row, tokens: Row, costs: Row, best: Row,
    last: Row,
) -> Index:  # fmt: skip
    """The least cost of symbols[begin:end] in texts other than `without`. Every symbol alone must be one.

    `last[i]` becomes the last token of the first i symbols; of equal costs the one with the longest text.
    """
    size, mask = end - begin, len(keys) - 1
    best[: size + 1] = FAR
    best[0] = 0
    for low in range(size):
        here, node = best[low], 0
        for high in range(low + 1, size + 1):
            node = child(keys, nodes, mask, node, symbols[begin + high - 1])
            if node == 0:
                break
            token = tokens[node]
            if token >= 0 and token != without and here + costs[token] < best[high]:
                best[high], last[high] = here + costs[token], token
    return best[size]


@inlined
def cut(
    symbols: Row, begin: Index, end: Index, keys: Row, nodes: Row, tokens: Row, costs: Row, lengths: Row, best: Row,
    last: Row, out: Row, made: Index,
) -> Index:  # fmt: skip
    """Write the tokens of symbols[begin:end] to out[made:]; returns how many they are."""
    cheapest(symbols, begin, end, NONE, keys, nodes, tokens, costs, best, last)
    at, count = end - begin, 0
    while at > 0:
        at -= lengths[last[at]]
        count += 1
    at, place = end - begin, made + count
    while at > 0:
        place -= 1
        out[place] = last[at]
        at -= lengths[last[at]]
    return count


@kernel
def encode(
    symbols: Row, bounds: Row, text: Row, places: Row, keys: Row, nodes: Row, tokens: Row, costs: Row, lengths: Row,
    met: Row, out: Row, counts: Row,
) -> Index:  # fmt: skip
    """The tokens of all windows into `out`, and of each how many into `counts`; returns how many in all.

    Windows of a word are met again and again: those of few bytes are looked up first (`stackc.api.word_tables`), and as
    many tokens are copied as a slot holds, whatever the window has; the next one's are written over what is too much.

    Args:
        text, places: `symbols` as bytes, and `bounds` in them.
        met: the table of windows, of the caller alone.
        out: uint16 or uint32, room for a token for each symbol, and for `HELD` more.
    """
    longest = 1
    for window in range(len(bounds) - 1):
        longest = max(longest, bounds[window + 1] - bounds[window])
    best, last = np.empty(longest + 1, np.int64), np.empty(longest + 1, np.int64)
    out_ = borrowed((out,))[0]
    asked, made = np.empty(ASKED * BLOCK, np.uint64), 0
    half, width = 8 // out.itemsize, U(8 * out.itemsize)
    for first in range(0, len(bounds) - 1, BLOCK):
        here = min(BLOCK, len(bounds) - 1 - first)
        ask_words(text, places, first, here, met, asked)
        met_, asked_ = borrowed((met, asked))
        for k in range(here):
            low, high, slot = asked_[U(ASKED * k)], asked_[U(ASKED * k + 1)], asked_[U(ASKED * k + 2)]
            if (met_[slot] == low and met_[slot + U(1)] == high) or find_word(met, slot, low, high):
                rest = met_[slot + U(3)]
                put_codes(out_, U(made), met_[slot + U(2)])
                put_codes(out_, U(made + half), rest >> width)
                count: Index = np.int64(rest & U(0xFFFF))
            else:
                count = cut(
                    symbols, bounds[first + k], bounds[first + k + 1], keys, nodes, tokens, costs, lengths, best, last,
                    out, made,
                )  # fmt: skip
                if count < 2 * half:
                    packed, rest = U(0), U(count)
                    for i in range(min(count, half)):
                        packed |= U(out[made + i]) << (U(i) * width)
                    for i in range(half, count):
                        rest |= U(out[made + i]) << (U(i + 1 - half) * width)
                    enter_word(met, slot, low, high, packed, rest)
            counts[first + k] = count
            made += count
    return made


@kernel
def count_windows(symbols: Row, bounds: Row, first: Index, keys: Row, counts: Row, firsts: Row, filled: Row) -> Index:
    """Count equal windows, starting at `first`, until three quarters of the table are used; returns where it stopped.

    Windows are compared by 64-bit hashes: two that agree would share a count, and nothing else.

    Args:
        keys, counts, firsts: the table, of 2^n slots; `firsts` is the number of the first such window.
        filled: int64[1], the slots used.
    """
    mask = len(keys) - 1
    for window in range(first, len(bounds) - 1):
        if 4 * (filled[0] + 1) > 3 * len(keys):
            return window
        key = _BASIS
        for at in range(bounds[window], bounds[window + 1]):
            key = (key ^ U(symbols[at])) * _PRIME
        key |= U(1)
        slot = slot_of(key, mask)
        while keys[slot] != 0 and keys[slot] != key:
            slot = (slot + 1) & mask
        if keys[slot] == 0:
            keys[slot], firsts[slot] = key, window
            filled[0] += 1
        counts[slot] += 1
    return len(bounds) - 1


@kernel
def move(keys: Row, counts: Row, firsts: Row, to_keys: Row, to_counts: Row, to_firsts: Row) -> None:
    """Move a table of `count_windows` into a larger one, which is empty."""
    mask = len(to_keys) - 1
    for slot in range(len(keys)):
        if keys[slot] != 0:
            to = slot_of(keys[slot], mask)
            while to_keys[to] != 0:
                to = (to + 1) & mask
            to_keys[to], to_counts[to], to_firsts[to] = keys[slot], counts[slot], firsts[slot]


@kernel
def count_uses(
    symbols: Row, bounds: Row, windows: Row, times: Row, keys: Row, nodes: Row, tokens: Row, costs: Row, lengths: Row,
    uses: Row,
) -> None:  # fmt: skip
    """Add to `uses` how often each token is used in the cheapest cuttings of `windows`, which occur `times` times."""
    longest = 1
    for window in windows:
        longest = max(longest, bounds[window + 1] - bounds[window])
    best, last = np.empty(longest + 1, np.int64), np.empty(longest + 1, np.int64)
    for i in range(len(windows)):
        begin, end = bounds[windows[i]], bounds[windows[i] + 1]
        cheapest(symbols, begin, end, NONE, keys, nodes, tokens, costs, best, last)
        at = end - begin
        while at > 0:
            uses[last[at]] += times[i]
            at -= lengths[last[at]]


@kernel
def count_losses(
    symbols: Row, offsets: Row, keys: Row, nodes: Row, tokens: Row, costs: Row, uses: Row, losses: Row
) -> None:
    """Into `losses`: what all windows would cost more without each token, its text cut at least cost instead.

    Args:
        symbols, offsets: the tokens' texts.
    """
    longest = 1
    for token in range(len(offsets) - 1):
        longest = max(longest, offsets[token + 1] - offsets[token])
    best, last = np.empty(longest + 1, np.int64), np.empty(longest + 1, np.int64)
    for token in range(len(offsets) - 1):
        if uses[token] > 0 and offsets[token + 1] - offsets[token] > 1:
            begin, end = offsets[token], offsets[token + 1]
            other = cheapest(symbols, begin, end, token, keys, nodes, tokens, costs, best, last)
            losses[token] = uses[token] * (other - costs[token])
