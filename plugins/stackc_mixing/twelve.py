"""The model with twelve contexts, compiled: as `stackc_mixing.kernels`, smaller files at the speed of ten contexts.

Two things are learned in another way, both along the gradient of what a bit costs:

- *Scores.* What a history says is not how often a one followed it, but a stretched probability that moves with the
  weights: by as much as it would have helped all inputs together. There is one for each context, history and class of
  the last byte.
- *Weights.* Five sets, each chosen by something else, are added up to one. All five move by the same step. With
  sets that answer and are corrected each on its own, as in the models with more and fewer contexts, files are 1 to 3 %
  larger.

The twin is `stackc_mixing.twins.twelve`; the legend and the bounds of indices are those of `stackc_mixing.kernels`. A
score or a weight may be any number, in a damaged state too: sums wrap around, and what is mixed is clipped.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stackc.api import CODER_STATE, borrowed, code_bit, finish_coder, inlined, kernel, start_coder
from stackc_mixing.contexts import before
from stackc_mixing.inputs import MATCH, scored_inputs, scored_match
from stackc_mixing.integers import Int, Row, i32, i64, u32, u64
from stackc_mixing.kernels import (
    expect,
    fetch_copied,
    fetch_rows,
    guessed,
    open_symbol,
    recall,
    rows_of,
    seek_symbol,
    turn_slots,
)
from stackc_mixing.layout import (
    AT,
    CLASSES_AT,
    COLUMN_AT,
    DECODE,
    ENCODE,
    ENTRIES,
    FINE,
    HASHES,
    KNOWN_AT,
    LEARN,
    LINE,
    MEMORY,
    MOVED_CELLS,
    PARTIAL_AT,
    PASTS,
    SCORE_BITS,
    SCORE_RATE,
    SCORE_RATE_BITS,
    SCORE_RATE_MORE,
    SCRATCH,
    SEEKS,
    SEEN_BITS,
    SURE,
    ZERO_COUNT,
)
from stackc_mixing.learning import learn_cells, learn_point, moved
from stackc_mixing.mixing import pair_set, refined_once
from stackc_mixing.registers import local
from stackc_mixing.shapes import TWELVE
from stackc_mixing.slots import node_of, open_slots, seek_slots, slot_masks
from stackc_mixing.tables import CLASS, MOVES, SPAN, SQUASH
from stackc_mixing.vectors import LANES, least, load, most, splat, store, total

INPUTS, CONTEXTS, RICH = len(TWELVE.inputs), len(TWELVE.contexts), len(TWELVE.rich)
assert INPUTS == 2 * LANES, "two vectors hold all inputs"

BOUND = SPAN << SCORE_BITS

_UNIT, _HALF = 14 - FINE, 1 << 13 - FINE


@inlined
def place_of(symbols: Row, at: Int, depth: Int, memory: Row) -> Any:
    """What chooses scores and weights during a symbol: the classes of the last two bytes, and the column.

    Symbols that are not bytes have no classes, and in the place of the column the low bits of the last but one.
    """
    if depth != 8:
        return u64(0), u64(0), u64(before(symbols, at, 2)) & u64(127)
    one, two = CLASS[before(symbols, at, 1) & u32(255)], CLASS[before(symbols, at, 2) & u32(255)]
    return u64(one), u64(two), u64(min(i64(at) - memory[LINE], 127))


@inlined
def sets_of(order: Int, near: Int, place: Any, pair: Int, partial: Int, k: Int) -> Any:
    """Where the five sets of weights begin."""
    one, two, column = place
    known = u64(KNOWN_AT) + ((u64(order * 4 + near) << u64(6)) | (u64(k & 7) << u64(3)) | one)
    by_partial = u64(PARTIAL_AT) + ((one << u64(8)) | (u64(partial) & u64(255)))
    by_column = u64(COLUMN_AT) + ((u64(min(k, 3)) << u64(10)) | (one << u64(7)) | (column & u64(127)))
    by_classes = u64(CLASSES_AT) + ((two << u64(9)) | (one << u64(6)) | (u64(partial) & u64(63)))
    size = u64(INPUTS)
    return known * size, by_partial * size, by_column * size, by_classes * size, pair_set(TWELVE, pair, k)


@inlined
def summed(weights: Row, sets: Any, j: Int) -> Int:
    """Vector: the sums of the five weights of inputs j .. j + 7."""
    a, b, c, d, e = sets
    first = load(weights, a + j) + load(weights, b + j) + load(weights, c + j)
    return first + load(weights, d + j) + load(weights, e + j)


@inlined
def mixed(x: Row, low: Int, high: Int) -> Int:
    """The inputs weighted by two vectors of sums, a stretched probability."""
    lanes = load(x, u64(0)) * (low >> splat(FINE)) >> splat(8)
    lanes = lanes + (load(x, u64(LANES)) * (high >> splat(FINE)) >> splat(8))
    return min(max(i32(total(lanes) >> i32(8)), i32(-SPAN)), i32(SPAN))


@inlined
def correct(x: Row, weights: Row, sets: Any, error: Int, rate: Int) -> None:
    """Move the five sets along the error. Tiny errors are steps of 0: a branch is slower."""
    a, b, c, d, e = sets
    step = splat(((error * rate) >> i64(8)) * i64(abs(error) > SURE))
    for j in range(0, INPUTS, LANES):
        i = u64(j)
        move = load(x, i) * step + splat(_HALF) >> splat(_UNIT)
        store(weights, a + i, load(weights, a + i) + move)
        store(weights, b + i, load(weights, b + i) + move)
        store(weights, c + i, load(weights, c + i) + move)
        store(weights, d + i, load(weights, d + i) + move)
        store(weights, e + i, load(weights, e + i) + move)


@inlined
def taught(scores: Int, weights: Int, step: Int) -> Int:
    """Vector: scores after a bit, by the sums of their inputs' weights."""
    after = scores + ((weights >> splat(6 + FINE)) * splat(step) + splat(2) >> splat(2))
    return least(most(after, splat(-BOUND)), splat(BOUND))


