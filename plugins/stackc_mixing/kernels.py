"""The model compiled: contexts, slots, inputs, mixing, refinement, and what each bit teaches. `twin` is the same to read.

A symbol is `depth` decisions, the most significant bit first, taken four at a time. `partial` is a one followed by the
bits known so far. A *slot* holds what one context has seen of four decisions, at the 15 nodes 1 .. 15 of their tree;
its entry 0 is a check of the context. RICH contexts have slots of 32-bit nodes (18 bits of probability, 6 of its count,
8 of history), LEAN ones slots of bytes (histories). A *map* leads from a context's history to a probability of 22 bits,
with its count in the low 10 bits.

Rich slots pay for contexts with much evidence, where a history of 8 bits says too little; the others have most of the
memory, and there three slots of four hold no more than one symbol.

Every index is bounded by a mask, or by the width of the bits that it is taken from, so that no table, however damaged,
makes a kernel read or write outside its arrays: numba does not check.

Legend: w symbols of the window, n of the run; positions 0 .. w - 1 are the window's, w .. w + n - 1 the run's.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stackc.api import code_bit, finish_coder, inlined, kernel, start_coder
from stackc_mixing.fetching import borrowed, prefetch
from stackc_mixing.vectors import LANES, load, shift_in_zeros, splat, store, total
from stackc_mixing.tables import KINDS, LOWER, MOVES, SEEN, SPAN, SQUASH, STRETCH

i32, i64, u8, u16, u32, u64 = np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64

RICH, LEAN = 5, 9
CONTEXTS = RICH + LEAN

SLOT = 16
"""Entries of a slot."""

MATCH, ZERO, BIAS = 2 * RICH + LEAN, 2 * RICH + LEAN + 2, 2 * RICH + LEAN + 3
"""Inputs after those of the contexts: two of the match, one without context, and a constant."""

INPUTS = 24
"""Rounded up to whole vectors of 8; the last is always 0."""

ENTRIES, ENTRY_RATES, CELLS, CELL_RATES, MOVED_CELLS, PASTS, SCRATCH = 24, 40, 56, 64, 72, 80, 96
"""After the inputs, in the same array: of all contexts the maps' entries and how fast they move, of rich ones the nodes,
how fast they move, and where to, of all the histories. What the inputs needed stays there for learning, in vectors."""

BY_ORDER, BY_PARTIAL, BY_PAIR = 0, 6 * 4 * 16, 6 * 4 * 16 + 256
PAIRS = 1 << 14
SETS = BY_PAIR + PAIRS
"""Sets of weights: three mix at a time, chosen by what is known (contexts, match), by `partial`, and by a hash of the last
two symbols and the decision. Two sets would cost 0.5 %, a fourth gains nothing."""

POINTS = 32
"""Points of a refinement over the stretched probability, of 16 bits each: a row is one line of the cache."""

ROWS_1, ROWS_2 = 1 << 16, 1 << 12
"""Rows of the refinement by the last symbol, and by the hash of the last three. A large table for the second was worth
0.03 % and missed the cache at every bit."""

LONGEST, LEAST, LENGTHS = 400, 5, 32
"""Symbols that a match is looked back over, at most; that it has at least; and the number of classes of its length."""

FRESH_CELL = 1 << 31
"""A rich node that has seen nothing: probability one half."""

WORD, WORD_1, WORD_2, SOURCE, LENGTH, LINE, LINE_1, FIELD, AT, SEEN_BITS = range(10)
MEMORY = 10
"""What is remembered besides the tables, int64: hashes of this word and the last two, where the match continues and its
length, where this line and the last began, the field of a table's row, the run's length so far, bits learned from."""

STEADY, MOST, STRIDE = 30, 60, 4
"""Counts of rich nodes: of so many bits exactly, the most, and how many bits each step between them stands for."""

RATES = np.array([(65536 * 5) // (5 * (n + (STRIDE - 1) * max(n - STEADY, 0)) + 8) for n in range(64)], np.int64)
"""A rich node that has seen n bits moves by 1 / (n + 8/5), over 2^16."""

CONFIDENCE = np.array([512 * n // (2 * n + 1) for n in range(64)], np.int32)
"""n / (n + 1/2), over 2^8: what the probability of a rich node of count n weighs."""

MAP_RATES = np.array([(65536 * 2) // (2 * n + 3) for n in range(256)], np.int64)
"""A map's entry of count n moves by 1 / (n + 3/2), over 2^16."""

