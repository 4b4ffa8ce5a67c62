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

from stackc.api import PRECISION, TOTAL, kernel
from stackc_coders.twin import MIN_RANGE, REFILL_BITS, START_BITS

UNBOUNDED = 1 << 62
"""The `bits` of windows without a bit budget."""

LOW, RANGE, RESOLVED, COUNT = 0, 1, 2, 3
"""Columns of a lane's state: low (the tail; mod 2^38 when decoding), range, n, symbols in the window."""

ABOVE, START, END = 4, 5, 6
"""Further columns when decoding: code - low; the bits where the window starts and where zeros begin."""

ENCODER_COLUMNS, DECODER_COLUMNS = 4, 7

TAIL_BYTES = 6
"""Bytes that hold any tail."""

_LOW_MASK = (1 << START_BITS) - 1

Int = Any  # an int64
Row = Any  # an array, or a row of one: uint32[A], or a lane's int64 state


# --------------------------------------------------------------------------------------------------
# The rule


@kernel
def refill_bits(span: Int, resolved: Int, bits: Int) -> Int:
    """The number of bits to resolve next, at a range of span + 1; 0 if there are no more."""
    return 0 if span + 1 >= MIN_RANGE else min(REFILL_BITS, bits - resolved)


@kernel
def shares(freqs: Row, span: Int, first: bool) -> tuple[Int, Int, Int]:
    """How `span` slots are shared: (least frequency in reach, the only symbol or -1, sum of the frequencies)."""
    if first or span >= TOTAL // 2 or span == 0:
        return 0, -1, TOTAL
    least = (TOTAL + 2 * span - 1) // (2 * span)
    total, best = np.int64(0), 0
    for s in range(len(freqs)):
        if freqs[s] >= least:
            total += freqs[s]
        if freqs[s] > freqs[best]:
            best = s
    if total == 0:
        return 0, best, np.int64(freqs[best])
    return least, -1, total


@kernel
def weight(freqs: Row, s: Int, least: Int, only: Int) -> Int:
    """The frequency of symbol s if it is in reach, else 0."""
    if only >= 0:
        return np.int64(freqs[s]) if s == only else 0
    return np.int64(freqs[s]) if freqs[s] >= least else 0


@kernel
def edge(cumulative: Int, s: Int, span: Int, total: Int, alphabet: Int, first: bool) -> Int:
    """Where the slots of symbol s begin, given the sum of the frequencies before it."""
    if first:
        return s + (cumulative * (span - alphabet) >> PRECISION)
    return cumulative * span // total


@kernel
def slots_of(freqs: Row, symbol: Int, span: Int, first: bool) -> tuple[Int, Int]:
    """(start, end) of a symbol's slots; equal if it does not fit."""
    least, only, total = shares(freqs, span, first)
    before = np.int64(0)
    for s in range(symbol):
        before += weight(freqs, s, least, only)
    after = before + weight(freqs, symbol, least, only)
    alphabet = len(freqs)
    return edge(before, symbol, span, total, alphabet, first), edge(after, symbol + 1, span, total, alphabet, first)


@kernel
def symbol_at(freqs: Row, slot: Int, span: Int, first: bool) -> tuple[Int, Int, Int]:
    """(symbol, start, end): whose slots hold `slot`, 0 <= slot < span."""
    least, only, total = shares(freqs, span, first)
    alphabet = len(freqs)
    before, symbol = np.int64(0), 0
    after = weight(freqs, 0, least, only)
    if first:
        while symbol < alphabet - 1 and edge(after, symbol + 1, span, total, alphabet, first) <= slot:
            symbol += 1
            before = after
            after += weight(freqs, symbol, least, only)
    else:  # the same comparison without a division for every symbol
        while symbol < alphabet - 1 and after * span < (slot + 1) * total:
            symbol += 1
            before = after
            after += weight(freqs, symbol, least, only)
    start = edge(before, symbol, span, total, alphabet, first)
    return symbol, start, edge(after, symbol + 1, span, total, alphabet, first)


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
    state[COUNT] = 0


@kernel
def add_symbol(state: Row, digits: Row, freqs: Row, symbol: Int, bits: Int) -> bool:
    """Code one symbol; False, and the same interval, if it does not fit."""
    refill(state, digits, bits)
    start, end = slots_of(freqs, symbol, state[RANGE] - 1, state[COUNT] == 0)
    if start == end:
        return False
    raise_low(state, digits, 1 + start)
    state[RANGE] = end - start
    state[COUNT] += 1
    return True


@kernel
def close_window(state: Row, digits: Row, full: bool, bits: Int, token_bits: Int, out: Row, at: Int) -> Int:
    """Write the window's tokens to out[at:end], start a new window, and return `end`."""
    if bits < UNBOUNDED:
        m = bits
    elif full:
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
def add_lanes(state: Row, digits: Row, freqs: Row, symbols: Row, bits: Int, fits: Row) -> None:
    """One symbol in every lane that has one (>= 0). freqs: uint32[L, A], or one row for all lanes."""
    for lane in range(len(symbols)):
        if symbols[lane] >= 0:
            row = freqs[lane if len(freqs) > 1 else 0]
            fits[lane] = add_symbol(state[lane], digits[lane], row, symbols[lane], bits)


