"""Encoding by a dictionary: its trie packed, and the walk through it. `stackc.coding.dictionary.twin` does the same in
plain Python.

A trie in a double array: every text with extensions has its own `base`, and its extension by symbol s, if
there is one, is the entry at ``base + s``. As no two texts share a base, the symbol alone tells whether an entry
belongs to the current text. One entry is one integer, everything that a step needs:

    | base, 25 bits | code, 21 bits | symbol, 18 bits |

Base 0 belongs to no text: texts without extensions have it, and find nothing. Code 0 is the empty text.

Why a double array: a step is one load. A binary search among the children takes several, each of which waits for the
previous one, and a table of texts x symbols would need gigabytes at 2^20 texts. The search remains for tries that do
not fit.

Why lanes: a step waits for memory most of its time, and the next step depends on it. So several segments are walked
alternately, and the loads of one hide the waiting of the others.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stackc.api.arrays import Int32, Int64
from stackc.api.intrinsics import choose
from stackc.api.kernels import inlined, kernel

Array = npt.NDArray[Any]
UInt64 = npt.NDArray[np.uint64]
Index = Any  # an integer. Signed and unsigned ones must not meet unconverted: numba makes floats of them.

Cuts = Any  # None, or bool: True where a window is forced to start. Numba compiles the kernels for each of the two.

U = np.uint64  # in the kernels: unsigned indices need no check for negative ones, which count from the end
SYMBOL_BITS, CODE_BITS = 18, 21
_SYMBOL = U((1 << SYMBOL_BITS) - 1)
_TO_CODE = U(SYMBOL_BITS)
_CODE = U((1 << CODE_BITS) - 1)
_TO_BASE = U(SYMBOL_BITS + CODE_BITS)
EMPTY = _SYMBOL  # not a symbol: alphabets in a double array are smaller than this
ONE = U(1)

LANES = 8
"""Segments walked side by side: while one waits for memory the others continue."""
FEW = 2
"""So many lanes or fewer are walked one after the other: side by side is slower."""
GROUP = 96
"""Segments taken together, a multiple of the lanes."""
SHORT = 128
"""Segments of fewer symbols are walked alone: starting a lane costs more than it saves."""
SCRATCH = 1 << 20
"""Symbols whose codes are gathered at a time: what a cache holds."""
SKEW = 96
"""Free places between the segments of a group, so that equally long ones do not compete for the same cache sets."""


def scratch_size(segment: int, symbols: int) -> int:
    """Codes of segments that are walked side by side, for which `walk` needs room."""
    whole = segment + SKEW
    room = max(min(GROUP * whole, SCRATCH), 2 * LANES * whole)
    return min(room, 2 * symbols + 2 * GROUP * SKEW)


# --------------------------------------------------------------------------------------------------
# Opening


@kernel
def pack(
    first: Int32, children: Int32, symbol: Int32, order: Int64, alphabet: Index, table: UInt64, base: Int32, work: Index
) -> Index:
    """Give every text of `order` (most extensions first) the lowest free base. Entries are filled in by `fill`.

    Returns:
        the number of entries needed; 0 if `table` is too small or `work` (places to try) is used up.
    """
    taken = np.zeros(len(table), np.bool_)
    cursor = alphabet  # a base counts from 0, so that no entry is before place `alphabet`
    fewest = len(table)
    top = 2 * alphabet
    for text in order:
        begin, count = first[text], first[text + 1] - first[text]
        if 2 * count <= fewest or (count == 1 and fewest > 1):
            cursor, fewest = alphabet, count  # smaller families fit into the holes that larger ones left
        place, misses = cursor, 0
        while True:
            chosen = place - symbol[children[begin]]
            if work < 0 or chosen + alphabet > len(table):
                return 0
            free = table[place] == EMPTY and chosen > 0 and not taken[chosen]
            work -= 1
            if free:
                for i in range(begin + 1, begin + count):
                    work -= 1
                    if table[chosen + symbol[children[i]]] != EMPTY:
                        free = False
                        break
                misses += 1
            if free:
                break
            place += 1
        if misses > 32 or count == 1:
            cursor = place
        taken[chosen] = True
        base[text] = chosen
        for i in range(begin, begin + count):
            table[chosen + symbol[children[i]]] = 0
        top = max(top, chosen + alphabet)
    return top


@kernel
def fill(parent: Int32, symbol: Int32, canonical: Int32, base: Int32, table: UInt64, roots: UInt64) -> None:
    """Write the entries; roots[s] is the entry of the one-symbol text s."""
    for code in range(1, len(parent)):
        if canonical[code] == code:
            last = U(symbol[code])
            entry = (U(base[code]) << _TO_BASE) | (U(code) << _TO_CODE) | last
            if parent[code] == 0:
                roots[last] = entry
            else:
                table[U(base[parent[code]]) + last] = entry


# --------------------------------------------------------------------------------------------------
# Encoding. A walk takes one step per symbol: the text continues, or ends and the symbol starts the next one.


@kernel
def cut_at(cuts: Cuts, i: Index) -> np.uint64:
    """1 if a window is forced to start at symbol i, else 0."""
    if cuts is None:
        return U(0)
    return U(cuts[i])


@kernel
def find(first: Int32, children: Int32, symbol: Int32, code: Index, wanted: Index) -> Index:
    """The extension of text `code` by `wanted`, by bisection; 0 if no text extends it so."""
    low, high = np.int64(first[code]), np.int64(first[code + 1])
    while low < high:
        middle = (low + high) // 2
        if symbol[children[middle]] < wanted:
            low = middle + 1
        else:
            high = middle
    if low < first[code + 1] and symbol[children[low]] == wanted:
        return np.int64(children[low])
    return np.int64(0)


@kernel
def search(
    symbols: Array, offsets: Int64, low: Index, high: Index, document: Index, segment: Index, budget: Index,
    cuts: Cuts, first: Int32, children: Int32, symbol: Int32, roots: UInt64, out: Array, code_offsets: Int64,
) -> Index:  # fmt: skip
    """Same as `walk`, for a trie that does not fit into a double array: a step bisects a text's extensions."""
    count = 0
    while document < len(offsets) - 1 and (offsets[document] < high or offsets[document + 1] <= high):
        begin = offsets[document]
        code: Index = np.int64(0)
        size = 0
        for i in range(max(begin, low), min(offsets[document + 1], high)):
            ends = size == budget or (i - begin) % segment == 0 or cut_at(cuts, i) == ONE
            longer = 0 if ends or code == 0 else find(first, children, symbol, code, symbols[i])
            if longer:
                code = longer
                size += 1
                continue
            if code:
                out[count] = code
                count += 1
            code = np.int64((roots[symbols[i]] >> _TO_CODE) & _CODE)
            size = 1
        if code:
            out[count] = code
            count += 1
        if offsets[document + 1] <= high:
            code_offsets[document + 1] = count
        document += 1
    return count


