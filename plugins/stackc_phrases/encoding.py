"""Encoding: the words of a window are looked up first, then joined to phrases. `stackc_phrases.twin` says it plainly.

Why in two passes: the look-ups of words do not depend on each other, so the processor overlaps their waiting; what
joins them reads only what was found.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stackc.api import inlined, kernel
from stackc_phrases.borders import find_borders
from stackc_phrases.lookup import (
    _BEGINS_AT,
    _COUNT,
    _COUNT_AT,
    _LOW32,
    _REF,
    _WORD_AT,
    _32,
    FAR,
    NONE,
    SHORT,
    U,
    cost_of_word,
    cut_cheapest,
    cut_longest,
    find_word,
    phrase_child,
    word_key,
)

Row = Any


@inlined
def look_up(text: Row, places: Row, count: int, table: Row, found: Row) -> None:
    """found[i] = the place in the table of what is known of word i, or 0."""
    for i in range(count):
        begin, size = places[i], places[i + 1] - places[i]
        slot = U(0)
        if size <= SHORT:
            low, high = word_key(text, begin, size)
            slot = find_word(table, low, high)
        found[i] = slot


@inlined
def write_word(
    text: Row, begin: int, end: int, known: Any, parts: Row, part: Row, runs: Row, out: Row, filled: int
) -> int:
    """Write the tokens of a word that is in no phrase, the longest part first."""
    count = (known >> _COUNT_AT) & _COUNT
    if count == U(1):
        out[filled] = known & _REF
        return filled + 1
    if count == U(0):
        return cut_longest(text, begin, end, parts, part, out, filled)
    first = known & _REF
    for i in range(count):
        out[filled + np.int64(i)] = runs[first + i]
    return filled + np.int64(count)


@kernel
def encode_longest(
    text: Row, bounds: Row, parts: Row, part: Row, table: Row, runs: Row, keys: Row, values: Row, out: Row, counts: Row
) -> int:  # fmt: skip
    """Cut windows, the longest phrase or part first.

    Args:
        text: uint8; window i is text[bounds[i]:bounds[i + 1]].
        out: uint32, room for a token for each byte.
        counts: int64[w], filled.

    Returns:
        the number of tokens.
    """
    most = 0
    for i in range(len(counts)):
        most = max(most, bounds[i + 1] - bounds[i])
    places, found = np.empty(most + 1, np.int64), np.empty(most + 1, np.uint64)
    filled = 0
    for window in range(len(counts)):
        begin, end = bounds[window], bounds[window + 1]
        before = filled
        count = find_borders(text, begin, end, places, 0)
        places[count] = end
        for i in range(count):
            low, size = places[i], places[i + 1] - places[i]
            known = U(0)
            if size <= SHORT:
                one, two = word_key(text, low, size)
                slot = find_word(table, one, two)
                if slot:
                    known = table[slot]
            found[i] = known
        i = 0
        while i < count:
            known = found[i]
            size = 1
            if (known >> _BEGINS_AT) & U(1):
                node, step, token = known >> _WORD_AT, 1, U(0)
                while i + step < count and found[i + step] != U(0):
                    value = phrase_child(keys, values, node, found[i + step] >> _WORD_AT)
                    if value == U(0):
                        break
                    step += 1
                    node = value >> _32
                    if value & _LOW32:
                        token, size = value & _LOW32, step
                if size > 1:
                    out[filled] = token - U(1)
                    filled += 1
            if size == 1:
                tokens = (known >> _COUNT_AT) & _COUNT
                if tokens == U(1):
                    out[filled] = known & _REF
                    filled += 1
                elif tokens == U(0):
                    filled = cut_longest(text, places[i], places[i + 1], parts, part, out, filled)
                else:
                    first = known & _REF
                    for k in range(tokens):
                        out[filled] = runs[first + k]
                        filled += 1
            i += size
        counts[window] = filled - before
    return filled


@kernel
def encode_cheapest(
    text: Row, bounds: Row, parts: Row, part: Row, table: Row, runs: Row, keys: Row, values: Row, costs: Row,
    sizes: Row, out: Row, counts: Row,
) -> int:  # fmt: skip
    """Cut windows into the pieces that cost least together; of equal parses the one whose last piece is longest, and
    so on to the front. Arguments as those of `encode_longest`, and:

    Args:
        costs, sizes: of every token: int32[N], and int64[N + 1], where each starts and ends.
    """
    most = 0
    for i in range(len(counts)):
        most = max(most, bounds[i + 1] - bounds[i])
    places, found = np.empty(most + 1, np.int64), np.empty(most + 1, np.uint64)
    cost, best, last = np.empty(most + 1, np.int64), np.empty(most + 1, np.int64), np.empty(most + 1, np.int64)
    inner, chosen = np.empty(most + 1, np.int64), np.empty(most + 1, np.int64)
    filled = 0
    for window in range(len(counts)):
        begin, end = bounds[window], bounds[window + 1]
        before = filled
        count = find_borders(text, begin, end, places, 0)
        places[count] = end
        for i in range(count):
            low, size = places[i], places[i + 1] - places[i]
            slot = U(0)
            if size <= SHORT:
                one, two = word_key(text, low, size)
                slot = find_word(table, one, two)
            if slot:
                found[i], cost[i] = table[slot], np.int64(table[slot + U(1)])
            else:
                found[i] = U(0)
                cost[i] = cost_of_word(text, low, low + size, parts, part, costs, inner, chosen)
        best[0] = 0
        for i in range(1, count + 1):
            best[i] = FAR
        for i in range(count):
            here, known = best[i], found[i]
            # `last` is a phrase's token and size, or NONE for a word.
            if here + cost[i] < best[i + 1]:
                best[i + 1], last[i + 1] = here + cost[i], NONE
            if (known >> _BEGINS_AT) & U(1):
                node, step = known >> _WORD_AT, 1
                while i + step < count and found[i + step] != U(0):
                    value = phrase_child(keys, values, node, found[i + step] >> _WORD_AT)
                    if value == U(0):
                        break
                    step += 1
                    node = value >> _32
                    if value & _LOW32:
                        token = np.int64(value & _LOW32) - 1
                        if here + costs[token] < best[i + step]:
                            best[i + step], last[i + step] = here + costs[token], token << 8 | step
        # Backwards to find the pieces, whose places are left in `best`, then forwards to write them.
        at, pieces = count, 0
        while at > 0:
            best[pieces] = at
            pieces += 1
            at -= 1 if last[at] == NONE else last[at] & 255
        for k in range(pieces - 1, -1, -1):
            at = best[k]
            if last[at] != NONE:
                out[filled] = last[at] >> 8
                filled += 1
                continue
            known, low, high = found[at - 1], places[at - 1], places[at]
            tokens = (known >> _COUNT_AT) & _COUNT
            if tokens == U(1):
                out[filled] = known & _REF
                filled += 1
            elif tokens == U(0):
                cost_of_word(text, low, high, parts, part, costs, inner, chosen)
                filled = cut_cheapest(high - low, chosen, sizes, out, filled)
            else:
                first = known & _REF
                for j in range(tokens):
                    out[filled] = runs[first + j]
                    filled += 1
        counts[window] = filled - before
    return filled