@kernel
def close_lanes(
    state: Row, digits: Row, lanes: Row, full: Row, bits: Int, token_bits: Int, out: Row, counts: Row
) -> Int:
    """Close the windows of K lanes: all tokens into `out`, their numbers into `counts`. Returns the number of all."""
    at = 0
    for i in range(len(lanes)):
        end = close_window(state[lanes[i]], digits[lanes[i]], full[i], bits, token_bits, out, at)
        counts[i] = end - at
        at = end
    return at


@kernel
def run_lane(
    state: Row, digits: Row, freqs: Row, symbols: Row, cuts: Row, budget: Int, bits: Int, token_bits: Int,
    out: Row, lengths: Row,
) -> tuple[Int, Int]:  # fmt: skip
    """Code symbols one after another in one lane, closing windows as they fill: (tokens, windows) written."""
    at = windows = 0
    for i in range(len(symbols)):
        row = freqs[i if len(freqs) > 1 else 0]
        length = state[COUNT]
        if (cuts[i] and length > 0) or not add_symbol(state, digits, row, symbols[i], bits):
            lengths[windows] = length
            windows += 1
            at = close_window(state, digits, False, bits, token_bits, out, at)
            add_symbol(state, digits, row, symbols[i], bits)
        if state[COUNT] == budget:
            lengths[windows] = budget
            windows += 1
            at = close_window(state, digits, True, bits, token_bits, out, at)
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
def next_symbol(state: Row, tokens: Row, freqs: Row, bits: Int, token_bits: Int) -> Int:
    """The next symbol of one lane, -1 if its window ends here."""
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
    symbol, start, end = symbol_at(freqs, state[ABOVE] - 1, state[RANGE] - 1, state[COUNT] == 0)
    state[ABOVE] -= 1 + start
    state[LOW] = (state[LOW] + 1 + start) & _LOW_MASK
    state[RANGE] = end - start
    state[COUNT] += 1
    return symbol


@kernel
def next_lanes(state: Row, tokens: Row, freqs: Row, active: Row, bits: Int, token_bits: Int, out: Row) -> None:
    """The next symbol of every active lane. freqs: uint32[L, A], or one row for all lanes."""
    for lane in range(len(active)):
        if active[lane]:
            row = freqs[lane if len(freqs) > 1 else 0]
            out[lane] = next_symbol(state[lane], tokens, row, bits, token_bits)


@kernel
def used_tokens(state: Row, full: bool, bits: Int, token_bits: Int) -> Int:
    """The number of tokens in the window of one lane; never more than there are."""
    m = state[RESOLVED] if bits == UNBOUNDED else bits
    if bits == UNBOUNDED and full:
        m, _ = full_bits(state[LOW], state[RANGE] - 1, state[RESOLVED], token_bits)
    return min((m + token_bits - 1) // token_bits, (state[END] - state[START]) // token_bits)


@kernel
def used_lanes(state: Row, lanes: Row, full: Row, bits: Int, token_bits: Int, out: Row) -> None:
    """The number of tokens in the windows of K lanes."""
    for i in range(len(lanes)):
        out[i] = used_tokens(state[lanes[i]], full[i], bits, token_bits)


# --------------------------------------------------------------------------------------------------
# Compiling


@kernel
def spread(
    freqs: Row, lows: Row, ranges: Row, first: bool, full: bool, parent: Row, symbol: Row,
    lanes: Row, child_lows: Row, child_ranges: Row,
) -> Int:  # fmt: skip
    """Write the children of K texts into the dictionary; list those that have children of their own.

    Args:
        freqs: uint32[K, A], each text's next symbols.
        lows: int64[K], the texts' codes; ranges: int64[K], how many codes each and its extensions have.
        first: the texts are empty. full: their children reach the symbol budget.
        parent, symbol: int32[2^W], the dictionary.
        lanes, child_lows, child_ranges: int64, filled: whose child, its code, its range.

    Returns:
        How many are listed.
    """
    count = 0
    for i in range(len(lows)):
        row = freqs[i if len(freqs) > 1 else 0]
        span = ranges[i] - 1
        least, only, total = shares(row, span, first)
        before = np.int64(0)
        start = 0
        for s in range(len(row)):
            before += weight(row, s, least, only)
            end = edge(before, s + 1, span, total, len(row), first)
            if end == start:
                continue
            low = lows[i] + 1 + start
            # What is left of a full text's range names that text too.
            for code in range(low, low + (end - start if full else 1)):
                parent[code] = lows[i]
                symbol[code] = s
            if end - start > 1 and not full:
                lanes[count] = i
                child_lows[count] = low
                child_ranges[count] = end - start
                count += 1
            start = end
    return count
