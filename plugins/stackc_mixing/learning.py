"""What each bit teaches the nodes of the contexts, and the maps of their histories."""

from __future__ import annotations

from typing import Any

from stackc.api import inlined
from stackc_mixing.integers import Int, Row, i32, i64, u16, u32, u64
from stackc_mixing.layout import (
    CELL_RATES,
    CELLS,
    ENTRIES,
    ENTRY_RATES,
    FEW_ENTRIES,
    FEW_PASTS,
    HIT_COUNT,
    MAP_RATES,
    MOST,
    MOST_MAP,
    MOVED_CELLS,
    PASTS,
    RATES,
    STEADY,
    ZERO_COUNT,
)
from stackc_mixing.shapes import Shape, Size
from stackc_mixing.tables import MOVES, SPAN, SQUASH
from stackc_mixing.vectors import LANES, load, shift_in_zeros, splat, store


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
def learn_contexts(shape: Shape, rich: Row, lean: Row, maps: Row, slots: Row, node: Int, x: Row, bit: Int) -> None:
    """Move the nodes of all contexts and their maps' entries.

    Two contexts may share a slot, by chance: the second learns from what the first has left there.
    """
    learn_maps(x, bit)
    learn_cells(x, bit)
    for i in range(u64(len(shape.rich))):
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
    for i in range(u64(len(shape.rich)), u64(len(shape.contexts))):
        a = slots[i] + node
        history = u64(lean[a])
        m = (i << u64(8)) | history
        lean[a] = MOVES[u64(2) * history + u64(bit)]
        maps[m] = u32(x[u64(ENTRIES) + i]) if i32(history) == x[u64(PASTS) + i] else moved(maps[m], bit)


@inlined
def learn_lean(contexts: Size, rate: Int, lean: Row, maps: Row, slots: Row, node: Int, x: Row, bit: Int) -> None:
    """The same of a model without rich slots, whose maps move by 1 / 2^rate of the error.

    Two contexts that share a node make the same of it.
    """
    p = shift_in_zeros(load(x, u64(FEW_ENTRIES)), splat(10))
    store(x, u64(FEW_ENTRIES), (p + (splat(-bit & 0x3FFFFF) - p >> splat(rate))) << splat(10))
    for i in range(u64(len(contexts))):
        history = u64(x[u64(FEW_PASTS) + i]) & u64(255)
        lean[u64(slots[i]) + node] = MOVES[u64(2) * history + u64(bit)]
        maps[(i << u64(8)) | history] = u32(x[u64(FEW_ENTRIES) + i])


@inlined
def nudged(value: Int, target: Int) -> Int:
    """A point of a refinement after a bit: a 64th of the way."""
    return u16(i64(value) + ((target - i64(value)) >> i64(6)))


@inlined
def learn_mixed(second: Row, f: Int, answers: Any, stretched: Int, bit: Int) -> None:
    """What a bit teaches the second mixing, of the sets' answers."""
    da, db, dc = answers
    error = (-bit & i64(65535)) - i64(SQUASH[u64(stretched + SPAN)])
    second[f] += i32((i64(da) * error) >> i64(14))
    second[f + u64(1)] += i32((i64(db) * error) >> i64(14))
    second[f + u64(2)] += i32((i64(dc) * error) >> i64(14))


@inlined
def learn_point(apm: Row, row: Int, point: Int, bit: Int) -> None:
    """What a bit teaches a refinement: its nearest point."""
    nearest = row + ((point + u64(8)) >> u64(4))
    apm[nearest] = nudged(apm[nearest], -bit & i64(65535))


@inlined
def learn_hit(hits: Row, hit: Int, bit: Int) -> None:
    """What a bit teaches the match's map; `hit` is 0 where the match said nothing."""
    if hit:
        hits[hit] = moved((hits[hit] & u32(0xFFFFFC00)) | u32(HIT_COUNT), bit)


@inlined
def learn_plain(zero: Row, partial: Int, hits: Row, hit: Int, bit: Int) -> None:
    """What a bit teaches the map without context and the match's."""
    zero[u64(partial)] = moved((zero[u64(partial)] & u32(0xFFFFFC00)) | u32(ZERO_COUNT), bit)
    learn_hit(hits, hit, bit)


@inlined
def learn_bit(
    shape: Shape, apm_1: Row, row_1: Int, apm_2: Row, row_2: Int, point: Int, zero: Row, partial: Int, hits: Row,
    hit: Int, bit: Int,
) -> None:  # fmt: skip
    """What a bit teaches the refinements, the map without context and the match's."""
    learn_point(apm_1, row_1, point, bit)
    if len(shape.refinements) == 2:
        learn_point(apm_2, row_2, point, bit)
    learn_plain(zero, partial, hits, hit, bit)
