"""The model compiled: the loops over symbols and bits. `stackc_mixing.twins.many` is the same to read.

A symbol is `depth` decisions, the most significant bit first, taken four at a time. `partial` is a one followed by the
bits known so far. A *slot* holds what one context has seen of four decisions, at the 15 nodes 1 .. 15 of their tree;
its entry 0 is a check of the context. Rich contexts have slots of 32-bit nodes (18 bits of probability, 6 of its count,
8 of history), lean ones slots of bytes (histories). A *map* leads from a context's history to a probability of 22 bits,
with its count in the low 10 bits. The answers of all are inputs x, stretched probabilities, which two or three sets of
weights mix; what they answer is mixed again and refined.

Rich slots pay for contexts with much evidence, where a history of 8 bits says too little; the others have most of the
memory, and there three slots of four hold no more than one symbol.

Every index is bounded by a mask, or by the width of the bits that it is taken from, so that no table, however damaged,
makes a kernel read or write outside its arrays: numba does not check.

Legend: w symbols of the window, n of the run; positions 0 .. w - 1 are the window's, w .. w + n - 1 the run's.
The tables, and their order, are those of `stackc_mixing.state`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stackc.api import CODER_STATE, borrowed, code_bit, finish_coder, inlined, kernel, prefetch_to_write, start_coder
from stackc_mixing.contexts import before, contexts, copied, hashed, key_of, matched, remember, remember_solid
from stackc_mixing.inputs import context_inputs, match_inputs
from stackc_mixing.integers import Int, Row, i32, i64, u32, u64
from stackc_mixing.layout import (
    AT,
    DECODE,
    ENCODE,
    HASHES,
    LEARN,
    MEMORY,
    POINTS,
    ROWS_2,
    SCRATCH,
    SEEKS,
    SEEN_BITS,
)
from stackc_mixing.learning import learn_bit, learn_contexts, learn_mixed
from stackc_mixing.mixing import answers_of, correct_all, mixed, pair_set, refined, weight_sets
from stackc_mixing.registers import local
from stackc_mixing.shapes import MANY, SOME, TWELVE, Shape
from stackc_mixing.slots import known_order, node_of, open_slots, seek_slots, slot_masks


@inlined
def rows_of(last: Int, trigram: Int, partial: Int) -> Any:
    """Where the rows of both refinements begin."""
    row_1 = u64((partial & u32(255)) | u32(last << u64(8))) * u64(POINTS)
    return row_1, u64(hashed(trigram, partial) & u32(ROWS_2 - 1)) * u64(POINTS)


@inlined
def fetch_pair(shape: Shape, weights: Row, pair: Int, k: Int) -> None:
    """Fetch the set of weights by the last two symbols for decision k."""
    by_pair = pair_set(shape, pair, k)
    prefetch_to_write(weights, by_pair)
    if len(shape.inputs) > 16:
        prefetch_to_write(weights, by_pair + u64(16))


@inlined
def fetch_rows(
    shape: Shape,
    apm_1: Row,
    apm_2: Row,
    weights: Row,
    row_2: Int,
    last: Int,
    pair: Int,
    partial: Int,
    k: Int,
    depth: Int,
) -> None:
    """While decision k is coded: fetch its second refinement, and what the next one needs, whichever way this goes."""
    if len(shape.refinements) == 2:
        prefetch_to_write(apm_2, row_2)
    if k + 1 < depth:
        row, _ = rows_of(last, u32(0), partial << u32(1))
        prefetch_to_write(apm_1, row)
        prefetch_to_write(apm_1, row + u64(POINTS))
        fetch_pair(shape, weights, pair, k + 1)


@inlined
def seek_symbol(
    shape: Shape, rich: Row, lean: Row, weights: Row, apm_1: Row, places: Row, memory: Row, masks: Row, hashes: Row,
    symbols: Row, at: Int, depth: Int,
) -> Int:  # fmt: skip
    """Fetch what the first decision of the symbol at `at` needs, slots of all contexts too: its entry of `places`."""
    contexts(shape, symbols, at, depth, memory, hashes)
    key = key_of(hashes[len(shape.order_6)], places)
    prefetch_to_write(places, key)
    seek_slots(shape, rich, lean, masks, hashes, u32(0))
    row, _ = rows_of(u64(before(symbols, at, 1)) & u64(255), u32(0), u32(1))
    prefetch_to_write(apm_1, row)
    fetch_pair(shape, weights, u32(hashes[len(shape.order_2)]), 0)
    return key


@inlined
def open_symbol(
    sought: Any, memory: Row, slots: Row, window: Row, symbols: Row, at: Int, key: Int, depth: Int, keep: Int
) -> Any:
    """The slots of all contexts of the symbol at `at`, which `seek_symbol` fetched, and its match.

    Args:
        sought: the first arguments of `seek_symbol`, then masks and hashes.
        keep: whether the tables stay as they are.

    Returns:
        (where the match continues; its length; the symbol there, with a one before its first bit; how many orders are
        known; the last symbol's low byte)
    """
    shape, rich, lean, _, _, places, _, hashes = sought
    open_slots(shape, rich, lean, hashes, slots, u32(0), keep)
    source, length = matched(window, symbols, at, memory, places, key)
    expected = (copied(window, symbols, source) if length > 0 else u32(0)) | (u32(1) << u32(depth))
    return source, length, expected, known_order(shape, rich, lean, slots), u64(before(symbols, at, 1)) & u64(255)


@inlined
def turn_slots(
    shape: Shape, rich: Row, lean: Row, masks: Row, hashes: Row, slots: Row, partial: Int, k: Int, depth: Int
) -> None:
    """Before decision k: open the slots of the next four, one decision after they were sought."""
    if k > 0 and k & 3 == 0:
        open_slots(shape, rich, lean, hashes, slots, partial & u32(1), 0)
    if k & 3 == 3 and k + 1 < depth:
        seek_slots(shape, rich, lean, masks, hashes, partial)


@inlined
def recall(memory: Row, copy: Row) -> None:
    for i in range(u64(MEMORY)):
        memory[i] = copy[i]


@inlined
def expect(
    sought: Any, memory: Row, window: Row, symbols: Row, at: Int, depth: Int, source: Int, length: Int, ahead: Row
) -> Int:
    """Seek what follows the symbol at `at` as it stands there now; `ahead` becomes what `memory` is then.

    First done two decisions before the symbol ends, unless slots of its own have to be opened after that. For `sought`
    see `open_symbol`.
    """
    shape, rich, lean, weights, apm_1, places, masks, hashes = sought
    recall(ahead, memory)
    if len(shape.sets) == len(TWELVE.sets):
        remember_solid(window, symbols, at, depth, source, length, ahead)
    else:
        remember(window, symbols, at, depth, source, length, ahead)
    return seek_symbol(shape, rich, lean, weights, apm_1, places, ahead, masks, hashes, symbols, at + 1, depth)


@inlined
def fetch_copied(window: Row, symbols: Row, source: Int) -> None:
    """Fetch the symbol at a position of window and run, to see how long a match is: read only if it is there."""
    if source < len(window):
        prefetch_to_write(window, u64(max(source, 0)))
    else:
        prefetch_to_write(symbols, u64(source - len(window)))


@inlined
def guessed(
    shape: Shape, rich: Row, slots: Row, node: Int, partial: Int, bit: Int, left: Int, symbols: Row, at: Int, top: Int
) -> Int:
    """Write what the symbol probably is, which begins with `partial` and this bit, and return it after a one.

    If two decisions are left, the second is what the last three symbols suggest.
    """
    partial = (partial << u32(1)) | u32(bit)
    if left == 2:
        cell = rich[slots[len(shape.order_3)] + ((node << u64(1)) | u64(bit))]
        partial = (partial << u32(1)) | (cell >> u32(31))
    symbols[at] = partial ^ top
    return partial


@inlined
def code_symbols(
    shape: Shape, rich: Row, lean: Row, maps: Row, weights: Row, second: Row, apm_1: Row, apm_2: Row, zero: Row,
    hits: Row, places: Row, memory: Row, window: Row, symbols: Row, end: Int, depth: Int, mode: Int, buffer: Row,
    size: Int,
) -> Int:  # fmt: skip
    """As `run`, of a shape."""
    rich, lean, maps, weights, second, apm_1, apm_2, zero, hits, places, memory, window, symbols, buffer = borrowed(
        (rich, lean, maps, weights, second, apm_1, apm_2, zero, hits, places, memory, window, symbols, buffer)
    )
    x, hashes, slots = local(SCRATCH, np.int32), local(HASHES, np.uint32), local(SEEKS, np.uint64)
    masks, coder, ahead = local(SEEKS, np.uint32), local(CODER_STATE, np.int64), local(MEMORY, np.int64)
    slot_masks(shape, rich, lean, masks)
    start_coder(coder, buffer, size, mode == DECODE)
    x[len(shape.rich) + len(shape.contexts) + 3] = i32(256)
    top, look = u32(1) << u32(depth), max(depth - 2, (depth - 1) & -4)
    sought = (shape, rich, lean, weights, apm_1, places, masks, hashes)
    key = seek_symbol(shape, rich, lean, weights, apm_1, places, memory, masks, hashes, symbols, memory[AT], depth)
    for at in range(memory[AT], end):
        source, length, expected, order, last = open_symbol(sought, memory, slots, window, symbols, at, key, depth, 0)
        places[key] = len(window) + at
        pair, trigram = u32(hashes[len(shape.order_2)]), u32(hashes[len(shape.order_3)])
        rate = shape.rate + shape.rate_more // (1 + (memory[SEEN_BITS] >> shape.rate_bits))
        symbol, partial, guess = u32(0) if mode == DECODE else u32(symbols[at]), u32(1), u32(0)
        for k in range(depth):
            turn_slots(shape, rich, lean, masks, hashes, slots, partial, k, depth)
            row_1, row_2 = rows_of(last, trigram, partial)
            node, f = node_of(partial, k), (u64(partial) & u64(255)) << u64(2)
            fetch_rows(shape, apm_1, apm_2, weights, row_2, last, pair, partial, k, depth)
            context_inputs(shape, rich, lean, maps, zero, slots, node, partial, x)
            hit, near = match_inputs(
                hits, expected, length, partial, depth - k, x, len(shape.rich) + len(shape.contexts)
            )
            length = length if hit else i64(0)
            sets = weight_sets(shape, order, near, last, pair, partial, k)
            answers = answers_of(shape, x, weights, sets)
            stretched = mixed(second, f, answers)
            bit = i64(stretched > 0) if mode == DECODE else i64(symbol >> u32(depth - 1 - k)) & 1
            if k & 3 == 2 and k + 2 < depth:  # what is likely, now, and what is so, one decision later
                seek_slots(shape, rich, lean, masks, hashes, (partial << u32(1)) | u32(bit))
            if k == look:
                guess = symbol | top
                if mode == DECODE:
                    guess = guessed(shape, rich, slots, node, partial, bit, depth - k, symbols, at, top)
                key = expect(sought, memory, window, symbols, at, depth, source, length, ahead)
            elif k > look:
                fetch_copied(window, symbols, i64(places[key]) - 1)
            p, point = refined(shape, apm_1, apm_2, row_1, row_2, stretched)
            if mode != LEARN:
                bit = code_bit(coder, buffer, p, bit)
            correct_all(shape, x, weights, sets, answers, bit, rate)
            learn_mixed(second, f, answers, stretched, bit)
            learn_bit(shape, apm_1, row_1, apm_2, row_2, point, zero, partial, hits, hit, bit)
            learn_contexts(shape, rich, lean, maps, slots, node, x, bit)
            partial = (partial << u32(1)) | u32(bit)
        if partial != guess:
            symbols[at] = partial ^ top
            key = expect(sought, memory, window, symbols, at, depth, source, length, ahead)
        recall(memory, ahead)
    return finish_coder(coder, buffer) if mode == ENCODE else 0


@kernel
def run(
    rich: Row, lean: Row, maps: Row, weights: Row, second: Row, apm_1: Row, apm_2: Row, zero: Row, hits: Row,
    places: Row, memory: Row, window: Row, symbols: Row, end: Int, depth: Int, mode: Int, buffer: Row, size: Int,
) -> Int:  # fmt: skip
    """Code or learn the symbols from memory[AT] to `end`: the bytes of the payload if mode is ENCODE (-1: too many).

    `window` is there to copy from, `symbols` the run, to `end` at least, filled if mode is DECODE. For buffer and size
    see `stackc.api.start_coder`; they are not used if mode is LEARN.
    """
    return code_symbols(
        MANY,
        rich, lean, maps, weights, second, apm_1, apm_2, zero, hits, places, memory, window, symbols, end, depth, mode,
        buffer, size,
    )  # fmt: skip


@kernel
def run_some(
    rich: Row, lean: Row, maps: Row, weights: Row, second: Row, apm_1: Row, zero: Row, hits: Row,
    places: Row, memory: Row, window: Row, symbols: Row, end: Int, depth: Int, mode: Int, buffer: Row, size: Int,
) -> Int:  # fmt: skip
    """As `run`, of some contexts."""
    return code_symbols(
        SOME,
        rich, lean, maps, weights, second, apm_1, apm_1, zero, hits, places, memory, window, symbols, end, depth, mode,
        buffer, size,
    )  # fmt: skip


@inlined
def probabilities(
    shape: Shape, rich: Row, lean: Row, maps: Row, weights: Row, second: Row, apm_1: Row, apm_2: Row, zero: Row,
    hits: Row, places: Row, memory: Row, window: Row, symbols: Row, depth: Int, out: Row,
) -> None:  # fmt: skip
    """As `tree`, of a shape."""
    rich, lean, maps, weights, second, apm_1, apm_2, zero, hits, places, memory, window, symbols, out = borrowed(
        (rich, lean, maps, weights, second, apm_1, apm_2, zero, hits, places, memory, window, symbols, out)
    )
    x, hashes, slots = local(SCRATCH, np.int32), local(HASHES, np.uint32), local(SEEKS, np.uint64)
    masks = local(SEEKS, np.uint32)
    slot_masks(shape, rich, lean, masks)
    x[len(shape.rich) + len(shape.contexts) + 3] = i32(256)
    at = memory[AT]
    key = seek_symbol(shape, rich, lean, weights, apm_1, places, memory, masks, hashes, symbols, at, depth)
    sought = (shape, rich, lean, weights, apm_1, places, masks, hashes)
    _, length, expected, order, last = open_symbol(sought, memory, slots, window, symbols, at, key, depth, 1)
    pair, trigram = u32(hashes[len(shape.order_2)]), u32(hashes[len(shape.order_3)])
    for k in range(depth):
        for number in range(1 << k, 2 << k):
            partial = u32(number)
            if k > 3:
                # The slots of these four decisions, opened by the bits before them.
                opening = u32(partial >> u32(k & 3))
                seek_slots(shape, rich, lean, masks, hashes, opening >> u32(1))
                open_slots(shape, rich, lean, hashes, slots, opening & u32(1), 1)
            row_1, row_2 = rows_of(last, trigram, partial)
            context_inputs(shape, rich, lean, maps, zero, slots, node_of(partial, k), partial, x)
            _, near = match_inputs(hits, expected, length, partial, depth - k, x, len(shape.rich) + len(shape.contexts))
            f = (u64(partial) & u64(255)) << u64(2)
            answers = answers_of(shape, x, weights, weight_sets(shape, order, near, last, pair, partial, k))
            stretched = mixed(second, f, answers)
            out[partial] = refined(shape, apm_1, apm_2, row_1, row_2, stretched)[0]


@kernel
def tree(
    rich: Row, lean: Row, maps: Row, weights: Row, second: Row, apm_1: Row, apm_2: Row, zero: Row, hits: Row,
    places: Row, memory: Row, window: Row, symbols: Row, depth: Int, out: Row,
) -> None:  # fmt: skip
    """The probabilities of a one at all decisions of the symbol at memory[AT]: uint16[2^depth], from 1.

    Nothing is learned.
    """
    probabilities(
        MANY, rich, lean, maps, weights, second, apm_1, apm_2, zero, hits, places, memory, window, symbols, depth, out
    )


@kernel
def tree_some(
    rich: Row, lean: Row, maps: Row, weights: Row, second: Row, apm_1: Row, zero: Row, hits: Row,
    places: Row, memory: Row, window: Row, symbols: Row, depth: Int, out: Row,
) -> None:  # fmt: skip
    """As `tree`, of some contexts."""
    probabilities(
        SOME, rich, lean, maps, weights, second, apm_1, apm_1, zero, hits, places, memory, window, symbols, depth, out
    )


@kernel
def index(window: Row, places: Row) -> None:
    """Index the window: for each hash of six symbols, the last position after them."""
    for at in range(6, len(window)):
        h = hashed(u32(window[at - 1]), u32(1))
        for back in range(2, 7):
            h = hashed(h, u32(window[at - back]))
        places[key_of(h, places)] = at