@inlined
def teach(
    rich: Row, lean: Row, scores: Row, zero: Row, matches: Row, base: Int, slots: Row, node: Int, partial: Int,
    hit: Int, x: Row, low: Int, high: Int, step: Int, bit: Int,
) -> None:  # fmt: skip
    """What a bit teaches all that gives inputs, whose weights were `low` and `high`.

    Contexts that share a node, by chance, make the same of it.
    """
    store(x, u64(ENTRIES), taught(load(x, u64(ENTRIES)), low, step))
    store(x, u64(ENTRIES + LANES), taught(load(x, u64(ENTRIES + LANES)), high, step))
    if hit:
        matches[hit] = x[ENTRIES + MATCH]
    zero[u64(partial)] = moved((zero[u64(partial)] & u32(0xFFFFFC00)) | u32(ZERO_COUNT), bit)
    learn_cells(x, bit)
    for i in range(u64(CONTEXTS)):
        history = u64(x[u64(PASTS) + i]) & u64(255)
        after_it = MOVES[u64(2) * history + u64(bit)]
        scores[base + ((i << u64(8)) | history)] = x[u64(ENTRIES) + i]
        if i < u64(RICH):
            rich[slots[i] + node] = u32(x[u64(MOVED_CELLS) + i]) | u32(after_it)
        else:
            lean[slots[i] + node] = after_it


