"""Encoding by the longest match: words are looked up in blocks, then phrases among them, then tokens are written.

`stackc_phrases.twin` says it plainly. Where a phrase begins and how long it is cannot be foreseen, and a branch that is
guessed wrong costs more than a word does otherwise. So no pass branches on it: words that may begin a phrase are
written to a list, which each round shortens to those that have one more word, and of every word as many tokens are
copied as an integer holds, whatever it has; the next word's are written over what was too much.

A caller's table of words (`stackc_phrases.lookup`) is too large for the near caches. In front of it stands a smaller
one (`stackc.api.word_table`), with the tokens themselves. An answer about a word is two integers:

- its tokens, or the token of the phrase that begins there, the first in the lowest bits; if they are more than that
  holds, ``tokens << 32 | where in runs``, and 0 for a word that no table has;
- ``word << 36 | begins a phrase << 35 | words << 8 | tokens``, the tokens 0 in the last two cases; `words` are those of
  the phrase, or 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stackc.api import (
    ask_words,
    borrowed,
    eight_bytes,
    enter_word,
    find_word,
    find_words,
    inlined,
    kernel,
    prefetch,
    put_codes,
)
from stackc_phrases.config import MOST_WORDS
from stackc_phrases.encoding import BLOCK, longest_window
from stackc_phrases.lookup import (
    BEGINS_AT,
    COUNT,
    COUNT_AT,
    LOW_32,
    MASKS,
    REFERENCE,
    SHORT,
    SLOT,
    TO_HIGH,
    WORD_AT,
    U,
    cut_longest,
    learn,
    may_continue,
    pair_key,
    pair_slot,
    top_of,
    word_slot,
)

Row = Any
Index = Any  # an integer; a checker does not know the types that numba keeps apart

NEAR_BITS = 18
"""Bits of the number of slots in the table in front: 8 MB."""

FAR_SLOT, FAR_BITS = 8, 13
"""Integers in a slot of the table of longer words: bytes and length in four, tokens in two, their number. And the bits
of the number of half slots: 256 KiB. A word takes the place of another that has its slot."""

LONG = 31
"""Bytes of a word in that table, at most."""

ROOM = BLOCK + MOST_WORDS
"""Words that are held at a time: those of a block, and those before whose phrases may reach into it."""

_ONE, _TWO, _THREE = U(1), U(2), U(3)
WORDS_AT = U(8)
_SINGLE = _ONE << WORDS_AT
_OWN = ~((_ONE << BEGINS_AT) - _ONE)
"""What is known of the word itself, not of its tokens."""


@kernel
def recall(
    text: Row, begin: Index, low: Any, high: Any, costs: Row, sizes: Row, parts: Row, part: Row, table: Row, runs: Row,
    filled: Row, held: Any,
) -> tuple[Any, Any]:  # fmt: skip
    """What the caller's table knows of a word, which it learns if it is new; its tokens and the rest.

    Args:
        held: tokens that an integer holds.
    """
    size = np.int64(high >> U(56))
    if size > SHORT:
        return U(0), _SINGLE
    top = top_of(table)
    slot = word_slot(low, high, top // U(SLOT))
    while table[slot] != low or table[slot + _ONE] != high:
        if table[slot + _ONE] == U(0):
            slot = learn(text, begin, size, U(0), False, costs, sizes, parts, part, table, runs, filled)
            break
        slot = (slot + U(SLOT)) & top
    known = table[slot + _TWO]
    count, reference = (known >> COUNT_AT) & COUNT, known & REFERENCE
    if count == U(0):
        return U(0), _SINGLE
    if count > held:
        return count << TO_HIGH | reference, (known & _OWN) | _SINGLE
    tokens = reference
    if count > _ONE:
        tokens = U(0)
        for i in range(count):
            tokens |= U(runs[reference + i]) << (i * U(64) // held)
    return tokens, (known & _OWN) | _SINGLE | count


@kernel
def look_up(
    text: Row, places: Row, first: Index, count: Index, held: Index, begun: Any, costs: Row, sizes: Row, parts: Row,
    part: Row, table: Row, runs: Row, filled: Row, sieve: Row, near: Row, keys: Row, tokens: Row, known: Row,
    candidates: Row, waiting: Any, wide: Any,
) -> tuple[Any, Any]:  # fmt: skip
    """Write what is known of `count` words that were asked for behind the `held` words, and list candidates.

    Args:
        first: the first of them in `places`.
        begun: what is known of the word before.
        candidates: words that may begin a phrase; `waiting` are there.
        wide: tokens that an integer holds.

    Returns:
        what is known of the last word, and how many candidates there are.
    """
    near_, sieve_, keys_, tokens_ = borrowed((near, sieve, keys, tokens))
    known_, candidates_, places_ = borrowed((known, candidates, places))
    before = begun
    for k in range(U(count)):
        low, high, slot = keys_[U(4) * k], keys_[U(4) * k + _ONE], keys_[U(4) * k + _TWO]
        place = U(held) + k
        if ((near_[slot] ^ low) | (near_[slot + _ONE] ^ high)) == U(0) or find_word(near, slot, low, high):
            own, here = near_[slot + _TWO], near_[slot + _THREE]
        else:
            own, here = recall(
                text, places_[U(first) + k], low, high, costs, sizes, parts, part, table, runs, filled, wide
            )
            if here & COUNT:
                enter_word(near, slot, low, high, own, here)
        tokens_[place], known_[place] = own, here
        candidates_[waiting] = place - _ONE
        waiting += may_continue(pair_key(before >> WORD_AT, here >> WORD_AT), sieve_) & (before >> BEGINS_AT)
        before = here
    return before, waiting


@kernel
def find_phrases(
    count: Any, trie: Row, sieve: Row, tokens: Row, known: Row, candidates: Row, nodes: Row
) -> None:  # fmt: skip
    """Give the first `count` candidates, which are used up, the tokens and words of the longest phrases they begin."""
    trie_, sieve_, tokens_, known_ = borrowed((trie, sieve, tokens, known))
    candidates_, nodes_ = borrowed((candidates, nodes))
    mask = U(len(trie) // 2 - 1)
    for k in range(count):
        at = candidates_[k]
        nodes_[k] = pair_key(known_[at] >> WORD_AT, known_[at + _ONE] >> WORD_AT)
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
            tokens_[at] ^= (tokens_[at] ^ (token - _ONE)) & ends
            known_[at] ^= (known_[at] ^ ((known_[at] & _OWN) | size << WORDS_AT | _ONE)) & ends
            wanted = pair_key(value >> TO_HIGH, known_[at + size] >> WORD_AT)
            prefetch(trie_, pair_slot(wanted, mask) * _TWO)
            candidates_[left], nodes_[left] = at, wanted
            left += may_continue(wanted, sieve_) & U(value != U(0))
        count, size = left, size + _ONE


@kernel
def cut_long(text: Row, begin: Index, end: Index, parts: Row, part: Row, far: Row, out: Row, filled: Index) -> Index:
    """`cut_longest` of a word that no other table has, which `far` remembers if it has at most `LONG` bytes."""
    size = end - begin
    if size > LONG or begin + LONG + 1 > len(text):
        return cut_longest(text, begin, end, parts, part, out, filled)
    key = (
        eight_bytes(text, U(begin)),
        eight_bytes(text, U(begin + 8)),
        eight_bytes(text, U(begin + 16)) & MASKS[min(max(size - 16, 0), 8)],
        (eight_bytes(text, U(begin + 24)) & MASKS[max(size - 24, 0)]) | U(size) << U(56),
    )
    first, second = word_slot(key[0], key[1], ~U(0)), word_slot(key[2], key[3], ~U(0))
    slot = (first ^ second >> U(7)) & U(len(far) - FAR_SLOT) & ~U(FAR_SLOT - 1)
    found = far[slot] ^ key[0] | far[slot + _ONE] ^ key[1] | far[slot + _TWO] ^ key[2] | far[slot + _THREE] ^ key[3]
    wide = U(8 // out.itemsize)
    if found == U(0):
        put_codes(out, U(filled), far[slot + U(4)])
        put_codes(out, U(filled) + wide, far[slot + U(5)])
        return filled + np.int64(far[slot + U(6)])
    last = cut_longest(text, begin, end, parts, part, out, filled)
    count = U(last - filled)
    if size > SHORT and count <= _TWO * wide:
        for i in range(4):
            far[slot + U(i)] = key[i]
        far[slot + U(4)], far[slot + U(5)], far[slot + U(6)] = U(0), U(0), count
        for k in range(count):
            far[slot + U(4) + k // wide] |= U(out[U(filled) + k]) << (k % wide * U(64) // wide)
    return last


@kernel
def write(
    text: Row, places: Row, origin: Index, limit: Any, parts: Row, part: Row, runs: Row, far: Row, tokens: Row,
    known: Row, out: Row, filled: Any,
) -> tuple[Any, Any]:  # fmt: skip
    """Write the tokens of the held words before `limit`, and of those in a phrase that begins before it.

    Args:
        origin: the first held word in `places`.

    Returns:
        the word after them, and the number of tokens in `out`.
    """
    runs_, tokens_, known_, out_ = borrowed((runs, tokens, known, out))
    inside = U(0)  # words that follow in the phrase of the word before
    for at in range(limit):
        own, here = tokens_[at], known_[at]
        put_codes(out_, filled, own)
        size = here & COUNT
        if size == U(0) and inside == U(0):  # more than an integer holds, or a word that is in no table
            size = own >> TO_HIGH
            for k in range(size):
                out_[filled + k] = runs_[(own & LOW_32) + k]
            if size == U(0):
                place = np.int64(at) + origin
                end = cut_long(text, places[place], places[place + 1], parts, part, far, out, np.int64(filled))
                size = U(end) - filled
        # Without a branch on whether the word is in a phrase: see above.
        first = U(0) - U(inside == U(0))
        filled += size & first
        inside += ((here >> WORDS_AT) & U(255) & first) - _ONE
    return limit + inside, filled


@inlined
def keep_rest(at: Any, held: Any, tokens: Row, known: Row, candidates: Row, used: Any, waiting: Any) -> Any:
    """Move what is held of words from `at` on to the front; returns the number of candidates among them."""
    for k in range(held - at):
        tokens[k], known[k] = tokens[at + k], known[at + k]
    left = U(0)
    for k in range(used, waiting):
        if candidates[k] >= at:
            candidates[left] = candidates[k] - at
            left += _ONE
    return left


@kernel
def encode_longest(
    text: Row, bounds: Row, costs: Row, sizes: Row, parts: Row, part: Row, trie: Row, sieve: Row, table: Row,
    runs: Row, filled: Row, near: Row, far: Row, out: Row, counts: Row,
) -> Index:  # fmt: skip
    """Cut windows, the longest phrase or part first.

    Args:
        text: uint8; window i is text[bounds[i]:bounds[i + 1]].
        costs, sizes: of every token: int32[N], and int64[N + 1], where each starts and ends.
        near, far: the table in front of `table`, and one of longer words; they belong to the same caller.
        out: uint16 or uint32, room for a token for each byte, and for `INLINE` more.
        counts: int64[w], filled.

    Returns:
        the number of tokens.
    """
    places, keys = np.empty(longest_window(bounds) + 1, np.int64), np.empty(4 * BLOCK, np.uint64)
    # Zeros: a word that is read one too far must be one.
    tokens, known = np.empty(ROOM, np.uint64), np.zeros(ROOM + MOST_WORDS + 1, np.uint64)
    candidates, nodes = np.empty(ROOM + 1, np.uint64), np.empty(ROOM + 1, np.uint64)
    written, wide = U(0), U(8 // out.itemsize)
    for window in range(len(counts)):
        count = find_words(text, bounds[window], bounds[window + 1], places, 0)
        places[count] = bounds[window + 1]
        before, begun = written, U(0)
        held, waiting = U(0), U(0)
        for first in range(0, count, BLOCK):
            here = min(BLOCK, count - first)
            origin = first - np.int64(held)
            ask_words(text, places, first, here, near, keys)
            begun, waiting = look_up(
                text, places, first, here, held, begun, costs, sizes, parts, part, table, runs, filled, sieve, near,
                keys, tokens, known, candidates, waiting, wide,
            )  # fmt: skip
            held += U(here)
            # A phrase of the last words may reach into the next block: they wait for it.
            limit = held
            if first + here < count:
                limit -= U(MOST_WORDS)
            else:
                known[held : held + U(MOST_WORDS + 1)] = 0
            used = U(0)
            while used < waiting and candidates[used] < limit:
                used += _ONE
            find_phrases(used, trie, sieve, tokens, known, candidates, nodes)
            at, written = write(text, places, origin, limit, parts, part, runs, far, tokens, known, out, written)
            waiting = keep_rest(at, held, tokens, known, candidates, used, waiting)
            held -= at
        counts[window] = np.int64(written - before)
    return np.int64(written)