NOT_EMPTY = np.array([0] + [-1] * 255, np.int32)
"""A mask: history 0 has seen nothing."""

MOST_MAP, ZERO_COUNT, HIT_COUNT = 255, 30, 126
"""Counts of maps stop here; those of the map without context and of the match's are always so."""

RATE, RATE_MORE, RATE_BITS = 32, 64, 15
"""Weights learn at RATE + RATE_MORE / (1 + bits seen / 2^RATE_BITS): fast at first, slowly once primed."""

SURE = 384
"""Weights do not learn from errors of up to so much, over 2^16: that is faster, and compresses a little better."""

Int = Any  # an integer
Row = Any  # an array


@inlined
def hashed(a: Int, b: Int) -> Int:
    """32 bits of two numbers of 32 bits."""
    h = u32(u32(a) * u32(0x2F0B4C47) + u32(b) * u32(0x9E3779B1) + u32(0x7F4A7C15))
    h = u32(h ^ (h >> u32(15)))
    h = u32(h * u32(0x85EBCA6B))
    return u32(h ^ (h >> u32(13)))


@inlined
def before(symbols: Row, at: Int, back: Int) -> Int:
    """The symbol `back` places before `at`; 0 before the run begins."""
    return u32(symbols[at - back]) if at >= back else u32(0)


@inlined
def byte_contexts(symbols: Row, at: Int, memory: Row, hashes: Row) -> None:
    """Of bytes: orders 1 to 6, words, what stands above, columns and fields."""
    c1, c2, c3 = before(symbols, at, 1), before(symbols, at, 2), before(symbols, at, 3)
    o3 = hashed(hashed(hashed(c1, u32(1)), c2), c3)
    o4 = hashed(o3, before(symbols, at, 4))
    o5 = hashed(o4, before(symbols, at, 5))
    word, word_1, word_2 = u32(memory[WORD]), u32(memory[WORD_1]), u32(memory[WORD_2])
    column = i64(at) - memory[LINE]
    above_at = memory[LINE_1] + column
    above = u32(symbols[above_at]) if 0 <= above_at < memory[LINE] else u32(0)
    hashes[0] = hashed(c1, u32(1))
    hashes[1] = hashed(hashes[0], c2)
    hashes[2] = o3
    hashes[3] = hashed(word + u32(7), c1)
    hashes[4] = o4
    hashes[5] = o5
    hashes[6] = hashed(o5, before(symbols, at, 6))
    hashes[7] = hashed(hashed(c2, u32(9)), c3)
    hashes[8] = hashed(u32(10) + (above << u32(16)), c1 | (u32(min(column, 255)) << u32(8)))
    hashes[9] = hashed(word + u32(11), word_2)
    hashes[10] = hashed(u32(12) + (u32(memory[FIELD]) << u32(16)), c1 | (above << u32(8)))
    hashes[11] = hashed(hashed(word + u32(13), word_1), word_2)
    hashes[12] = hashed(word_1 + u32(14), c1)
    hashes[13] = hashed(word + u32(8), word_1)


