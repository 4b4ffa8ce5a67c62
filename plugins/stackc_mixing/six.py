"""The model with six contexts, compiled: on text 1.4 to 1.9 times as fast as `stackc_mixing.few`, and about as good.

It differs from that model in four things. A symbol takes the decisions of a prefix code (`stackc_mixing.codes`),
four to five for a byte of text. The sixth context is this word and the word before, in the place of what is known
without context. No refinement corrects the mixed answer. And most of the time that is left is waiting for memory, so
what the next symbol needs is fetched before this one is coded, if this one is known; in decoding, for the symbol that
the match has, or that followed the last two the last time, and again when the last decision is near and says another.

The legend and the bounds of indices are those of `stackc_mixing.kernels`; a node is one of the code's tree. The twin is
`stackc_mixing.twins.six`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stackc.api import CODER_STATE, borrowed, code_bit, finish_coder, inlined, kernel, prefetch_to_write, start_coder
from stackc_mixing.codes import LEAF
from stackc_mixing.contexts import before, copied, matched
from stackc_mixing.inputs import lean_inputs, match_inputs
from stackc_mixing.integers import Int, Row, i64, u32, u64
from stackc_mixing.layout import (
    AT,
    DECODE,
    ENCODE,
    FEW_HASHES,
    FEW_INPUTS,
    FEW_SCRATCH,
    FEW_SIZE,
    FEW_SLOTS,
    GUESSES,
    LEARN,
    LENGTH,
    SEEN_BITS,
    SIX,
    SIX_CONTEXTS,
    SIX_RATE,
    SIX_RATE_BITS,
    SIX_RATE_MORE,
    SIX_STEP,
    SOURCE,
    WORD,
    WORD_1,
)
from stackc_mixing.learning import learn_hit, learn_lean
from stackc_mixing.mixing import correct, dot
from stackc_mixing.registers import local
from stackc_mixing.slots import node_of, open_lean_slots, seek_lean_slots, seek_lean_symbol
from stackc_mixing.tables import KINDS, LETTER, LOWER, SPAN, SQUASH
from stackc_mixing.vectors import LANES, load, shift_in_zeros, splat, store

OF_ORDERS = np.array([0xFF, 0xFFFF, 0xFFFFFF, 0xFFFFFFFF, 0xFF, 0, 0, 0], np.uint32)
OF_WORD = np.array([0, 0, 0, 0, 0xFFFFFF00, 0, 0, 0], np.uint32)
OF_PAIR = np.array([0, 0, 0, 0, 0, 0xFFFFFFFF, 0, 0], np.uint32)
"""What the contexts of bytes have of the last four bytes, of the word so far, and of that and the word before."""

SALTS = ((np.arange(8) + 1) * 0x9E3779B1 % 2**32).astype(np.uint32)
"""What keeps equal numbers of two contexts apart."""

WIDE = 0x9E3779B97F4A7C15
"""2^64 divided by the golden ratio: the high bits of a product with it are a hash."""


@inlined
def hashed_lanes(h: Int) -> Int:
    """Vector: hashes of eight numbers."""
    h = h * splat(0x2F0B4C47)
    h = (h ^ shift_in_zeros(h, splat(15))) * splat(0x85EBCA6B)
    return h ^ shift_in_zeros(h, splat(13))


@inlined
def longer(past: Int, symbol: Int, depth: Int) -> Int:
    """The last eight bytes, or four symbols of other alphabets, after one more."""
    return (u64(past) << u64(8 if depth == 8 else 16)) | u64(symbol)


@inlined
def past_of(symbols: Row, at: Int, depth: Int) -> Int:
    """The same before the symbol at `at` of the run."""
    past = u64(0)
    for back in range(8, 0, -1):
        past = longer(past, before(symbols, at, back) & ((u32(1) << u32(depth)) - u32(1)), depth)
    return past


@inlined
def words_after(word: Int, word_1: Int, symbol: Int, depth: Int) -> Any:
    """The hashes of this word, or 0 between words, and of the one before, after a symbol. Only bytes make words."""
    if depth != 8:
        return word, word_1
    if KINDS[symbol & u32(255)] == LETTER:
        h = u32((word + u32(LOWER[symbol & u32(255)]) + u32(1)) * u32(0x9E3779B1))
        return h ^ (h >> u32(15)), word_1
    return u32(0), word if word != u32(0) else word_1


@inlined
def numbers_of(past: Int, word: Int, word_1: Int, depth: Int, numbers: Row) -> Int:
    """Vector: what the contexts are of. Of bytes: orders 1 to 4, the word, and the pair of words; else also gaps."""
    if depth == 8:
        pair = (word + word_1 * u32(0x2F0B4C47)) ^ u32(past & u64(255))
        orders = splat(u32(past)) & load(OF_ORDERS, u64(0))
        return orders | (splat(word) & load(OF_WORD, u64(0))) | (splat(pair) & load(OF_PAIR, u64(0)))
    low = u64(0xFFFF)
    numbers[0], numbers[1] = u32(past & low), u32(past)
    numbers[2], numbers[3] = u32((past << u64(16)) * u64(WIDE) >> u64(32)), u32(past * u64(WIDE) >> u64(32))
    numbers[4], numbers[5] = u32(past >> u64(16)), u32((past & low) | (past >> u64(32) & low) << u64(16))
    return load(numbers, u64(0))


@inlined
def key_of(past: Int, places: Row, depth: Int) -> Int:
    """The entry of `places` for the last six bytes, or four symbols of other alphabets."""
    six = past << u64(16) if depth == 8 else past
    return (six * u64(WIDE) >> u64(39)) & u64(len(places) - 1)


@inlined
def seek_symbol(
    lean: Row, places: Row, hashes: Row, slots: Row, past: Int, word: Int, word_1: Int, depth: Int
) -> Any:  # fmt: skip
    """Where the tables say something about the symbol after `past`: fetched, and not yet looked at. The match's key."""
    h = hashed_lanes(numbers_of(past, word, word_1, depth, hashes) + load(SALTS, u64(0)))
    store(hashes, u64(0), h)
    key = key_of(past, places, depth)
    prefetch_to_write(places, key)
    seek_lean_symbol(SIX_CONTEXTS, lean, hashes, slots, h)
    return key


