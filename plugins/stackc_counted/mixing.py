"""Frequencies out of counts: the kernels. `twin` is the same rule to read.

The longest context that has been counted speaks first and hands on what its discounts leave to the next shorter one,
down to the symbols' own counts: interpolated Kneser-Ney smoothing (Chen and Goodman, 1998) in integers. Shares are
differences of rounded cumulative counts, so nothing is lost on the way and every row sums to T without a last
correction.

Legend: L lanes, A alphabet, K order, n symbols. A trie is its table uint32[N + 1, 4], see `trie`. A
*node row* is int64[1 + K]: the node of the text since the restart in the anchored trie, then of the last 1 .. K
symbols in the free one; -1 if the text is in no node.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stackc.api import TOTAL, inlined, kernel
from stackc_counted.trie import COUNT, FIRST, SYMBOL, TOTAL_COUNT, UNIT, WEIGHT, Trie

DISCOUNTS = np.array([13, 21, 27, 35, 42, 51, 64, 80, 96, 128])
"""What a count gives up to the shorter context, in sixteenths, for counts of 1, 2, 3, 4-7, 8-15, ... 256 and more.

Fitted by hand to held-out English; a discount that grows with the count does better than one that does not.
"""

BASE_BITS = 30
"""The cumulative counts that every symbol falls back to sum to 2^30."""

SHARE_BITS = 32
"""A share is a count times the mass left, over the context's count, in 32 fractional bits."""

Int = Any
Row = Any


@kernel
def child(trie: Row, node: Int, symbol: Int) -> Int:
    """The node of a text and one more symbol, -1 if that was not counted. By bisection."""
    low, high = np.int64(trie[node, FIRST]), np.int64(trie[node + 1, FIRST])
    end = high
    while low < high:
        middle = (low + high) >> 1
        if trie[middle, SYMBOL] < symbol:
            low = middle + 1
        else:
            high = middle
    return low if low < end and trie[low, SYMBOL] == symbol else -1


@kernel
def advance(anchored: Row, free: Row, nodes: Row, symbol: Int) -> None:
    """Move a node row on by a symbol; a negative one empties the context."""
    order = len(nodes) - 1
    if symbol < 0:
        nodes[:] = -1
        nodes[0] = 0
        return
    if nodes[0] >= 0:
        nodes[0] = child(anchored, nodes[0], symbol)
    for k in range(order, 0, -1):
        before = 0 if k == 1 else nodes[k - 1]
        nodes[k] = child(free, before, symbol) if before >= 0 else -1


@kernel
def weight(count: Int) -> Int:
    """A count in sixteenths, less its discount; 0 of 0. Never negative."""
    if count <= 3:
        return UNIT * count - DISCOUNTS[count - 1] if count > 0 else 0
    bucket = 3
    larger = count >> 3
    while larger > 0 and bucket < len(DISCOUNTS) - 1:
        larger >>= 1
        bucket += 1
    return UNIT * count - DISCOUNTS[bucket]


def discounted(trie: Trie) -> Trie:
    """The same trie, its counts turned into weights, in place."""
    weigh(trie.table)
    return trie


@kernel
def weigh(table: Row) -> None:
    for node in range(len(table) - 1):
        table[node, WEIGHT] = weight(np.int64(table[node, COUNT]))


@kernel
def share(trie: Row, node: Int, mass: Int, row: Row) -> Int:
    """Give the symbols seen after a context their part of `mass`, added to row; what is left of it."""
    start, end = np.int64(trie[node, FIRST]), np.int64(trie[node + 1, FIRST])
    if start == end:
        return mass
    unit = (mass << SHARE_BITS) // (UNIT * np.int64(trie[node, TOTAL_COUNT]))
    running = given = np.int64(0)
    for i in range(start, end):
        running += np.int64(trie[i, WEIGHT])
        reached = (running * unit) >> SHARE_BITS
        row[trie[i, SYMBOL]] += reached - given
        given = reached
    return mass - given