@inlined
def token_contexts(symbols: Row, at: Int, hashes: Row) -> None:
    """Of tokens, which have no letters or lines: orders 1 to 8, and orders with gaps."""
    c1, c2, c3 = before(symbols, at, 1), before(symbols, at, 2), before(symbols, at, 3)
    c4 = before(symbols, at, 4)
    o4 = hashed(hashed(hashed(hashed(c1, u32(1)), c2), c3), c4)
    o5 = hashed(o4, before(symbols, at, 5))
    o6 = hashed(o5, before(symbols, at, 6))
    hashes[0] = hashed(c1, u32(1))
    hashes[1] = hashed(hashes[0], c2)
    hashes[2] = hashed(hashes[1], c3)
    hashes[3] = hashed(c2, u32(2))
    hashes[4] = o4
    hashes[5] = o5
    hashes[6] = o6
    hashes[7] = hashed(hashed(c2, u32(9)), c3)
    hashes[8] = hashed(hashed(c1, u32(10)), c3)
    hashes[9] = hashed(c3, u32(11))
    hashes[10] = hashed(hashed(c1, u32(12)), c4)
    hashes[11] = hashed(o6, before(symbols, at, 7))
    hashes[12] = hashed(hashed(hashed(c2, u32(14)), c3), c4)
    hashes[13] = hashed(hashed(c1, u32(15)), hashed(c3, c4))


@inlined
def contexts(symbols: Row, at: Int, depth: Int, memory: Row, hashes: Row) -> None:
    """Fill the hashes of all contexts of the symbol at `at` of the run."""
    if depth == 8:
        byte_contexts(symbols, at, memory, hashes)
    else:
        token_contexts(symbols, at, hashes)


@inlined
def matched(window: Row, symbols: Row, at: Int, memory: Row, places: Row, key: Int) -> Any:
    """(where a match continues, its length): the one that goes on, or what followed the same six symbols last time."""
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
def first_slot(h: Int, mask: Int) -> Int:
    """Where the slots of a hash begin: that one, and those with 1 and 2 changed, all in the same lines of the cache."""
    return u64((u32(u32(h) * u32(0xC2B2AE35)) >> u32(4)) & u32(mask)) << u64(4)


@inlined
def rich_slot(rich: Row, a: Int, h: Int, spare: Int) -> Int:
    """The slot of a context. One that is not there takes the place of the least seen, or is `spare` if that is not -1."""
    check = u32(h) & u32(0xFFFF)
    b, c = a ^ u64(SLOT), a ^ u64(2 * SLOT)
    if (rich[a] & u32(0xFFFF)) == check:
        return a
    if (rich[b] & u32(0xFFFF)) == check:
        return b
    if (rich[c] & u32(0xFFFF)) == check:
        return c
    if spare >= 0:
        return u64(spare)
    seen_a, seen_b = rich[a + u64(1)] & u32(0x3F00), rich[b + u64(1)] & u32(0x3F00)
    if seen_b < seen_a:
        a, seen_a = b, seen_b
    if (rich[c + u64(1)] & u32(0x3F00)) < seen_a:
        a = c
    rich[a] = check
    for k in range(u64(1), u64(SLOT)):
        rich[a + k] = u32(FRESH_CELL)
    return a


@inlined
def lean_slot(lean: Row, a: Int, h: Int, spare: Int) -> Int:
    """As `rich_slot`."""
    check = u8(h)
    b, c = a ^ u64(SLOT), a ^ u64(2 * SLOT)
    if lean[a] == check:
        return a
    if lean[b] == check:
        return b
    if lean[c] == check:
        return c
    if spare >= 0:
        return u64(spare)
    seen_a, seen_b = SEEN[lean[a + u64(1)]], SEEN[lean[b + u64(1)]]
    if seen_b < seen_a:
        a, seen_a = b, seen_b
    if SEEN[lean[c + u64(1)]] < seen_a:
        a = c
    lean[a] = check
    for k in range(u64(1), u64(SLOT)):
        lean[a + k] = u8(0)
    return a


@inlined
def seek_slots(rich: Row, lean: Row, hashes: Row, slots: Row, partial: Int) -> None:
    """Where the slots of all contexts begin for the decisions after `partial`, and fetch them.

    Called one decision before `open_slots`, without the last bit: the memory answers while that decision is coded.
    """
    rich_mask, lean_mask = (len(rich) >> 4) - 2, (len(lean) >> 4) - 2
    for i in range(u64(RICH)):
        h = hashed(hashes[i], partial)
        hashes[u64(CONTEXTS) + i] = h
        slots[u64(CONTEXTS) + i] = first_slot(h, rich_mask)
        prefetch(rich, slots[u64(CONTEXTS) + i])
    for i in range(u64(RICH), u64(CONTEXTS)):
        h = hashed(hashes[i], partial)
        hashes[u64(CONTEXTS) + i] = h
        slots[u64(CONTEXTS) + i] = first_slot(h, lean_mask)
        prefetch(lean, slots[u64(CONTEXTS) + i])


