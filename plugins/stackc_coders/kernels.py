"""The slot rule over lanes, compiled: signed 64-bit integers only. `twin` is the same rule to read.

Legend: L lanes, A alphabet, K chosen lanes. `bits` is W, or UNBOUNDED without a bit budget. No product exceeds
2^62. A window's low has n bits, n without bound, and is kept as

    low = digits[0] digits[1] ... digits[d - 1] tail        n = 8 d + t, t = 38 .. 45 (n where n < 38)

where only the tail is computed with; carries out of the tail go into the digits. Integers of Python would need no
digits, but numba has only those of 64 bits, and a window without a bit budget has codes of any length.
A decoder needs no low, only the distance of the code above it, and low mod 2^38 to find where a full window ends.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stackc.api import CUT, TOTAL, kernel
from stackc_coders.slot_kernels import edge, ended, masked, refill_bits, shares, slots_of, symbol_at, weight
from stackc_coders.twin import REFILL_BITS, START_BITS

UNBOUNDED = 1 << 62
"""The `bits` of windows without a bit budget."""

LOW, RANGE, RESOLVED, COUNT, PLACE = 0, 1, 2, 3, 4
"""Columns of a lane's state: low (the tail; mod 2^38 when decoding), range, n, symbols in the window, and the state of
the table of cuts."""

ABOVE, START, END = 5, 6, 7
"""Further columns when decoding: code - low; the bits where the window starts and where zeros begin."""

ENCODER_COLUMNS, DECODER_COLUMNS = 5, 8

TAIL_BYTES = 6
"""Bytes that hold any tail."""

_LOW_MASK = (1 << START_BITS) - 1

Int = Any  # an int64
Row = Any  # an array, or a row of one: uint32[A], or a lane's int64 state


@kernel
def full_bits(low: Int, span: Int, resolved: Int, token_bits: Int) -> tuple[Int, Int]:
    """(m, up): a full window without a bit budget is the first m bits of low + up. low: at least its last 38 bits."""
    m = max(1, -((START_BITS - resolved) // token_bits)) * token_bits
    while m < resolved:
        unit = np.int64(1) << (resolved - m)
        up = -low & (unit - 1)
        if up + unit <= span + 1:
            return m, up
        m += token_bits
    return m, 0


@kernel
def read_bits(tokens: Row, token_bits: Int, at: Int, end: Int, count: Int) -> Int:
    """`count` bits starting at bit `at`, most significant first; zeros starting at bit `end`. count <= 62."""
    value = np.int64(0)
    while count > 0:
        offset = at % token_bits
        step = min(token_bits - offset, count)
        piece = np.int64(0)
        if at < end:
            piece = (np.int64(tokens[at // token_bits]) >> (token_bits - offset - step)) & ((np.int64(1) << step) - 1)
        value = value << step | piece
        at += step
        count -= step
    return value


# --------------------------------------------------------------------------------------------------
# Encoding


@kernel
def tail_bits(resolved: Int) -> Int:
    return resolved if resolved <= START_BITS else START_BITS + (resolved - START_BITS) % REFILL_BITS


@kernel
def raise_low(state: Row, digits: Row, amount: Int) -> None:
    """low += amount."""
    t = tail_bits(state[RESOLVED])
    low = state[LOW] + amount
    state[LOW] = low & ((np.int64(1) << t) - 1)
    if low >> t:
        d = (state[RESOLVED] - t) // 8 - 1
        while digits[d] == 255:
            digits[d] = 0
            d -= 1
        digits[d] += 1


@kernel
def refill(state: Row, digits: Row, bits: Int) -> None:
    count = refill_bits(state[RANGE] - 1, state[RESOLVED], bits)
    while count > 0:
        t = tail_bits(state[RESOLVED])
        low = state[LOW] << count
        if t + count > tail_bits(state[RESOLVED] + count):  # the tail's top byte becomes a digit
            digits[(state[RESOLVED] - t) // 8] = low >> START_BITS
            low &= _LOW_MASK
        state[LOW] = low
        state[RANGE] <<= count
        state[RESOLVED] += count
        count = refill_bits(state[RANGE] - 1, state[RESOLVED], bits)


@kernel
def start_window(state: Row, bits: Int) -> None:
    state[LOW] = 0
    state[RESOLVED] = min(bits, START_BITS)
    state[RANGE] = np.int64(1) << state[RESOLVED]
    state[COUNT] = state[PLACE] = 0


@kernel
def add_symbol(state: Row, digits: Row, freqs: Row, symbol: Int, bits: Int, table: Row, scratch: Row) -> bool:
    """Code one symbol; False, and the same interval, if it does not fit. `scratch`: uint32[A], for a masked row."""
    row, whole, first = freqs, np.int64(TOTAL), state[COUNT] == 0
    if len(table) and not first:
        if table[state[PLACE], symbol] == CUT:
            return False
        row, whole = scratch, masked(freqs, table, state[PLACE], scratch)
    refill(state, digits, bits)
    start, end = slots_of(row, whole, symbol, state[RANGE] - 1, first)
    if start == end:
        return False
    raise_low(state, digits, 1 + start)
    state[RANGE] = end - start
    state[COUNT] += 1
    if len(table):
        state[PLACE] = table[state[PLACE], symbol]
    return True


@kernel
def close_window(state: Row, digits: Row, full: bool, bits: Int, token_bits: Int, table: Row, out: Row, at: Int) -> Int:
    """Write the window's tokens to out[at:end], start a new window, and return `end`."""
    if bits < UNBOUNDED:
        m = bits
    elif full or ended(table, state[PLACE]):
        m, up = full_bits(state[LOW], state[RANGE] - 1, state[RESOLVED], token_bits)
        raise_low(state, digits, up)
    else:
        refill(state, digits, bits)
        m = state[RESOLVED]
    t = tail_bits(state[RESOLVED])
    whole = (state[RESOLVED] - t) // 8
    tail = state[LOW] << (8 * TAIL_BYTES - t)
    for i in range(TAIL_BYTES):
        digits[whole + i] = (tail >> (8 * (TAIL_BYTES - 1 - i))) & 255
    end = at + (m + token_bits - 1) // token_bits
    position = 0
    for i in range(at, end):
        out[i] = read_bits(digits, 8, position, 8 * (whole + TAIL_BYTES), token_bits)
        position += token_bits
    start_window(state, bits)
    return end


