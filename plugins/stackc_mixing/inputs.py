"""What the contexts and the match say of the next bit, as stretched probabilities."""

from __future__ import annotations

from typing import Any

from stackc.api import inlined
from stackc_mixing.contexts import length_class
from stackc_mixing.integers import Int, Row, i32, i64, u32, u64
from stackc_mixing.layout import (
    CELL_RATES,
    CELLS,
    CONFIDENCE,
    ENTRIES,
    ENTRY_RATES,
    FEW_ENTRIES,
    FEW_PASTS,
    MAP_RATES,
    MOST_MAP,
    NOT_EMPTY,
    PASTS,
    RATES,
    SCORE_BITS,
)
from stackc_mixing.shapes import TWELVE, Shape, Size
from stackc_mixing.tables import STRETCH

MATCH = len(TWELVE.contexts) + len(TWELVE.rich)
"""The input of the match in the model with twelve contexts: after those of histories and of rich nodes."""


@inlined
def map_input(shape: Shape, maps: Row, i: Int, history: Int, x: Row) -> None:
    """The input of a context's history: nothing if that is empty, by a mask, for a branch would be guessed wrong."""
    entry = maps[(i << u64(8)) | history]
    x[u64(PASTS) + i] = i32(history)
    x[u64(ENTRIES) + i] = i32(entry)
    x[u64(ENTRY_RATES) + i] = i32(MAP_RATES[u64(entry & u32(MOST_MAP))])
    x[u64(len(shape.rich)) + i] = STRETCH[entry >> u32(20)] & NOT_EMPTY[history]


@inlined
def context_inputs(
    shape: Shape, rich: Row, lean: Row, maps: Row, zero: Row, slots: Row, node: Int, partial: Int, x: Row
) -> None:  # fmt: skip
    """Of each rich context its own probability, as far as it has seen something; of every context its history's; and
    what is known without context."""
    x[len(shape.rich) + len(shape.contexts) + 2] = STRETCH[zero[u64(partial)] >> u32(20)]
    for i in range(u64(len(shape.rich))):
        map_input(shape, maps, i, rich_input(rich, i, slots[i] + node, x, i), x)
    for i in range(u64(len(shape.rich)), u64(len(shape.contexts))):
        map_input(shape, maps, i, u64(lean[slots[i] + node]), x)


@inlined
def lean_inputs(contexts: Size, lean: Row, maps: Row, slots: Row, node: Int, x: Row) -> None:
    """The inputs of all contexts of a model without rich slots."""
    for i in range(u64(len(contexts))):
        history = u64(lean[u64(slots[i]) + node])
        entry = maps[(i << u64(8)) | history]
        x[u64(FEW_PASTS) + i], x[u64(FEW_ENTRIES) + i] = i32(history), i32(entry)
        x[i] = STRETCH[entry >> u32(20)] & NOT_EMPTY[history]


@inlined
def nearness(length: Int) -> Int:
    """How near certainty a match of this length is: 1 to 3."""
    return i64(1) if length < 16 else (i64(2) if length < 32 else i64(3))


@inlined
def rich_input(rich: Row, i: Int, slot: Int, x: Row, place: Int) -> Int:
    """The input of a rich context's own probability, as far as it has seen something; its history."""
    cell = rich[slot]
    n = u64(cell >> u32(8)) & u64(63)
    x[u64(CELLS) + i] = i32(cell)
    x[u64(CELL_RATES) + i] = i32(RATES[n])
    x[place] = i32(i32(STRETCH[cell >> u32(20)] * CONFIDENCE[n]) >> i32(8))
    return u64(cell & u32(255))


@inlined
def scored_input(scores: Row, base: Int, i: Int, history: Int, x: Row) -> None:
    """The input of a context's history: its score."""
    score = scores[base + ((i << u64(8)) | history)]
    x[u64(PASTS) + i], x[u64(ENTRIES) + i] = i32(history), score
    x[i] = score >> i32(SCORE_BITS)


@inlined
def scored_inputs(
    rich: Row, lean: Row, scores: Row, zero: Row, base: Int, slots: Row, node: Int, partial: Int, x: Row
) -> None:  # fmt: skip
    """As `context_inputs`, with scores in the place of maps; they begin at `base`. All histories come first."""
    x[MATCH + 1] = STRETCH[zero[u64(partial)] >> u32(20)]
    contexts, rich_ones = u64(len(TWELVE.contexts)), u64(len(TWELVE.rich))
    for i in range(rich_ones):
        scored_input(scores, base, i, rich_input(rich, i, slots[i] + node, x, contexts + i), x)
    for i in range(rich_ones, contexts):
        scored_input(scores, base, i, u64(lean[slots[i] + node]), x)


@inlined
def scored_match(scores: Row, expected: Int, length: Int, partial: Int, left: Int, x: Row) -> Any:
    """As `match_inputs`, with one input: the score of the match's length."""
    hit, near = u64(0), i64(0)
    x[MATCH] = i32(0)
    if length > 0 and (expected >> u32(left)) == partial:
        one = (expected >> u32(left - 1)) & u32(1)
        hit = (u64(length_class(length)) << u64(1)) | u64(one)
        x[ENTRIES + MATCH] = scores[hit]
        x[MATCH] = scores[hit] >> i32(SCORE_BITS)
        near = nearness(length)
    return hit, near


@inlined
def match_inputs(hits: Row, expected: Int, length: Int, partial: Int, left: Int, x: Row, place: Int) -> Any:
    """(entry of `hits`, or 0 without a match; class of its length) and the match's two inputs.

    Args:
        expected: the symbol that followed, with a one before its first bit.
        left: decisions that are left, this one included.
        place: of the first of the inputs.
    """
    hit, near = u64(0), i64(0)
    x[place] = i32(0)
    x[place + 1] = i32(0)
    if length > 0 and (expected >> u32(left)) == partial:
        one = (expected >> u32(left - 1)) & u32(1)
        hit = (u64(length_class(length)) << u64(1)) | u64(one)
        x[place] = STRETCH[hits[hit] >> u32(20)]
        force = i32(min(length, 32) << 6)
        x[place + 1] = force if one else -force
        near = nearness(length)
    return hit, near
