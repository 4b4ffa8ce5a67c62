"""Encoding by the longest match: words are looked up in blocks, then phrases among them, then tokens are written.

`stackc_phrases.twin` says it plainly. Where a phrase begins and how long it is cannot be foreseen, and a branch that is
guessed wrong costs more than a word does otherwise. So no pass branches on it: words that may begin a phrase are
written to a list, which each round shortens to those that have one more word, and of every word four tokens are copied,
whatever it has; the next word's are written over what was too much. A phrase is given its own slot, so that its
token is copied as those of a word are.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stackc.api import borrowed, find_words, inlined, kernel, prefetch, put_codes
from stackc_phrases.config import MOST_WORDS
from stackc_phrases.encoding import BLOCK, ask, longest_window
from stackc_phrases.lookup import (
    BEGINS_AT,
    LOW_32,
    SLOT,
    SPARE,
    TO_HIGH,
    WORD_AT,
    U,
    cut_longest,
    learn,
    may_continue,
    pair_key,
    pair_slot,
    top_of,
)

Row = Any
Index = Any  # an integer; a checker does not know the types that numba keeps apart

ROOM = BLOCK + MOST_WORDS
"""Words that are held at a time: those of a block, and those before whose phrases may reach into it."""
assert ROOM <= SPARE

_ONE, _TWO = U(1), U(2)


@kernel
def look_up(
    text: Row, places: Row, first: Index, count: Index, held: Index, begun: Any, costs: Row, sizes: Row, parts: Row,
    part: Row, table: Row, runs: Row, filled: Row, sieve: Row, keys: Row, slots: Row, candidates: Row, waiting: Any,
) -> tuple[Any, Any]:  # fmt: skip
    """Write the slots of `count` words that were asked for behind the `held` words, and list candidates.

    Args:
        first: the first of them in `places`.
        begun: what the table knows of the word before.
        slots: where the table knows the held words.
        candidates: words that may begin a phrase; `waiting` are there.

    Returns:
        what the table knows of the last word, and how many candidates there are.
    """
    table_, sieve_, keys_, slots_ = borrowed((table, sieve, keys, slots))
    candidates_, places_ = borrowed((candidates, places))
    top = top_of(table)
    before = begun
    for k in range(U(count)):
        low, high, slot = keys_[U(4) * k], keys_[U(4) * k + _ONE], keys_[U(4) * k + _TWO]
        while table_[slot] != low or table_[slot + _ONE] != high:
            if table_[slot + _ONE] == U(0):
                slot = learn(
                    text, places_[U(first) + k], np.int64(high >> U(56)), U(0), False, costs, sizes, parts, part, table,
                    runs, filled,
                )  # fmt: skip
                break
            slot = (slot + U(SLOT)) & top
        known, place = table_[slot + _TWO], U(held) + k
        slots_[place] = slot
        candidates_[waiting] = place - _ONE
        waiting += may_continue(pair_key(before >> WORD_AT, known >> WORD_AT), sieve_) & (before >> BEGINS_AT)
        before = known
    return before, waiting


@kernel
def find_phrases(
    count: Any, table: Row, trie: Row, sieve: Row, slots: Row, words: Row, candidates: Row, nodes: Row
) -> None:  # fmt: skip
    """Give the first `count` candidates, which are used up, the slots and words of the longest phrases they begin."""
    table_, trie_, sieve_, slots_ = borrowed((table, trie, sieve, slots))
    words_, candidates_, nodes_ = borrowed((words, candidates, nodes))
    mask, spare = U(len(trie) // 2 - 1), top_of(table) + U(SLOT + 1)
    for k in range(count):
        at = candidates_[k]
        nodes_[k] = pair_key(table_[slots_[at] + _TWO] >> WORD_AT, table_[slots_[at + _ONE] + _TWO] >> WORD_AT)
        prefetch(trie_, pair_slot(nodes_[k], mask) * _TWO)
    size = _TWO
    while count:
        left = U(0)
        for k in range(count):
            at, wanted = candidates_[k], nodes_[k]
            slot = pair_slot(wanted, mask) * _TWO
            while trie_[slot] != wanted and trie_[slot] != U(0):
                slot = (slot + _TWO) & (mask * _TWO + _ONE)
            value = trie_[slot + _ONE]
            token = value & LOW_32
            ends = U(0) - U(token != U(0))  # all ones if a phrase ends here
            own = spare + U(SLOT) * at
            table_[own + _TWO] = table_[slots_[at] + _TWO]  # the number of the word stays
            table_[own + U(4)] ^= (table_[own + U(4)] ^ (token - _ONE)) & ends
            table_[own + U(6)] = _ONE
            slots_[at] ^= (slots_[at] ^ own) & ends
            words_[at] ^= (words_[at] ^ size) & ends
            wanted = pair_key(value >> TO_HIGH, table_[slots_[at + size] + _TWO] >> WORD_AT)
            prefetch(trie_, pair_slot(wanted, mask) * _TWO)
            candidates_[left], nodes_[left] = at, wanted
            left += may_continue(wanted, sieve_) & U(value != U(0))
        count, size = left, size + _ONE


@kernel
def write(
    text: Row, places: Row, origin: Index, limit: Any, parts: Row, part: Row, table: Row, runs: Row, slots: Row,
    words: Row, out: Row, filled: Any,
) -> tuple[Any, Any]:  # fmt: skip
    """Write the tokens of the held words before `limit`, and of those in a phrase that begins before it.

    Args:
        origin: the first held word in `places`.
        words: of the phrase that begins with each held word, or 1.

    Returns:
        the word after them, and the number of tokens in `out`.
    """
    table_, runs_, slots_, words_, out_ = borrowed((table, runs, slots, words, out))
    at = U(0)
    while at < limit:
        slot = slots_[at]
        several, more, size = table_[slot + U(4)], table_[slot + U(5)], table_[slot + U(6)]
        put_codes(out_, filled, several)
        put_codes(out_, filled + _TWO, more)
        if size == U(0):  # more than `INLINE`, or a word that is not in the table
            size = several >> TO_HIGH
            for k in range(size):
                out_[filled + k] = runs_[(several & LOW_32) + k]
            if size == U(0):
                place = np.int64(at) + origin
                end = cut_longest(text, places[place], places[place + 1], parts, part, out, np.int64(filled))
                size = U(end) - filled
        filled += size
        at += words_[at]
    return at, filled


@inlined
def keep_rest(at: Any, held: Any, slots: Row, candidates: Row, used: Any, waiting: Any) -> Any:
    """Move what is held of words from `at` on to the front; returns the number of candidates among them."""
    for k in range(held - at):
        slots[k] = slots[at + k]
    left = U(0)
    for k in range(used, waiting):
        if candidates[k] >= at:
            candidates[left] = candidates[k] - at
            left += _ONE
    return left


@kernel
def encode_longest(
    text: Row, bounds: Row, costs: Row, sizes: Row, parts: Row, part: Row, trie: Row, sieve: Row, table: Row,
    runs: Row, filled: Row, out: Row, counts: Row,
) -> Index:  # fmt: skip
    """Cut windows, the longest phrase or part first.

    Args:
        text: uint8; window i is text[bounds[i]:bounds[i + 1]].
        costs, sizes: of every token: int32[N], and int64[N + 1], where each starts and ends.
        out: uint32, room for a token for each byte, and for `INLINE` more.
        counts: int64[w], filled.

    Returns:
        the number of tokens.
    """
    places, keys = np.empty(longest_window(bounds) + 1, np.int64), np.empty(4 * BLOCK, np.uint64)
    # Zeros: a slot that is read one word too far must be one.
    slots, words = np.zeros(ROOM + MOST_WORDS + 1, np.uint64), np.empty(ROOM, np.uint64)
    candidates, nodes = np.empty(ROOM + 1, np.uint64), np.empty(ROOM + 1, np.uint64)
    written = U(0)
    for window in range(len(counts)):
        count = find_words(text, bounds[window], bounds[window + 1], places, 0)
        places[count] = bounds[window + 1]
        before, begun = written, U(0)
        held, waiting = U(0), U(0)
        for first in range(0, count, BLOCK):
            here = min(BLOCK, count - first)
            origin = first - np.int64(held)
            ask(text, places, first, here, table, keys)
            begun, waiting = look_up(
                text, places, first, here, held, begun, costs, sizes, parts, part, table, runs, filled, sieve, keys,
                slots, candidates, waiting,
            )  # fmt: skip
            held += U(here)
            words[:held] = 1
            # A phrase of the last words may reach into the next block: they wait for it.
            limit = held
            if first + here < count:
                limit -= U(MOST_WORDS)
            else:
                slots[held : held + U(MOST_WORDS + 1)] = top_of(table) + _ONE
            used = U(0)
            while used < waiting and candidates[used] < limit:
                used += _ONE
            find_phrases(used, table, trie, sieve, slots, words, candidates, nodes)
            at, written = write(text, places, origin, limit, parts, part, table, runs, slots, words, out, written)
            waiting = keep_rest(at, held, slots, candidates, used, waiting)
            held -= at
        counts[window] = np.int64(written - before)
    return np.int64(written)
