"""The model with few contexts, compiled: as `stackc_mixing.kernels`, at three times the speed.

It leaves out: rich slots, contexts of columns, fields and pairs of words, two of three sets of weights, their second
mixing, one refinement, and counts of the maps.

Waiting for memory would then take much of the time. So a context of three and more symbols has all slots of one symbol
in one line of the cache, and the contexts of the next symbol are fetched while the last decision is coded, for the
symbol that is then expected.

The legend and the bounds of indices are those of `stackc_mixing.kernels`; the twin is `stackc_mixing.twins.few`.
"""

from __future__ import annotations

import numpy as np

from stackc.api import CODER_STATE, borrowed, code_bit, finish_coder, inlined, kernel, prefetch_to_write, start_coder
from stackc_mixing.contexts import before, copied, few_contexts, hashed_lanes, key_of, matched, remember
from stackc_mixing.inputs import lean_inputs, match_inputs
from stackc_mixing.integers import Int, Row, i64, u32, u64
from stackc_mixing.layout import (
    AT,
    DECODE,
    ENCODE,
    FEW,
    FEW_CONTEXTS,
    FEW_HASHES,
    FEW_INPUTS,
    FEW_MATCH,
    FEW_RATE,
    FEW_RATE_BITS,
    FEW_RATE_MORE,
    FEW_SCRATCH,
    FEW_SIZE,
    FEW_SLOTS,
    FEW_STEP,
    FEW_ZERO,
    LEARN,
    MEMORY,
    POINTS,
    SEEN_BITS,
)
from stackc_mixing.learning import learn_lean, learn_plain, learn_point
from stackc_mixing.mixing import correct, dot, refined_once
from stackc_mixing.registers import local
from stackc_mixing.slots import node_of, open_lean_slots, seek_lean_slots, seek_lean_symbol
from stackc_mixing.tables import STRETCH
from stackc_mixing.vectors import load, splat


@inlined
def seek_symbol(
    lean: Row, places: Row, hashes: Row, slots: Row, symbols: Row, at: Int, depth: Int, memory: Row
) -> None:
    """Where the tables say something about the symbol at `at` of the run: fetched, and not yet looked at."""
    few_contexts(symbols, at, depth, memory, hashes)
    prefetch_to_write(places, key_of(hashes[FEW], places))
    seek_lean_symbol(FEW_CONTEXTS, lean, hashes, slots, hashed_lanes(load(hashes, u64(0)), splat(u32(0))))


@inlined
def seek_slots(lean: Row, hashes: Row, slots: Row, partial: Int) -> None:
    """Where the slots of later decisions of the symbol begin. Called one decision before, without its bit."""
    seek_lean_slots(lean, hashes, slots, hashed_lanes(load(hashes, u64(0)), splat(partial)))


@inlined
def inputs_of(lean: Row, maps: Row, zero: Row, slots: Row, node: Int, partial: Int, x: Row) -> None:
    """The inputs of all contexts, and the one without."""
    lean_inputs(FEW_CONTEXTS, lean, maps, slots, node, x)
    x[FEW_ZERO] = STRETCH[zero[u64(partial)] >> u32(20)]


@inlined
def set_of(near: Int, last: Int, k: Int) -> Int:
    """Where the set of weights begins."""
    return ((u64(near) << u64(11)) | (last << u64(3)) | (u64(k) & u64(7))) * u64(FEW_INPUTS)


@inlined
def expect(
    lean: Row, places: Row, hashes: Row, slots: Row, window: Row, symbols: Row, at: Int, depth: Int, source: Int,
    length: Int, memory: Row, ahead: Row,
) -> None:  # fmt: skip
    """Seek what follows the symbol at `at` as it stands there now; `ahead` becomes what `memory` is then."""
    for i in range(u64(MEMORY)):
        ahead[i] = memory[i]
    remember(window, symbols, at, depth, source, length, ahead)
    seek_symbol(lean, places, hashes, slots, symbols, at + 1, depth, ahead)