@inlined
def open_slots(rich: Row, lean: Row, hashes: Row, slots: Row, bit: Int, keep: Int) -> None:
    """The slots of all contexts, where `seek_slots` found that they begin.

    Args:
        bit: the last of the bits that the slots depend on; it is in the check alone.
        keep: whether the tables stay as they are: contexts that are not there get the empty slot behind the table.
    """
    spare_rich = i64(len(rich) - SLOT) if keep else i64(-1)
    spare_lean = i64(len(lean) - SLOT) if keep else i64(-1)
    for i in range(u64(RICH)):
        slots[i] = rich_slot(rich, slots[u64(CONTEXTS) + i], hashes[u64(CONTEXTS) + i] + u32(bit), spare_rich)
    for i in range(u64(RICH), u64(CONTEXTS)):
        slots[i] = lean_slot(lean, slots[u64(CONTEXTS) + i], hashes[u64(CONTEXTS) + i] + u32(bit), spare_lean)


@inlined
def known_order(rich: Row, lean: Row, slots: Row) -> Int:
    """How many of the orders 1, 2, 3, 4, 5, 6 have been seen; at most 5."""
    order = i64(0)
    for i in range(u64(RICH)):
        if i != u64(3):
            order += i64((rich[slots[i] + u64(1)] & u32(0x3F00)) != 0)
    order += i64(lean[slots[5] + u64(1)] != 0) + i64(lean[slots[6] + u64(1)] != 0)
    return min(order, i64(5))


@inlined
def map_input(maps: Row, i: Int, history: Int, x: Row) -> None:
    """The input of a context's history: nothing if that is empty, by a mask, for a branch would be guessed wrong."""
    entry = maps[(i << u64(8)) | history]
    x[u64(PASTS) + i] = i32(history)
    x[u64(ENTRIES) + i] = i32(entry)
    x[u64(ENTRY_RATES) + i] = i32(MAP_RATES[u64(entry & u32(MOST_MAP))])
    x[u64(RICH) + i] = STRETCH[entry >> u32(20)] & NOT_EMPTY[history]


@inlined
def context_inputs(rich: Row, lean: Row, maps: Row, slots: Row, node: Int, x: Row) -> None:
    """Of each rich context its own probability, as far as it has seen something; of every context its history's."""
    for i in range(u64(RICH)):
        cell = rich[slots[i] + node]
        n = u64(cell >> u32(8)) & u64(63)
        x[u64(CELLS) + i] = i32(cell)
        x[u64(CELL_RATES) + i] = i32(RATES[n])
        x[i] = i32(i32(STRETCH[cell >> u32(20)] * CONFIDENCE[n]) >> i32(8))
        map_input(maps, i, u64(cell & u32(255)), x)
    for i in range(u64(RICH), u64(CONTEXTS)):
        map_input(maps, i, u64(lean[slots[i] + node]), x)


@inlined
def match_inputs(hits: Row, expected: Int, length: Int, partial: Int, left: Int, x: Row) -> Any:
    """(entry of `hits`, or 0 without a match; class of its length) and the match's two inputs.

    Args:
        expected: the symbol that followed, with a one before its first bit.
        left: decisions that are left, this one included.
    """
    hit, near = u64(0), i64(0)
    x[MATCH] = i32(0)
    x[MATCH + 1] = i32(0)
    if length > 0 and (expected >> u32(left)) == partial:
        one = (expected >> u32(left - 1)) & u32(1)
        hit = (u64(length_class(length)) << u64(1)) | u64(one)
        x[MATCH] = STRETCH[hits[hit] >> u32(20)]
        force = i32(min(length, 32) << 6)
        x[MATCH + 1] = force if one else -force
        near = i64(1) if length < 16 else (i64(2) if length < 32 else i64(3))
    return hit, near