@inlined
def seek_slots(lean: Row, hashes: Row, slots: Row, partial: Int) -> None:
    """As `stackc_mixing.few.seek_slots`, by the hashes of this model."""
    seek_lean_slots(lean, hashes, slots, hashed_lanes(load(hashes, u64(0)) + splat(partial * u32(0x9E3779B1))))


@inlined
def seek_next(sought: Any, known: Any, symbol: Int, depth: Int) -> Any:
    """If the symbol after `known` is this one, what follows it: (key of the match; this word, and the one before)."""
    lean, places, hashes, slots = sought
    past, word, word_1 = known
    word, word_1 = words_after(word, word_1, symbol, depth)
    return seek_symbol(lean, places, hashes, slots, longer(past, symbol, depth), word, word_1, depth), word, word_1


@inlined
def take_over(sought: Any, hashes: Row, slots: Row) -> None:
    """The next symbol is this one now: its hashes and slots were sought before."""
    _, _, next_hashes, next_slots = sought
    store(hashes, u64(0), load(next_hashes, u64(0)))
    store(hashes, u64(LANES), load(next_hashes, u64(LANES)))
    store(slots, u64(LANES), load(next_slots, u64(LANES)))
    store(slots, u64(2 * LANES), load(next_slots, u64(2 * LANES)))


@inlined
def match_of(window: Row, symbols: Row, at: Int, memory: Row, places: Row, key: Int) -> Any:
    """(where the match continues, its length, and the symbol that it has, or 0)."""
    source, length = matched(window, symbols, at, memory, places, key)
    return source, length, copied(window, symbols, source) if length > 0 else u32(0)


@inlined
def answer_of(tables: Any, slots: Row, x: Row, partial: Int, k: Int, match: Any, past: Int) -> Any:
    """(probability; for learning: node of the slots, set of weights, its answer, hit; the match after the decision).

    Args:
        match: the code of the symbol that it has, how many decisions of it are left, and its length, or 0.
    """
    lean, maps, weights, hits = tables
    expected, left, length = match
    node = node_of(partial, k)
    hit, near = match_inputs(hits, expected, length if left > 0 else i64(0), partial, max(left, i64(1)), x, SIX)
    lean_inputs(SIX_CONTEXTS, lean, maps, slots, node, x)
    begin = ((u64(near) << u64(11)) | (past & u64(255)) << u64(3) | u64(min(k, i64(7)))) * u64(FEW_INPUTS)
    answer = dot(x, weights, begin, FEW_SIZE)
    p = i64(SQUASH[u64(answer + SPAN)])
    return p, (node, begin, answer, hit), (expected, left - 1, length if hit else i64(0))