@inlined
def walk_one(
    symbols: Array, begin: Index, stop: Index, budget: Index, table: UInt64, roots: UInt64, out: Array, at: Index
) -> Index:  # fmt: skip
    """Walk symbols[begin:stop], not empty, in one lane; write codes starting at out[at] and return their end."""
    place = U(at)
    entry = roots[symbols[begin]]
    size = 1
    for i in range(U(begin + 1), U(stop)):
        last = U(symbols[i])
        longer = table[(entry >> _TO_BASE) + last]
        if (longer & _SYMBOL) == last and size < budget:
            entry = longer
            size += 1
        else:
            out[place] = (entry >> _TO_CODE) & _CODE
            place += ONE
            entry = roots[last]
            size = 1
    out[place] = (entry >> _TO_CODE) & _CODE
    return np.int64(place + ONE)


@kernel
def _step(table: UInt64, roots: UInt64, entry: np.uint64, last: np.uint64) -> tuple[np.uint64, np.uint64]:
    """The entry after one more symbol, and 1 if that symbol starts a new text.

    Without a branch: its direction cannot be predicted, and a wrong prediction costs more than the step.
    """
    longer = table[(entry >> _TO_BASE) + last]
    differs = (longer ^ last) & _SYMBOL
    return choose(differs == U(0), longer, roots[last]), U(differs != U(0))