@inlined
def weight_sets(order: Int, near: Int, last: Int, pair: Int, partial: Int, k: Int) -> Any:
    """Where the three sets of weights begin."""
    by_order = u64(BY_ORDER + (order * 4 + near) * 16 + (k & 7) + (8 if last >= u64(128) else 0))
    by_partial = u64(BY_PARTIAL) + (u64(partial) & u64(255))
    by_pair = u64(BY_PAIR) + (u64(hashed(pair, u32(k))) & u64(PAIRS - 1))
    return by_order * u64(INPUTS), by_partial * u64(INPUTS), by_pair * u64(INPUTS)


@inlined
def dot(x: Row, weights: Row, begin: Int) -> Int:
    """The weighted sum of the inputs, a stretched probability.

    Products are shortened before they are added: 24 of 31 bits would not fit.
    """
    lanes = splat(0)
    for j in range(0, INPUTS, LANES):
        lanes = lanes + (load(x, u64(j)) * load(weights, begin + u64(j)) >> splat(8))
    return min(max(i32(total(lanes) >> i32(8)), i32(-SPAN)), i32(SPAN))


@inlined
def mixed(second: Row, f: Int, da: Int, db: Int, dc: Int) -> Int:
    """The three sets' answers, weighted by `partial`."""
    total = (i64(da) * second[f] + i64(db) * second[f + u64(1)] + i64(dc) * second[f + u64(2)]) >> i64(16)
    return min(max(total, i64(-SPAN)), i64(SPAN))


@inlined
def refined(apm_1: Row, apm_2: Row, row_1: Int, row_2: Int, stretched: Int) -> Any:
    """(probability, where in a row it lies in sixteenths of a point): half what was mixed, a quarter each refinement's."""
    point = u64((stretched + SPAN) * 89540) >> u64(20)  # 16 * (POINTS - 1) / (2 SPAN + 1)
    low, part = point >> u64(4), i64(point & u64(15))
    p = i64(SQUASH[u64(stretched + SPAN)]) * 32
    p += i64(apm_1[row_1 + low]) * (16 - part) + i64(apm_1[row_1 + low + u64(1)]) * part
    p += i64(apm_2[row_2 + low]) * (16 - part) + i64(apm_2[row_2 + low + u64(1)]) * part
    return min(max(p >> i64(6), i64(1)), i64(65535)), point


@inlined
def correct(x: Row, weights: Row, begin: Int, answer: Int, target: Int, rate: Int) -> None:
    """Move a set of weights along the error of its own answer; nothing if that is tiny."""
    error = target - i64(SQUASH[u64(answer + SPAN)])
    if abs(error) > SURE:
        step = splat((error * rate) >> i64(8))
        for j in range(0, INPUTS, LANES):
            moved_lanes = load(weights, begin + u64(j)) + (load(x, u64(j)) * step + splat(1 << 13) >> splat(14))
            store(weights, begin + u64(j), moved_lanes)


@inlined
def moved(entry: Int, bit: Int) -> Int:
    """A map's entry after a bit."""
    p, n = i64(entry >> u32(10)), u64(entry) & u64(MOST_MAP)
    p += (((-i64(bit) & i64(0x3FFFFF)) - p) * MAP_RATES[n]) >> i64(16)
    return (u32(p) << u32(10)) | u32(n + u64(n < u64(MOST_MAP)))


@inlined
def moves(p: Int, goal: Int, rates: Int) -> Int:
    """Vectors: p after a step of rates / 2^16 towards the goal. Products of 40 bits, in two parts."""
    way = goal - p
    return p + (way >> splat(16)) * rates + shift_in_zeros((way & splat(0xFFFF)) * rates, splat(16))


@inlined
def learn_maps(x: Row, bit: Int) -> None:
    """The entries of all contexts' maps after a bit, as `moved`."""
    for j in range(0, 2 * LANES, LANES):
        entries = load(x, u64(ENTRIES + j))
        p = moves(shift_in_zeros(entries, splat(10)), splat(-bit & 0x3FFFFF), load(x, u64(ENTRY_RATES + j)))
        n = (entries & splat(MOST_MAP)) + splat(1)
        store(x, u64(ENTRIES + j), (p << splat(10)) | (n - (n >> splat(8))))