@inlined
def learn(tables: Any, slots: Row, x: Row, made: Any, bit: Int, seen: Int) -> None:
    """What a bit teaches everything that had a part in its probability."""
    lean, maps, weights, hits = tables
    node, begin, answer, hit = made
    rate = SIX_RATE + SIX_RATE_MORE // (1 + (seen >> SIX_RATE_BITS))
    correct(x, weights, begin, FEW_SIZE, answer, bit, rate)
    learn_hit(hits, hit, bit)
    learn_lean(SIX_CONTEXTS, SIX_STEP, lean, maps, slots, node, x, bit)


@kernel
def run_six(
    classes: Row, codes: Row, sizes: Row, steps: Row, lean: Row, maps: Row, weights: Row, hits: Row, places: Row,
    guesses: Row, memory: Row, window: Row, symbols: Row, end: Int, depth: Int, mode: Int, buffer: Row,
    size: Int,
) -> Int:  # fmt: skip
    """As `stackc_mixing.kernels.run`; the first four are `stackc_mixing.codes.Codes`."""
    classes, codes, sizes, steps, places, guesses, memory, window, symbols, buffer = borrowed(
        (classes, codes, sizes, steps, places, guesses, memory, window, symbols, buffer)
    )
    lean, maps, weights, hits = borrowed((lean, maps, weights, hits))
    x, coder, mask = local(FEW_SCRATCH, np.int32), local(CODER_STATE, np.int64), (u32(1) << u32(depth)) - u32(1)
    hashes, slots = local(FEW_HASHES, np.uint32), local(FEW_SLOTS, np.uint32)
    tables = (lean, maps, weights, hits)
    sought = (lean, places, local(FEW_HASHES, np.uint32), local(FEW_SLOTS, np.uint32))
    start_coder(coder, buffer, size, mode == DECODE)
    past, word, word_1 = past_of(symbols, memory[AT], depth), u32(memory[WORD]), u32(memory[WORD_1])
    key = seek_symbol(lean, places, hashes, slots, past, word, word_1, depth)
    for at in range(memory[AT], end):
        open_lean_slots(SIX_CONTEXTS, lean, hashes, slots, u32(0), 0)
        source, length, copy = match_of(window, symbols, at, memory, places, key)
        places[key], last_two = len(window) + at, past & u64(GUESSES - 1)
        base, known = u64(classes[past & u64(255)]) << u64(depth), (past, word, word_1)
        ahead = (u32(symbols[at]) if mode != DECODE else copy if length > 0 else u32(guesses[last_two])) & mask
        code, left = codes[base | u64(ahead)], u32(sizes[base | u64(ahead)])
        match = (codes[base | u64(copy & mask)], i64(sizes[base | u64(copy & mask)]), length)
        key, word, word_1 = seek_next(sought, known, ahead, depth)
        partial, at_node, k = u32(1), u64(0), i64(0)
        while True:
            if k > 0 and k & 3 == 0:
                open_lean_slots(SIX_CONTEXTS, lean, hashes, slots, partial & u32(1), 0)
            if k & 3 == 3:
                seek_slots(lean, hashes, slots, partial)
            p, made, match = answer_of(tables, slots, x, partial, k, match, past)
            step = (base << u64(1)) + u64(2) * at_node
            likely = steps[step + (u64(p) >> u64(15))]
            if mode == DECODE and likely & u32(LEAF) and likely != ahead | u32(LEAF):
                ahead = likely ^ u32(LEAF)
                key, word, word_1 = seek_next(sought, known, ahead, depth)
            left -= u32(1)
            bit = i64(code >> (left & u32(31))) & 1
            if mode != LEARN:
                bit = code_bit(coder, buffer, p, bit)
            learn(tables, slots, x, made, bit, memory[SEEN_BITS])
            partial, k = (partial << u32(1)) | u32(bit), k + 1
            after = steps[step + u64(bit)]
            if after & u32(LEAF):
                break
            at_node = u64(after)
        symbol = after ^ u32(LEAF)
        if mode == DECODE:
            symbols[at] = symbol
            if symbol != ahead:
                key, word, word_1 = seek_next(sought, known, symbol, depth)
        guesses[last_two] = symbol
        memory[LENGTH] = min(length + 1, i64(65535)) if length > 0 and copy == symbol else i64(0)
        memory[SOURCE], memory[SEEN_BITS] = source + 1, memory[SEEN_BITS] + k
        past = longer(past, symbol, depth)
        take_over(sought, hashes, slots)
    memory[AT], memory[WORD], memory[WORD_1] = max(i64(end), memory[AT]), i64(word), i64(word_1)
    return finish_coder(coder, buffer) if mode == ENCODE else 0