@kernel
def _abreast(
    symbols: Array, steps: Index, places: UInt64, entries: UInt64, outs: UInt64, table: UInt64, roots: UInt64,
    out: Array,
) -> None:  # fmt: skip
    """Move all lanes by `steps` symbols. A code is written at each step, and overwritten until its text has ended.

    Lanes are variables, each with its own lines: kept in arrays they took a tenth longer.
    """
    p0, p1, p2, p3 = places[0], places[1], places[2], places[3]
    p4, p5, p6, p7 = places[4], places[5], places[6], places[7]
    e0, e1, e2, e3 = entries[0], entries[1], entries[2], entries[3]
    e4, e5, e6, e7 = entries[4], entries[5], entries[6], entries[7]
    o0, o1, o2, o3 = outs[0], outs[1], outs[2], outs[3]
    o4, o5, o6, o7 = outs[4], outs[5], outs[6], outs[7]
    for i in range(U(steps)):
        out[o0] = (e0 >> _TO_CODE) & _CODE
        e0, ended = _step(table, roots, e0, U(symbols[p0 + i]))
        o0 += ended
        out[o1] = (e1 >> _TO_CODE) & _CODE
        e1, ended = _step(table, roots, e1, U(symbols[p1 + i]))
        o1 += ended
        out[o2] = (e2 >> _TO_CODE) & _CODE
        e2, ended = _step(table, roots, e2, U(symbols[p2 + i]))
        o2 += ended
        out[o3] = (e3 >> _TO_CODE) & _CODE
        e3, ended = _step(table, roots, e3, U(symbols[p3 + i]))
        o3 += ended
        out[o4] = (e4 >> _TO_CODE) & _CODE
        e4, ended = _step(table, roots, e4, U(symbols[p4 + i]))
        o4 += ended
        out[o5] = (e5 >> _TO_CODE) & _CODE
        e5, ended = _step(table, roots, e5, U(symbols[p5 + i]))
        o5 += ended
        out[o6] = (e6 >> _TO_CODE) & _CODE
        e6, ended = _step(table, roots, e6, U(symbols[p6 + i]))
        o6 += ended
        out[o7] = (e7 >> _TO_CODE) & _CODE
        e7, ended = _step(table, roots, e7, U(symbols[p7 + i]))
        o7 += ended
    places += U(steps)
    entries[0], entries[1], entries[2], entries[3] = e0, e1, e2, e3
    entries[4], entries[5], entries[6], entries[7] = e4, e5, e6, e7
    outs[0], outs[1], outs[2], outs[3] = o0, o1, o2, o3
    outs[4], outs[5], outs[6], outs[7] = o4, o5, o6, o7


@kernel
def _alone(
    symbols: Array, steps: Index, place: np.uint64, entry: np.uint64, at: np.uint64, table: UInt64, roots: UInt64,
    out: Array,
) -> np.uint64:  # fmt: skip
    """Move one lane to its end. Returns the place of its last code."""
    for i in range(U(steps)):
        out[at] = (entry >> _TO_CODE) & _CODE
        entry, ended = _step(table, roots, entry, U(symbols[place + i]))
        at += ended
    out[at] = (entry >> _TO_CODE) & _CODE
    return at