@inlined
def learn_cells(x: Row, bit: Int) -> None:
    """The nodes of all rich contexts after a bit, without their histories."""
    cells = load(x, u64(CELLS))
    p = moves(shift_in_zeros(cells, splat(14)), splat(-bit & 0x3FFFF), load(x, u64(CELL_RATES)))
    n = (cells >> splat(8)) & splat(63)
    # One more, if it is below STEADY, or below MOST and the last two bits of p happen to be 0.
    more = (n - splat(STEADY)) | ((p & splat(3)) - splat(1))
    n = n + shift_in_zeros((n - splat(MOST)) & more, splat(31))
    store(x, u64(MOVED_CELLS), (p << splat(14)) | (n << splat(8)))


@inlined
def moved_cell(cell: Int, bit: Int) -> Int:
    """A rich node after a bit, without its history."""
    n = u64(cell >> u32(8)) & u64(63)
    p = i64(cell >> u32(14))
    p += (((-i64(bit) & i64(0x3FFFF)) - p) * RATES[n]) >> i64(16)
    n += u64(n < u64(MOST)) & (u64(n < u64(STEADY)) | u64((p & 3) == 0))
    return (u32(p) << u32(14)) | (u32(n) << u32(8))


@inlined
def learn_contexts(rich: Row, lean: Row, maps: Row, slots: Row, node: Int, x: Row, bit: Int) -> None:
    """Move the nodes of all contexts and their maps' entries.

    Two contexts may share a slot, by chance: the second learns from what the first has left there.
    """
    learn_maps(x, bit)
    learn_cells(x, bit)
    for i in range(u64(RICH)):
        a = slots[i] + node
        cell = rich[a]
        history = u64(cell & u32(255))
        m = (i << u64(8)) | history
        after = u32(MOVES[u64(2) * history + u64(bit)])
        if i32(cell) == x[u64(CELLS) + i]:
            rich[a] = u32(x[u64(MOVED_CELLS) + i]) | after
            maps[m] = u32(x[u64(ENTRIES) + i])
        else:
            rich[a] = moved_cell(cell, bit) | after
            maps[m] = moved(maps[m], bit)
    for i in range(u64(RICH), u64(CONTEXTS)):
        a = slots[i] + node
        history = u64(lean[a])
        m = (i << u64(8)) | history
        lean[a] = MOVES[u64(2) * history + u64(bit)]
        maps[m] = u32(x[u64(ENTRIES) + i]) if i32(history) == x[u64(PASTS) + i] else moved(maps[m], bit)


@inlined
def nudged(value: Int, target: Int) -> Int:
    """A point of a refinement after a bit: a 64th of the way."""
    return u16(i64(value) + ((target - i64(value)) >> i64(6)))


@inlined
def node_of(partial: Int, k: Int) -> Int:
    """The node of a slot: the bits since the slot was opened, after a one."""
    inner = u32(k & 3)
    return u64((u32(1) << inner) | (partial & ((u32(1) << inner) - u32(1))))


@inlined
def remember(window: Row, symbols: Row, at: Int, symbol: Int, depth: Int, source: Int, length: Int, memory: Row) -> None:
    """After a symbol: whether the match goes on, and of bytes, words and lines."""
    if length > 0:
        length = min(length + 1, i64(65535)) if copied(window, symbols, source) == symbol else i64(0)
        source += 1
    memory[LENGTH], memory[SOURCE] = length, source
    memory[AT] = at + 1
    if depth != 8:
        return
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


ENCODE, DECODE, LEARN = 0, 1, 2


