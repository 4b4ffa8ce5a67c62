"""The inputs weighted and mixed, refined, and the weights corrected after the bit."""

from __future__ import annotations

from typing import Any

from stackc.api import inlined
from stackc_mixing.contexts import hashed
from stackc_mixing.integers import Int, Row, i32, i64, u32, u64
from stackc_mixing.layout import BY_ORDER, BY_PAIR, BY_PARTIAL, PAIR_AT, PAIRS, SURE
from stackc_mixing.shapes import TWELVE, Shape, Size
from stackc_mixing.tables import SPAN, SQUASH
from stackc_mixing.vectors import LANES, load, splat, store, total


@inlined
def weight_sets(shape: Shape, order: Int, near: Int, last: Int, pair: Int, partial: Int, k: Int) -> Any:
    """Where the sets of weights begin. Of two, the third place is not used."""
    by_order = u64(BY_ORDER + (order * 4 + near) * 16 + (k & 7) + (8 if last >= u64(128) else 0))
    by_partial = u64(BY_PARTIAL) + (u64(partial) & u64(255))
    by_pair = pair_set(shape, pair, k)
    inputs = u64(len(shape.inputs))
    if len(shape.sets) == 2:
        return by_order * inputs, by_pair, u64(0)
    return by_order * inputs, by_partial * inputs, by_pair


@inlined
def pair_set(shape: Shape, pair: Int, k: Int) -> Int:
    """Where the set by the last two symbols and decision k begins."""
    first = u64(PAIR_AT if len(shape.sets) == len(TWELVE.sets) else BY_PAIR)
    return (first + (u64(hashed(pair, u32(k))) & u64(PAIRS - 1))) * u64(len(shape.inputs))


@inlined
def dot(x: Row, weights: Row, begin: Int, inputs: Size) -> Int:
    """The weighted sum of the inputs, a stretched probability.

    Products are shortened before they are added: 24 of 31 bits would not fit.
    """
    lanes = splat(0)
    for j in range(0, len(inputs), LANES):
        lanes = lanes + (load(x, u64(j)) * load(weights, begin + u64(j)) >> splat(8))
    return min(max(i32(total(lanes) >> i32(8)), i32(-SPAN)), i32(SPAN))


@inlined
def answers_of(shape: Shape, x: Row, weights: Row, sets: Any) -> Any:
    """What each set of weights makes of the inputs; 0 of a set that is not there."""
    a, b, c = sets
    third = dot(x, weights, c, shape.inputs) if len(shape.sets) == 3 else i32(0)
    return dot(x, weights, a, shape.inputs), dot(x, weights, b, shape.inputs), third


@inlined
def mixed(second: Row, f: Int, answers: Any) -> Int:
    """The sets' answers, weighted by `partial`."""
    da, db, dc = answers
    total = (i64(da) * second[f] + i64(db) * second[f + u64(1)] + i64(dc) * second[f + u64(2)]) >> i64(16)
    return min(max(total, i64(-SPAN)), i64(SPAN))


@inlined
def point_of(stretched: Int) -> Int:
    """The place in a row of a refinement, in sixteenths of a point."""
    # 2 % less than 16 * (POINTS - 1) / (2 SPAN + 1), over 2^20: the whole of it compressed no better.
    return u64((stretched + SPAN) * 89540) >> u64(20)


@inlined
def between(apm: Row, row: Int, point: Int) -> Int:
    """What a refinement's row says at a place, over 2^20."""
    low, part = point >> u64(4), i64(point & u64(15))
    return i64(apm[row + low]) * (16 - part) + i64(apm[row + low + u64(1)]) * part


@inlined
def refined_once(apm: Row, row: Int, stretched: Int) -> Any:
    """(probability; place in a row): half of what was mixed, half of the refinement."""
    point = point_of(stretched)
    p = i64(SQUASH[u64(stretched + SPAN)]) * 16 + between(apm, row, point)
    return min(max(p >> i64(5), i64(1)), i64(65535)), point


@inlined
def refined(shape: Shape, apm_1: Row, apm_2: Row, row_1: Int, row_2: Int, stretched: Int) -> Any:
    """(probability; place in a row, in sixteenths of a point): half of what was mixed, a quarter of each refinement."""
    if len(shape.refinements) == 1:
        return refined_once(apm_1, row_1, stretched)
    point = point_of(stretched)
    p = i64(SQUASH[u64(stretched + SPAN)]) * 32 + between(apm_1, row_1, point) + between(apm_2, row_2, point)
    return min(max(p >> i64(6), i64(1)), i64(65535)), point


@inlined
def correct(x: Row, weights: Row, begin: Int, inputs: Size, answer: Int, bit: Int, rate: Int) -> None:
    """Move a set of weights along the error of its own answer. Tiny errors are steps of 0: a branch is slower."""
    error = (-bit & i64(65535)) - i64(SQUASH[u64(answer + SPAN)])
    step = splat(((error * rate) >> i64(8)) * i64(abs(error) > SURE))
    for j in range(0, len(inputs), LANES):
        corrected = load(weights, begin + u64(j)) + (load(x, u64(j)) * step + splat(1 << 13) >> splat(14))
        store(weights, begin + u64(j), corrected)


@inlined
def correct_all(shape: Shape, x: Row, weights: Row, sets: Any, answers: Any, bit: Int, rate: Int) -> None:
    """Move each set along the error of its own answer."""
    a, b, c = sets
    da, db, dc = answers
    correct(x, weights, a, shape.inputs, da, bit, rate)
    correct(x, weights, b, shape.inputs, db, bit, rate)
    if len(shape.sets) == 3:
        correct(x, weights, c, shape.inputs, dc, bit, rate)