@kernel
def run_twelve(
    rich: Row, lean: Row, scores: Row, weights: Row, apm: Row, zero: Row, matches: Row, places: Row, memory: Row,
    window: Row, symbols: Row, end: Int, depth: Int, mode: Int, buffer: Row, size: Int,
) -> Int:  # fmt: skip
    """As `stackc_mixing.kernels.run`."""
    rich, lean, scores, weights, apm, zero, matches, places, memory, window, symbols, buffer = borrowed(
        (rich, lean, scores, weights, apm, zero, matches, places, memory, window, symbols, buffer)
    )
    x, hashes, slots = local(SCRATCH, np.int32), local(HASHES, np.uint32), local(SEEKS, np.uint64)
    masks, coder, ahead = local(SEEKS, np.uint32), local(CODER_STATE, np.int64), local(MEMORY, np.int64)
    slot_masks(TWELVE, rich, lean, masks)
    start_coder(coder, buffer, size, mode == DECODE)
    top, look = u32(1) << u32(depth), max(depth - 2, (depth - 1) & -4)
    sought = (TWELVE, rich, lean, weights, apm, places, masks, hashes)
    key = seek_symbol(TWELVE, rich, lean, weights, apm, places, memory, masks, hashes, symbols, memory[AT], depth)
    for at in range(memory[AT], end):
        source, length, expected, order, last = open_symbol(sought, memory, slots, window, symbols, at, key, depth, 0)
        places[key] = len(window) + at
        pair, place = u32(hashes[len(TWELVE.order_2)]), place_of(symbols, at, depth, memory)
        base = place[0] * u64(256 * CONTEXTS)
        rate = TWELVE.rate + TWELVE.rate_more // (1 + (memory[SEEN_BITS] >> TWELVE.rate_bits))
        score_rate = SCORE_RATE + SCORE_RATE_MORE // (1 + (memory[SEEN_BITS] >> SCORE_RATE_BITS))
        symbol, partial, guess = u32(0) if mode == DECODE else u32(symbols[at]), u32(1), u32(0)
        for k in range(depth):
            turn_slots(TWELVE, rich, lean, masks, hashes, slots, partial, k, depth)
            row, _ = rows_of(last, u32(0), partial)
            node = node_of(partial, k)
            fetch_rows(TWELVE, apm, apm, weights, row, last, pair, partial, k, depth)
            scored_inputs(rich, lean, scores, zero, base, slots, node, partial, x)
            hit, near = scored_match(matches, expected, length, partial, depth - k, x)
            length = length if hit else i64(0)
            sets = sets_of(order, near, place, pair, partial, k)
            low, high = summed(weights, sets, u64(0)), summed(weights, sets, u64(LANES))
            stretched = mixed(x, low, high)
            bit = i64(stretched > 0) if mode == DECODE else i64(symbol >> u32(depth - 1 - k)) & 1
            if k & 3 == 2 and k + 2 < depth:  # what is likely, now, and what is so, one decision later
                seek_slots(TWELVE, rich, lean, masks, hashes, (partial << u32(1)) | u32(bit))
            if k == look:
                guess = symbol | top
                if mode == DECODE:
                    guess = guessed(TWELVE, rich, slots, node, partial, bit, depth - k, symbols, at, top)
                key = expect(sought, memory, window, symbols, at, depth, source, length, ahead)
            elif k > look:
                fetch_copied(window, symbols, i64(places[key]) - 1)
            p, point = refined_once(apm, row, stretched)
            if mode != LEARN:
                bit = code_bit(coder, buffer, p, bit)
            error = (-bit & i64(65535)) - i64(SQUASH[u64(stretched + SPAN)])
            teach(
                rich, lean, scores, zero, matches, base, slots, node, partial, hit, x, low, high,
                (error * score_rate) >> i64(10), bit,
            )  # fmt: skip
            correct(x, weights, sets, error, rate)
            learn_point(apm, row, point, bit)
            partial = (partial << u32(1)) | u32(bit)
        if partial != guess:
            symbols[at] = partial ^ top
            key = expect(sought, memory, window, symbols, at, depth, source, length, ahead)
        recall(memory, ahead)
    return finish_coder(coder, buffer) if mode == ENCODE else 0


@kernel
def tree_twelve(
    rich: Row, lean: Row, scores: Row, weights: Row, apm: Row, zero: Row, matches: Row, places: Row, memory: Row,
    window: Row, symbols: Row, depth: Int, out: Row,
) -> None:  # fmt: skip
    """As `stackc_mixing.kernels.tree`."""
    rich, lean, scores, weights, apm, zero, matches, places, memory, window, symbols, out = borrowed(
        (rich, lean, scores, weights, apm, zero, matches, places, memory, window, symbols, out)
    )
    x, hashes, slots = local(SCRATCH, np.int32), local(HASHES, np.uint32), local(SEEKS, np.uint64)
    masks = local(SEEKS, np.uint32)
    slot_masks(TWELVE, rich, lean, masks)
    at = memory[AT]
    key = seek_symbol(TWELVE, rich, lean, weights, apm, places, memory, masks, hashes, symbols, at, depth)
    sought = (TWELVE, rich, lean, weights, apm, places, masks, hashes)
    _, length, expected, order, last = open_symbol(sought, memory, slots, window, symbols, at, key, depth, 1)
    pair, place = u32(hashes[len(TWELVE.order_2)]), place_of(symbols, at, depth, memory)
    base = place[0] * u64(256 * CONTEXTS)
    for k in range(depth):
        for number in range(1 << k, 2 << k):
            partial = u32(number)
            if k > 3:
                # The slots of these four decisions, opened by the bits before them.
                opening = u32(partial >> u32(k & 3))
                seek_slots(TWELVE, rich, lean, masks, hashes, opening >> u32(1))
                open_slots(TWELVE, rich, lean, hashes, slots, opening & u32(1), 1)
            row, _ = rows_of(last, u32(0), partial)
            scored_inputs(rich, lean, scores, zero, base, slots, node_of(partial, k), partial, x)
            _, near = scored_match(matches, expected, length, partial, depth - k, x)
            sets = sets_of(order, near, place, pair, partial, k)
            stretched = mixed(x, summed(weights, sets, u64(0)), summed(weights, sets, u64(LANES)))
            out[partial] = refined_once(apm, row, stretched)[0]