@kernel
def run(
    rich: Row,
    lean: Row,
    maps: Row,
    weights: Row,
    second: Row,
    apm_1: Row,
    apm_2: Row,
    zero: Row,
    hits: Row,
    places: Row,
    memory: Row,
    x: Row,
    hashes: Row,
    slots: Row,
    coder: Row,
    window: Row,
    symbols: Row,
    end: Int,
    depth: Int,
    mode: Int,
    buffer: Row,
    size: Int,
) -> Int:
    """Code or learn the symbols from memory[AT] to `end`, and learn from each bit.

    Args:
        rich, lean, ..., slots: of a working copy (`stackc_mixing.state`), changed.
        window: symbols before the run, to copy from; not changed.
        symbols: the run, to `end` at least; filled when decoding.
        depth: decisions of a symbol, 1 .. 16.
        mode: ENCODE, DECODE or LEARN.
        buffer, size: see `stackc.api.start_coder`; not used when learning.

    Returns:
        The bytes of the payload when encoding, -1 if they did not fit; else 0.
    """
    rich, lean, maps, weights, second, apm_1, apm_2, zero, hits, places, memory, x, hashes, slots, coder, window, symbols, buffer = borrowed(
        (rich, lean, maps, weights, second, apm_1, apm_2, zero, hits, places, memory, x, hashes, slots, coder, window, symbols, buffer)
    )
    start_coder(coder, buffer, size, mode == DECODE)
    x[BIAS] = i32(256)
    for at in range(memory[AT], end):
        contexts(symbols, at, depth, memory, hashes)
        key = u64(u32(hashes[6] * u32(0x9E3779B1)) >> u32(7)) & u64(len(places) - 1)
        prefetch(places, key)
        seek_slots(rich, lean, hashes, slots, u32(0))
        open_slots(rich, lean, hashes, slots, u32(0), 0)
        source, length = matched(window, symbols, at, memory, places, key)
        places[key] = len(window) + at
        expected = (copied(window, symbols, source) if length > 0 else u32(0)) | (u32(1) << u32(depth))
        order = known_order(rich, lean, slots)
        last = u64(before(symbols, at, 1)) & u64(255)
        pair, trigram = u32(hashes[1]), u32(hashes[2])
        rate = RATE + RATE_MORE // (1 + (memory[SEEN_BITS] >> RATE_BITS))
        symbol = u32(0) if mode == DECODE else u32(symbols[at])
        partial = u32(1)
        for k in range(depth):
            if k > 0 and k & 3 == 0:
                open_slots(rich, lean, hashes, slots, partial & u32(1), 0)
            if k & 3 == 3 and k + 1 < depth:
                seek_slots(rich, lean, hashes, slots, partial)
            left = depth - k
            row_1 = u64((partial & u32(255)) | u32(last << u64(8))) * u64(POINTS)
            row_2 = u64(hashed(trigram, partial) & u32(ROWS_2 - 1)) * u64(POINTS)
            prefetch(apm_1, row_1)
            prefetch(apm_2, row_2)
            node = node_of(partial, k)
            _, _, c = weight_sets(0, 0, last, pair, partial, k + 1)
            prefetch(weights, c)
            prefetch(weights, c + u64(16))
            context_inputs(rich, lean, maps, slots, node, x)
            x[ZERO] = STRETCH[zero[u64(partial)] >> u32(20)]
            hit, near = match_inputs(hits, expected, length, partial, left, x)
            if hit == 0:
                length = i64(0)
            a, b, c = weight_sets(order, near, last, pair, partial, k)
            da, db, dc = dot(x, weights, a), dot(x, weights, b), dot(x, weights, c)
            f = (u64(partial) & u64(255)) << u64(2)
            stretched = mixed(second, f, da, db, dc)
            p, point = refined(apm_1, apm_2, row_1, row_2, stretched)
            bit = i64(symbol >> u32(left - 1)) & 1
            if mode != LEARN:
                bit = code_bit(coder, buffer, p, bit)
            target = -bit & i64(65535)
            correct(x, weights, a, da, target, rate)
            correct(x, weights, b, db, target, rate)
            correct(x, weights, c, dc, target, rate)
            error = target - i64(SQUASH[u64(stretched + SPAN)])
            second[f] += i32((i64(da) * error) >> i64(14))
            second[f + u64(1)] += i32((i64(db) * error) >> i64(14))
            second[f + u64(2)] += i32((i64(dc) * error) >> i64(14))
            nearest = (point + u64(8)) >> u64(4)
            apm_1[row_1 + nearest] = nudged(apm_1[row_1 + nearest], target)
            apm_2[row_2 + nearest] = nudged(apm_2[row_2 + nearest], target)
            learn_contexts(rich, lean, maps, slots, node, x, bit)
            zero[u64(partial)] = moved((zero[u64(partial)] & u32(0xFFFFFC00)) | u32(ZERO_COUNT), bit)
            if hit:
                hits[hit] = moved((hits[hit] & u32(0xFFFFFC00)) | u32(HIT_COUNT), bit)
            partial = (partial << u32(1)) | u32(bit)
        symbol = partial ^ (u32(1) << u32(depth))
        if mode == DECODE:
            symbols[at] = symbol
        remember(window, symbols, at, symbol, depth, source, length, memory)
        memory[SEEN_BITS] += depth
    return finish_coder(coder, buffer) if mode == ENCODE else 0