@inlined
def shares_of(tables: Any, hashes: Row, slots: Row, base: Int, steps: Row, match: Any, past: Int, shares: Row) -> None:
    """Share 2^37 out along the codes of the symbols: of each decision's share, a one has floor(share * p / 2^16)."""
    x, (lean, _, _, _), (expected, size, length) = local(FEW_SCRATCH, np.int32), tables, match
    nodes = len(shares)
    partials, parts = np.ones(nodes, np.uint32), np.zeros(nodes, np.int64)
    parts[0] = i64(1) << 37
    for number in range(nodes):
        at_node, partial, k = u64(number), partials[number], i64(0)
        if parts[number] == 0 and number > 0:
            continue
        while (partial >> u32(k + 1)) > 0:
            k += 1
        if k > 3:
            opening = partial >> u32(k & 3)
            seek_slots(lean, hashes, slots, opening >> u32(1))
            open_lean_slots(SIX_CONTEXTS, lean, hashes, slots, opening & u32(1), 1)
        here = (expected, size - k, length)
        p, _, _ = answer_of(tables, slots, x, partial, k, here, past)
        ones = parts[number] * i64(p) >> 16
        for bit in range(2):
            after = steps[(base << u64(1)) + u64(2) * at_node + u64(bit)]
            part = ones if bit else parts[number] - ones
            if after & u32(LEAF):
                shares[u64(after ^ u32(LEAF))] = part
            else:
                partials[u64(after)], parts[u64(after)] = (partial << u32(1)) | u32(bit), part


@kernel
def tree_six(
    classes: Row, codes: Row, sizes: Row, steps: Row, lean: Row, maps: Row, weights: Row, hits: Row, places: Row,
    guesses: Row, memory: Row, window: Row, symbols: Row, depth: Int, out: Row,
) -> None:  # fmt: skip
    """As `stackc_mixing.kernels.tree`: of the shares of all symbols, what those with a one have of a decision's."""
    classes, codes, sizes, steps, places, guesses, memory, window, symbols, out = borrowed(
        (classes, codes, sizes, steps, places, guesses, memory, window, symbols, out)
    )
    lean, maps, weights, hits = borrowed((lean, maps, weights, hits))
    hashes, slots = local(FEW_HASHES, np.uint32), local(FEW_SLOTS, np.uint32)
    at, mask = memory[AT], (u32(1) << u32(depth)) - u32(1)
    past = past_of(symbols, at, depth)
    key = seek_symbol(lean, places, hashes, slots, past, u32(memory[WORD]), u32(memory[WORD_1]), depth)
    open_lean_slots(SIX_CONTEXTS, lean, hashes, slots, u32(0), 1)
    _, length, copy = match_of(window, symbols, at, memory, places, key)
    base = u64(classes[past & u64(255)]) << u64(depth)
    match = (codes[base | u64(copy & mask)], i64(sizes[base | u64(copy & mask)]), length)
    shares = np.zeros(1 << depth, np.int64)
    shares_of((lean, maps, weights, hits), hashes, slots, base, steps, match, past, shares)
    for k in range(depth - 1, -1, -1):
        for number in range(1 << k):
            zeros, ones = shares[2 * number], shares[2 * number + 1]
            p = (ones << 16) // (zeros + ones) if zeros + ones > 0 else i64(1) << 15
            out[(1 << k) + number] = min(max(p, i64(1)), i64(65535))
            shares[number] = zeros + ones


@kernel
def index_six(window: Row, places: Row, depth: Int) -> None:
    """As `stackc_mixing.kernels.index`."""
    past, mask = u64(0), (u32(1) << u32(depth)) - u32(1)
    for at in range(len(window)):
        if at >= 6:
            places[key_of(past, places, depth)] = at
        past = longer(past, u32(window[at]) & mask, depth)
