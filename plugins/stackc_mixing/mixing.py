"""The inputs weighted and mixed, refined, and the weights corrected after the bit."""

from __future__ import annotations

from typing import Any

from stackc.api import inlined
from stackc_mixing.contexts import hashed
from stackc_mixing.layout import (
    BY_ORDER,
    BY_PAIR,
    BY_PARTIAL,
    INPUTS,
    PAIRS,
    SURE,
    Int,
    Row,
    i32,
    i64,
    u32,
    u64,
)
from stackc_mixing.tables import SPAN, SQUASH
from stackc_mixing.vectors import LANES, load, splat, store, total


@inlined
def weight_sets(order: Int, near: Int, last: Int, pair: Int, partial: Int, k: Int) -> Any:
    """Where the three sets of weights begin."""
    by_order = u64(BY_ORDER + (order * 4 + near) * 16 + (k & 7) + (8 if last >= u64(128) else 0))
    by_partial = u64(BY_PARTIAL) + (u64(partial) & u64(255))
    by_pair = u64(BY_PAIR) + (u64(hashed(pair, u32(k))) & u64(PAIRS - 1))
    return by_order * u64(INPUTS), by_partial * u64(INPUTS), by_pair * u64(INPUTS)


@inlined
def dot(x: Row, weights: Row, begin: Int) -> Int:
    """The weighted sum of the inputs, a stretched probability.

    Products are shortened before they are added: 24 of 31 bits would not fit.
    """
    lanes = splat(0)
    for j in range(0, INPUTS, LANES):
        lanes = lanes + (load(x, u64(j)) * load(weights, begin + u64(j)) >> splat(8))
    return min(max(i32(total(lanes) >> i32(8)), i32(-SPAN)), i32(SPAN))


@inlined
def mixed(second: Row, f: Int, da: Int, db: Int, dc: Int) -> Int:
    """The three sets' answers, weighted by `partial`."""
    total = (i64(da) * second[f] + i64(db) * second[f + u64(1)] + i64(dc) * second[f + u64(2)]) >> i64(16)
    return min(max(total, i64(-SPAN)), i64(SPAN))


@inlined
def refined(apm_1: Row, apm_2: Row, row_1: Int, row_2: Int, stretched: Int) -> Any:
    """(probability; place in a row, in sixteenths of a point): half of what was mixed, a quarter of each refinement."""
    # 2 % less than 16 * (POINTS - 1) / (2 SPAN + 1), over 2^20: the whole of it compressed no better.
    point = u64((stretched + SPAN) * 89540) >> u64(20)
    low, part = point >> u64(4), i64(point & u64(15))
    p = i64(SQUASH[u64(stretched + SPAN)]) * 32
    p += i64(apm_1[row_1 + low]) * (16 - part) + i64(apm_1[row_1 + low + u64(1)]) * part
    p += i64(apm_2[row_2 + low]) * (16 - part) + i64(apm_2[row_2 + low + u64(1)]) * part
    return min(max(p >> i64(6), i64(1)), i64(65535)), point


@inlined
def correct(x: Row, weights: Row, begin: Int, answer: Int, bit: Int, rate: Int) -> None:
    """Move a set of weights along the error of its own answer. Tiny errors are steps of 0: a branch is slower."""
    error = (-bit & i64(65535)) - i64(SQUASH[u64(answer + SPAN)])
    step = splat(((error * rate) >> i64(8)) * i64(abs(error) > SURE))
    for j in range(0, INPUTS, LANES):
        corrected = load(weights, begin + u64(j)) + (load(x, u64(j)) * step + splat(1 << 13) >> splat(14))
        store(weights, begin + u64(j), corrected)