@kernel
def tree(
    rich: Row,
    lean: Row,
    maps: Row,
    weights: Row,
    second: Row,
    apm_1: Row,
    apm_2: Row,
    zero: Row,
    hits: Row,
    places: Row,
    memory: Row,
    x: Row,
    hashes: Row,
    slots: Row,
    coder: Row,
    window: Row,
    symbols: Row,
    depth: Int,
    out: Row,
) -> None:
    """The probabilities of a one at all decisions of the symbol at memory[AT]: out uint16[2^depth], from 1. Learns nothing."""
    rich, lean, maps, weights, second, apm_1, apm_2, zero, hits, places, memory, x, hashes, slots, window, symbols, out = borrowed(
        (rich, lean, maps, weights, second, apm_1, apm_2, zero, hits, places, memory, x, hashes, slots, window, symbols, out)
    )
    x[BIAS] = i32(256)
    at = memory[AT]
    contexts(symbols, at, depth, memory, hashes)
    seek_slots(rich, lean, hashes, slots, u32(0))
    open_slots(rich, lean, hashes, slots, u32(0), 1)
    key = u64(u32(hashes[6] * u32(0x9E3779B1)) >> u32(7)) & u64(len(places) - 1)
    source, length = matched(window, symbols, at, memory, places, key)
    expected = (copied(window, symbols, source) if length > 0 else u32(0)) | (u32(1) << u32(depth))
    order = known_order(rich, lean, slots)
    last = u64(before(symbols, at, 1)) & u64(255)
    pair, trigram = u32(hashes[1]), u32(hashes[2])
    for k in range(depth):
        left = depth - k
        for partial in range(u32(1) << u32(k), u32(2) << u32(k)):
            partial = u32(partial)
            if k > 3:
                # The slots of these four decisions, opened by the bits before them.
                opening = u32(partial >> u32(k & 3))
                seek_slots(rich, lean, hashes, slots, opening >> u32(1))
                open_slots(rich, lean, hashes, slots, opening & u32(1), 1)
            row_1 = u64((partial & u32(255)) | u32(last << u64(8))) * u64(POINTS)
            row_2 = u64(hashed(trigram, partial) & u32(ROWS_2 - 1)) * u64(POINTS)
            context_inputs(rich, lean, maps, slots, node_of(partial, k), x)
            x[ZERO] = STRETCH[zero[u64(partial)] >> u32(20)]
            _, near = match_inputs(hits, expected, length, partial, left, x)
            a, b, c = weight_sets(order, near, last, pair, partial, k)
            f = (u64(partial) & u64(255)) << u64(2)
            stretched = mixed(second, f, dot(x, weights, a), dot(x, weights, b), dot(x, weights, c))
            out[partial] = refined(apm_1, apm_2, row_1, row_2, stretched)[0]


@kernel
def index(window: Row, places: Row) -> None:
    """Where what followed six symbols stands in the window, last."""
    for at in range(6, len(window)):
        h = hashed(u32(window[at - 1]), u32(1))
        for back in range(2, 7):
            h = hashed(h, u32(window[at - back]))
        places[u64(u32(h * u32(0x9E3779B1)) >> u32(7)) & u64(len(places) - 1)] = at
