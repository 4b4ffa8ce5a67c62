"""How the slots of a window are shared: the rule of docs/concepts.md, compiled. `twin` is the same rule to read.

A *row* is uint32[A], the frequencies of the next symbol. `table` is a windowing's table of cuts, int32[S, A], or
`NO_TABLE`. If it cuts, a row is copied with zeros for the symbols that are cut (`masked`), and the rule is applied
to the copy. No product exceeds 2^62.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stackc.api import CUT, PRECISION, kernel
from stackc_coders.twin import MIN_RANGE, REFILL_BITS

NO_TABLE = np.zeros((0, 0), np.int32)
"""No table of cuts."""

Int = Any  # an int64
Row = Any  # an array, or a row of one


@kernel
def refill_bits(span: Int, resolved: Int, bits: Int) -> Int:
    """The number of bits to resolve next, at a range of span + 1; 0 if there are no more."""
    return 0 if span + 1 >= MIN_RANGE else min(REFILL_BITS, bits - resolved)


@kernel
def ended(table: Row, place: Int) -> bool:
    """Whether the table cuts before every symbol in this state: the window is complete."""
    if len(table) == 0:
        return False
    going = False
    for s in range(table.shape[1]):
        going |= table[place, s] != CUT
    return not going


@kernel
def masked(freqs: Row, table: Row, place: Int, out: Row) -> Int:
    """Copy a row without the symbols that the table cuts in this state. Returns the sum of what is left."""
    total = np.int64(0)
    for s in range(len(freqs)):
        out[s] = 0 if table[place, s] == CUT else freqs[s]
        total += out[s]
    return total


@kernel
def shares(freqs: Row, whole: Int, span: Int, first: bool) -> tuple[Int, Int, Int]:
    """How `span` slots are shared: (least frequency in reach, the only symbol or -1, sum of the frequencies).

    `whole`: the sum of the row, 2^24 if nothing is cut.
    """
    if first or 2 * span >= whole or span == 0:
        return 0, -1, whole
    least = (whole + 2 * span - 1) // (2 * span)
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
def slots_of(freqs: Row, whole: Int, symbol: Int, span: Int, first: bool) -> tuple[Int, Int]:
    """(start, end) of a symbol's slots; equal if it does not fit."""
    least, only, total = shares(freqs, whole, span, first)
    before = np.int64(0)
    for s in range(symbol):
        before += weight(freqs, s, least, only)
    after = before + weight(freqs, symbol, least, only)
    alphabet = len(freqs)
    return edge(before, symbol, span, total, alphabet, first), edge(after, symbol + 1, span, total, alphabet, first)


@kernel
def symbol_at(freqs: Row, whole: Int, slot: Int, span: Int, first: bool) -> tuple[Int, Int, Int]:
    """(symbol, start, end): whose slots hold `slot`, 0 <= slot < span."""
    least, only, total = shares(freqs, whole, span, first)
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