@kernel
def share_of(trie: Row, node: Int, mass: Int, symbol: Int) -> tuple[Int, Int]:
    """(what `share` would give to one symbol, what it would leave)."""
    start, end = np.int64(trie[node, FIRST]), np.int64(trie[node + 1, FIRST])
    own = np.int64(0)
    if start == end:
        return own, mass
    unit = (mass << SHARE_BITS) // (UNIT * np.int64(trie[node, TOTAL_COUNT]))
    running = np.int64(0)
    for i in range(start, end):
        below = running
        running += np.int64(trie[i, WEIGHT])
        if trie[i, SYMBOL] == symbol:
            own = ((running * unit) >> SHARE_BITS) - ((below * unit) >> SHARE_BITS)
    return own, mass - ((running * unit) >> SHARE_BITS)


@kernel
def fill_row(anchored: Row, free: Row, base: Row, nodes: Row, row: Row) -> None:
    """The frequencies in one context: uint32[A], filled. base: int64[A + 1], cumulative, up to 2^30."""
    alphabet = len(row)
    mass = np.int64(TOTAL - alphabet)
    row[:] = 0
    if nodes[0] >= 0:
        mass = share(anchored, nodes[0], mass, row)
    for k in range(len(nodes) - 1, 0, -1):
        if nodes[k] >= 0:
            mass = share(free, nodes[k], mass, row)
    below = np.int64(0)
    for s in range(alphabet):
        reached = (base[s + 1] * mass) >> BASE_BITS
        row[s] += 1 + reached - below
        below = reached


@kernel
def one_frequency(anchored: Row, free: Row, base: Row, nodes: Row, symbol: Int) -> Int:
    """What `fill_row` gives to one symbol, without the row."""
    mass = np.int64(TOTAL - (len(base) - 1))
    total = np.int64(1)
    if nodes[0] >= 0:
        given, mass = share_of(anchored, nodes[0], mass, symbol)
        total += given
    for k in range(len(nodes) - 1, 0, -1):
        if nodes[k] >= 0:
            given, mass = share_of(free, nodes[k], mass, symbol)
            total += given
    return total + ((base[symbol + 1] * mass) >> BASE_BITS) - ((base[symbol] * mass) >> BASE_BITS)


@kernel
def step_lanes(anchored: Row, free: Row, base: Row, nodes: Row, symbols: Row, out: Row) -> None:
    """A symbol in every lane that is not idle (-2), and what may follow: nodes int64[L, 1 + K], out uint32[L, A]."""
    for lane in range(len(symbols)):  # apart from the rows, so that the visits to memory of many lanes overlap
        if symbols[lane] != -2:
            advance(anchored, free, nodes[lane], symbols[lane])
    for lane in range(len(symbols)):
        if symbols[lane] != -2:
            fill_row(anchored, free, base, nodes[lane], out[lane])


@kernel
def score_rows(anchored: Row, free: Row, base: Row, nodes: Row, inputs: Row, out: Row) -> None:
    """The rows after each input in turn (-1 empties the context): nodes int64[1 + K] moves on, out uint32[n, A]."""
    for i in range(len(inputs)):
        advance(anchored, free, nodes, inputs[i])
        fill_row(anchored, free, base, nodes, out[i])


@kernel
def pick_rows(anchored: Row, free: Row, base: Row, nodes: Row, inputs: Row, wanted: Row, out: Row) -> None:
    """The frequency of each wanted symbol in the rows that `score_rows` would give: uint32[n]."""
    for i in range(len(inputs)):
        advance(anchored, free, nodes, inputs[i])
        out[i] = one_frequency(anchored, free, base, nodes, wanted[i])


@inlined
def advance_lane(tables: tuple[Row, Row, Row], state: Row, lane: Int, symbol: Int) -> None:
    """`stackc.api.CompiledStep.advance`: state int64[L, 1 + K]."""
    advance(tables[0], tables[1], state[lane], symbol)


@inlined
def fill_lane(tables: tuple[Row, Row, Row], state: Row, lane: Int, row: Row) -> None:
    """`stackc.api.CompiledStep.fill`."""
    fill_row(tables[0], tables[1], tables[2], state[lane], row)