@kernel
def _walk_group(
    symbols: Array, count: Index, begins: Int64, stops: Int64, froms: Int64, counts: Int64, table: UInt64,
    roots: UInt64, out: Array,
) -> None:  # fmt: skip
    """Walk `count` segments, the long ones in lanes that are refilled; segment k's codes start at out[froms[k]]."""
    places, entries, outs = np.zeros(LANES, np.uint64), np.zeros(LANES, np.uint64), np.zeros(LANES, np.uint64)
    left, owner = np.zeros(LANES, np.int64), np.full(LANES, -1, np.int64)
    upcoming, idle = 0, 0
    while idle < LANES - FEW:
        idle = 0
        for lane in range(LANES):
            while left[lane] == 0:
                if owner[lane] >= 0:
                    out[outs[lane]] = (entries[lane] >> _TO_CODE) & _CODE
                    counts[owner[lane]] = np.int64(outs[lane]) + 1 - froms[owner[lane]]
                    owner[lane] = -1
                if upcoming == count:
                    idle += 1
                    break
                k = upcoming
                upcoming += 1
                begin, size = begins[k], stops[k] - begins[k]
                if size < SHORT:
                    counts[k] = 0
                    if size:
                        counts[k] = walk_one(symbols, begin, stops[k], size, table, roots, out, froms[k])
                        counts[k] -= froms[k]
                    continue
                owner[lane], left[lane] = k, size - 1
                places[lane], entries[lane], outs[lane] = U(begin + 1), roots[symbols[begin]], U(froms[k])
        if idle < LANES - FEW:
            busy = np.argmax(left)
            steps = left[busy]
            for lane in range(LANES):
                if left[lane]:
                    steps = min(steps, left[lane])
                else:  # writes what that lane writes, to the same places
                    places[lane], entries[lane], outs[lane] = places[busy], entries[busy], outs[busy]
            _abreast(symbols, steps, places, entries, outs, table, roots, out)
            left -= np.minimum(left, steps)
    for lane in range(LANES):
        if owner[lane] >= 0:
            at = _alone(symbols, left[lane], places[lane], entries[lane], outs[lane], table, roots, out)
            counts[owner[lane]] = np.int64(at) + 1 - froms[owner[lane]]


@kernel
def walk(
    symbols: Array, offsets: Int64, low: Index, high: Index, document: Index, segment: Index, budget: Index,
    table: UInt64, roots: UInt64, scratch: Array, out: Array, code_offsets: Int64,
) -> Index:  # fmt: skip
    """Walk symbols[low:high], which start and end with segments. `document` is the first that ends after `low`.

    Windows end with `budget` symbols; where they are forced to start, symbols are marked
    (`stackc.coding.dictionary.marking`). Without a budget (it is 0), segments are walked in lanes, in groups that fill
    `scratch`.

    Returns:
        the number of codes in `out`; code_offsets[d + 1] counts them up to the end of each document that ends here.
    """
    begins, stops = np.empty(GROUP, np.int64), np.empty(GROUP, np.int64)
    froms, counts, ending = np.empty(GROUP, np.int64), np.empty(GROUP, np.int64), np.empty(GROUP, np.int64)
    pending = 0
    filled = 0
    written = 0
    plain = budget == 0
    while document < len(offsets) - 1 and (offsets[document] < high or offsets[document + 1] <= high):
        begin, stop = max(offsets[document], low), min(offsets[document + 1], high)
        ends_here = offsets[document + 1] <= high
        if pending == 0 and (stop - begin < SHORT or not plain):
            while begin < stop:  # nothing waits: directly to its place
                last = min(begin + segment, stop)
                limit = last - begin if plain else budget
                written = walk_one(symbols, begin, last, limit, table, roots, out, written)
                begin = last
            if ends_here:
                code_offsets[document + 1] = written
            document += 1
            continue
        while True:
            last = min(begin + segment, stop)
            begins[pending], stops[pending], froms[pending] = begin, last, filled
            ending[pending] = document if last == stop and ends_here else -1
            filled += last - begin + SKEW
            begin = last
            pending += 1
            if pending == GROUP or filled + segment + SKEW > len(scratch):
                _walk_group(symbols, pending, begins, stops, froms, counts, table, roots, scratch)
                written = _gather(pending, froms, counts, ending, scratch, out, written, code_offsets)
                pending, filled = 0, 0
            if begin == stop:
                break
        document += 1
    if pending:
        _walk_group(symbols, pending, begins, stops, froms, counts, table, roots, scratch)
        written = _gather(pending, froms, counts, ending, scratch, out, written, code_offsets)
    return written


@kernel
def _gather(
    count: Index, froms: Int64, counts: Int64, ending: Int64, scratch: Array, out: Array, written: Index,
    code_offsets: Int64,
) -> Index:  # fmt: skip
    """Append a group's codes to the first `written` of `out`."""
    for k in range(count):
        begin, size = froms[k], counts[k]
        out[written : written + size] = scratch[begin : begin + size]
        written += size
        if ending[k] >= 0:
            code_offsets[ending[k] + 1] = written
    return written