@kernel
def add_lanes(state: Row, digits: Row, freqs: Row, symbols: Row, bits: Int, table: Row, fits: Row) -> None:
    """One symbol in every lane that has one (>= 0). freqs: uint32[L, A], or one row for all lanes."""
    scratch = np.empty(table.shape[1], np.uint32)
    for lane in range(len(symbols)):
        if symbols[lane] >= 0:
            row = freqs[lane if len(freqs) > 1 else 0]
            fits[lane] = add_symbol(state[lane], digits[lane], row, symbols[lane], bits, table, scratch)


@kernel
def close_lanes(
    state: Row, digits: Row, lanes: Row, full: Row, bits: Int, token_bits: Int, table: Row, out: Row, counts: Row
) -> Int:
    """Close the windows of K lanes: all tokens into `out`, their numbers into `counts`. Returns the number of all."""
    at = 0
    for i in range(len(lanes)):
        end = close_window(state[lanes[i]], digits[lanes[i]], full[i], bits, token_bits, table, out, at)
        counts[i] = end - at
        at = end
    return at


@kernel
def run_lane(
    state: Row, digits: Row, freqs: Row, symbols: Row, cuts: Row, budget: Int, bits: Int, token_bits: Int,
    table: Row, out: Row, lengths: Row,
) -> tuple[Int, Int]:  # fmt: skip
    """Code symbols one after another in one lane, closing windows as they fill: (tokens, windows) written."""
    at = windows = 0
    scratch = np.empty(table.shape[1], np.uint32)
    for i in range(len(symbols)):
        row = freqs[i if len(freqs) > 1 else 0]
        length = state[COUNT]
        if (cuts[i] and length > 0) or not add_symbol(state, digits, row, symbols[i], bits, table, scratch):
            lengths[windows] = length
            windows += 1
            at = close_window(state, digits, False, bits, token_bits, table, out, at)
            add_symbol(state, digits, row, symbols[i], bits, table, scratch)
        if state[COUNT] == budget:
            lengths[windows] = budget
            windows += 1
            at = close_window(state, digits, True, bits, token_bits, table, out, at)
    return at, windows


# --------------------------------------------------------------------------------------------------
# Decoding


@kernel
def open_window(state: Row, tokens: Row, first: Int, last: Int, bits: Int, token_bits: Int) -> None:
    """Start a window in one lane, at token `first`; zeros starting at token `last`."""
    start_window(state, bits)
    state[START] = first * token_bits
    state[END] = last * token_bits
    state[ABOVE] = read_bits(tokens, token_bits, state[START], state[END], state[RESOLVED])


@kernel
def open_lanes(state: Row, tokens: Row, lanes: Row, starts: Row, ends: Row, bits: Int, token_bits: Int) -> None:
    """Start a window in each of K lanes, at token starts[i]; zeros starting at token ends[i]."""
    for i in range(len(lanes)):
        open_window(state[lanes[i]], tokens, starts[i], ends[i], bits, token_bits)