@kernel
def run_few(
    lean: Row, maps: Row, weights: Row, apm: Row, zero: Row, hits: Row, places: Row, memory: Row, window: Row,
    symbols: Row, end: Int, depth: Int, mode: Int, buffer: Row, size: Int,
) -> Int:  # fmt: skip
    """As `stackc_mixing.kernels.run`."""
    lean, maps, weights, apm, zero, hits, places, memory, window, symbols, buffer = borrowed(
        (lean, maps, weights, apm, zero, hits, places, memory, window, symbols, buffer)
    )
    x, hashes, slots = local(FEW_SCRATCH, np.int32), local(FEW_HASHES, np.uint32), local(FEW_SLOTS, np.uint32)
    coder, ahead = local(CODER_STATE, np.int64), local(MEMORY, np.int64)
    start_coder(coder, buffer, size, mode == DECODE)
    top = u32(1) << u32(depth)
    seek_symbol(lean, places, hashes, slots, symbols, memory[AT], depth, memory)
    for at in range(memory[AT], end):
        key = key_of(hashes[FEW], places)
        open_lean_slots(FEW_CONTEXTS, lean, hashes, slots, u32(0), 0)
        source, length = matched(window, symbols, at, memory, places, key)
        expected = (copied(window, symbols, source) if length > 0 else u32(0)) | top
        last = u64(before(symbols, at, 1)) & u64(255)
        places[key] = len(window) + at
        rate = FEW_RATE + FEW_RATE_MORE // (1 + (memory[SEEN_BITS] >> FEW_RATE_BITS))
        symbol, partial, guess, bit = u32(0) if mode == DECODE else u32(symbols[at]), u32(1), i64(0), i64(0)
        for k in range(depth):
            if k > 0 and k & 3 == 0:
                open_lean_slots(FEW_CONTEXTS, lean, hashes, slots, partial & u32(1), 0)
            if k & 3 == 3 and k + 1 < depth:
                seek_slots(lean, hashes, slots, partial)
            node, row = node_of(partial, k), (u64(partial) & u64(255)) * u64(POINTS)
            hit, near = match_inputs(hits, expected, length, partial, depth - k, x, FEW_MATCH)
            length = length if hit else i64(0)
            inputs_of(lean, maps, zero, slots, node, partial, x)
            begin = set_of(near, last, k)
            answer = dot(x, weights, begin, FEW_SIZE)
            p, point = refined_once(apm, row, answer)
            bit = i64(symbol >> u32(depth - 1 - k)) & 1
            if k + 1 == depth:
                if mode == DECODE:
                    bit = i64(p) >> 15
                    symbols[at] = ((partial << u32(1)) | u32(bit)) ^ top
                guess = bit
                expect(lean, places, hashes, slots, window, symbols, at, depth, source, length, memory, ahead)
            if mode != LEARN:
                bit = code_bit(coder, buffer, p, bit)
            correct(x, weights, begin, FEW_SIZE, answer, bit, rate)
            learn_point(apm, row, point, bit)
            learn_plain(zero, partial, hits, hit, bit)
            learn_lean(FEW_CONTEXTS, FEW_STEP, lean, maps, slots, node, x, bit)
            partial = (partial << u32(1)) | u32(bit)
        if bit != guess:
            symbols[at] = partial ^ top
            expect(lean, places, hashes, slots, window, symbols, at, depth, source, length, memory, ahead)
        for i in range(u64(MEMORY)):
            memory[i] = ahead[i]
    return finish_coder(coder, buffer) if mode == ENCODE else 0


@kernel
def tree_few(
    lean: Row, maps: Row, weights: Row, apm: Row, zero: Row, hits: Row, places: Row, memory: Row, window: Row,
    symbols: Row, depth: Int, out: Row,
) -> None:  # fmt: skip
    """As `stackc_mixing.kernels.tree`."""
    lean, maps, weights, apm, zero, hits, places, memory, window, symbols, out = borrowed(
        (lean, maps, weights, apm, zero, hits, places, memory, window, symbols, out)
    )
    x, hashes, slots = local(FEW_SCRATCH, np.int32), local(FEW_HASHES, np.uint32), local(FEW_SLOTS, np.uint32)
    at = memory[AT]
    seek_symbol(lean, places, hashes, slots, symbols, at, depth, memory)
    open_lean_slots(FEW_CONTEXTS, lean, hashes, slots, u32(0), 1)
    source, length = matched(window, symbols, at, memory, places, key_of(hashes[FEW], places))
    expected = (copied(window, symbols, source) if length > 0 else u32(0)) | (u32(1) << u32(depth))
    last = u64(before(symbols, at, 1)) & u64(255)
    for k in range(depth):
        for number in range(1 << k, 2 << k):
            partial = u32(number)
            if k > 3:
                # The slots of these four decisions, opened by the bits before them.
                opening = u32(partial >> u32(k & 3))
                seek_slots(lean, hashes, slots, opening >> u32(1))
                open_lean_slots(FEW_CONTEXTS, lean, hashes, slots, opening & u32(1), 1)
            _, near = match_inputs(hits, expected, length, partial, depth - k, x, FEW_MATCH)
            inputs_of(lean, maps, zero, slots, node_of(partial, k), partial, x)
            answer = dot(x, weights, set_of(near, last, k), FEW_SIZE)
            out[partial] = refined_once(apm, (u64(partial) & u64(255)) * u64(POINTS), answer)[0]