@kernel
def next_symbol(state: Row, tokens: Row, freqs: Row, bits: Int, token_bits: Int, table: Row, scratch: Row) -> Int:
    """The next symbol of one lane, -1 if its window ends here. `scratch`: uint32[A], for a masked row."""
    row, whole, first = freqs, np.int64(TOTAL), state[COUNT] == 0
    if len(table) and not first:
        row, whole = scratch, masked(freqs, table, state[PLACE], scratch)
        if whole == 0:
            return -1  # the table cuts before every symbol
    count = refill_bits(state[RANGE] - 1, state[RESOLVED], bits)
    while count > 0:
        if bits == UNBOUNDED and state[RESOLVED] + count > state[END] - state[START] + START_BITS:
            return -1  # tokens that no encoder wrote: the text has run into the zeros after them
        more = read_bits(tokens, token_bits, state[START] + state[RESOLVED], state[END], count)
        state[ABOVE] = state[ABOVE] << count | more
        state[LOW] = (state[LOW] << count) & _LOW_MASK
        state[RANGE] <<= count
        state[RESOLVED] += count
        count = refill_bits(state[RANGE] - 1, state[RESOLVED], bits)
    if state[ABOVE] == 0:
        return -1
    symbol, start, end = symbol_at(row, whole, state[ABOVE] - 1, state[RANGE] - 1, first)
    state[ABOVE] -= 1 + start
    state[LOW] = (state[LOW] + 1 + start) & _LOW_MASK
    state[RANGE] = end - start
    state[COUNT] += 1
    if len(table):
        state[PLACE] = table[state[PLACE], symbol]
    return symbol


@kernel
def next_lanes(
    state: Row, tokens: Row, freqs: Row, active: Row, bits: Int, token_bits: Int, table: Row, out: Row
) -> None:
    """The next symbol of every active lane. freqs: uint32[L, A], or one row for all lanes."""
    scratch = np.empty(table.shape[1], np.uint32)
    for lane in range(len(active)):
        if active[lane]:
            row = freqs[lane if len(freqs) > 1 else 0]
            out[lane] = next_symbol(state[lane], tokens, row, bits, token_bits, table, scratch)


@kernel
def used_tokens(state: Row, full: bool, bits: Int, token_bits: Int) -> Int:
    """The number of tokens in the window of one lane; never more than there are. `full`: its end needs no mark."""
    m = state[RESOLVED] if bits == UNBOUNDED else bits
    if bits == UNBOUNDED and full:
        m, _ = full_bits(state[LOW], state[RANGE] - 1, state[RESOLVED], token_bits)
    return min((m + token_bits - 1) // token_bits, (state[END] - state[START]) // token_bits)


@kernel
def used_lanes(state: Row, lanes: Row, full: Row, bits: Int, token_bits: Int, table: Row, out: Row) -> None:
    """The number of tokens in the windows of K lanes."""
    for i in range(len(lanes)):
        lane = state[lanes[i]]
        out[i] = used_tokens(lane, full[i] or ended(table, lane[PLACE]), bits, token_bits)


# --------------------------------------------------------------------------------------------------
# Compiling


@kernel
def spread(
    freqs: Row, lows: Row, ranges: Row, places: Row, table: Row, first: bool, full: bool, parent: Row, symbol: Row,
    lanes: Row, child_lows: Row, child_ranges: Row, child_places: Row,
) -> Int:  # fmt: skip
    """Write the children of K texts into the dictionary; list those that have their own children.

    Args:
        freqs: uint32[K, A], each text's next symbols.
        lows: int64[K], the texts' codes; ranges: int64[K], how many codes each and its extensions have.
        places: int64[K], the states of the table of cuts after each.
        first: the texts are empty. full: their children reach the symbol budget.
        parent, symbol: int32[2^W], the dictionary.
        lanes, child_lows, child_ranges, child_places: int64, filled: whose child, its code, its range, its state.

    Returns:
        How many are listed.
    """
    count = 0
    scratch = np.empty(table.shape[1], np.uint32)
    for i in range(len(lows)):
        row, whole = freqs[i if len(freqs) > 1 else 0], np.int64(TOTAL)
        if len(table) and not first:
            whole = masked(row, table, places[i], scratch)
            row = scratch
        span = ranges[i] - 1
        least, only, total = shares(row, whole, span, first)
        before = np.int64(0)
        start = 0
        for s in range(len(row)):
            before += weight(row, s, least, only)
            end = edge(before, s + 1, span, total, len(row), first)
            if end == start:
                continue
            low = lows[i] + 1 + start
            place = np.int64(table[places[i], s]) if len(table) else np.int64(0)
            complete = full or ended(table, place)
            # The rest of a complete text's range names that text too.
            for code in range(low, low + (end - start if complete else 1)):
                parent[code] = lows[i]
                symbol[code] = s
            if end - start > 1 and not complete:
                lanes[count] = i
                child_lows[count] = low
                child_ranges[count] = end - start
                child_places[count] = place
                count += 1
            start = end
    return count
