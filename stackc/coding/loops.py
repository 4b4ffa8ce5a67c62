"""The compiled loops around the kernels of a model and a coder (`stackc.api.compiled`).

The rules are those of `stackc.coding.stepping`, to the token: windows close when the next symbol does not fit, at the
symbol budget, at a forced cut and at the end of a job; contexts restart with windows or with jobs. In a step each lane
codes a symbol. All models advance before the first lane codes: so the visits to memory of many lanes overlap.

A loop returns when its output is full, or now and then, and continues where it was: all that it knows is in arrays.
Why functions that make the loops: numba compiles calls of known functions into a loop, and calls of functions that are
arguments too, but keeps only loops of the first kind (`stackc.api.kernels.composed`).

Legend: L lanes, J jobs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stackc.api.arrays import IDLE, RESTART
from stackc.api.compiled import Kernel
from stackc.api.kernels import inlined
from stackc.api.limits import TOTAL

COLUMNS = 7
JOB, AT, END, SIZE, INPUT, READ, OPEN = range(COLUMNS)
"""Columns of a lane, int64[L, 7]: its job, or -1; where it is in the symbols or tokens, and where its job ends; symbols
in the window; what the model advances by; symbols decoded in the segment; whether a window is open."""

ENTRIES = 8
NEXT, LIVE, LANE, CODED, MADE, BEGUN, WHAT, LEFT = range(ENTRIES)
"""Entries of what all lanes have in common, int64[8]: the next job; lanes that have one; the lane that comes next in
this step, -1 before the models advance; lanes' steps in this call; values and windows written in this call;
what was wrong."""

DONE, PAUSED, NO_ROOM, BAD_ROW, FIRST, TURNED_AWAY, OUTSIDE, USED = range(8)
"""Why a loop returns."""

Row = Any
Tuple = Any


@inlined
def is_row(row: Row) -> Any:
    """Whether a row is frequencies. Each is looked at: with any other a coder would leave its arrays."""
    total, zeros = 0, 0
    for s in range(len(row)):
        total += row[s]
        zeros += row[s] == 0
    return total == TOTAL and zeros == 0


@inlined
def take_job(mine: Row, control: Row, spans: Row) -> None:
    """Give a lane the next job; -1 if no job is left."""
    mine[SIZE] = mine[READ] = mine[OPEN] = 0
    mine[INPUT] = RESTART
    if control[NEXT] < len(spans):
        mine[JOB] = control[NEXT]
        mine[AT] = spans[mine[JOB], 0]
        mine[END] = spans[mine[JOB], 1]
        control[NEXT] += 1
    else:
        mine[JOB] = -1
        control[LIVE] -= 1


@inlined
def written(mine: Row, control: Row, owners: Row, begun: Row, end: Any) -> None:
    """Note a window that was closed: whose its tokens are, and where it begins."""
    for i in range(control[MADE], end):
        owners[i] = mine[JOB]
    control[MADE] = end
    begun[control[BEGUN], 0] = mine[JOB]
    begun[control[BEGUN], 1] = mine[AT] - mine[SIZE]
    control[BEGUN] += 1
    mine[SIZE] = 0


@inlined
def passed(mine: Row, control: Row, spans: Row, rules: Tuple, tokens: Any, symbol: Any) -> None:
    """Go to the next window, segment or job, after a window of this many tokens."""
    restarts, segment = rules[0], rules[2]
    mine[AT] += tokens
    mine[SIZE] = mine[OPEN] = 0
    # A window that ended before its next symbol left the row unread. If the context continues, the same row serves the
    # next window's first symbol: the model does not advance.
    mine[INPUT] = IDLE if symbol < 0 else symbol
    if mine[AT] >= mine[END]:
        take_job(mine, control, spans)
    elif mine[READ] >= segment:
        mine[READ] = 0
        mine[INPUT] = RESTART
    elif restarts:
        mine[INPUT] = RESTART


@inlined
def stay(tables: Tuple, state: Row, lane: Any, symbol: Any) -> None:
    """`CompiledStep.advance` of a model whose row is always the same."""


@inlined
def constant(tables: Tuple, state: Row, lane: Any, row: Row) -> None:
    """`CompiledStep.fill` of such a model."""
    row[:] = tables[0]


def encoding(advance: Kernel, fill: Kernel, add: Kernel, close: Kernel) -> Any:
    """The loop that encodes."""

    def encode(
        tables: Tuple, state: Any, params: Tuple, coder: Any, rules: Tuple, lanes: Row, control: Row, row: Row,
        text: Row, cuts: Row, spans: Row, out: Row, owners: Row, begun: Row,
    ) -> Any:  # fmt: skip
        """Encode symbols text[a:b] for every (a, b) of spans: int64[J, 2]; why it returned."""
        restarts, budget, boundless, window_tokens, symbol_tokens, limit = rules
        while control[LIVE] > 0:
            if control[LANE] < 0:
                if control[CODED] >= limit:
                    return PAUSED
                for lane in range(len(lanes)):
                    if lanes[lane, JOB] >= 0:
                        advance(tables, state, lane, lanes[lane, INPUT])
                control[LANE] = 0
            for lane in range(control[LANE], len(lanes)):
                mine = lanes[lane]
                if mine[JOB] < 0:
                    continue
                control[LANE] = lane
                # In a step two windows may close: the open one, and one of a single symbol.
                most = 2 * window_tokens + symbol_tokens * (mine[SIZE] + 2)
                if control[MADE] + most > len(out) or control[BEGUN] + 2 > len(begun):
                    return NO_ROOM
                control[CODED] += 1
                fill(tables, state, lane, row)
                if not is_row(row):
                    return BAD_ROW
                symbol = np.int64(text[mine[AT]])
                fits = add(params, coder, lane, row, symbol)
                if not fits:
                    if mine[SIZE] == 0 or boundless:
                        return FIRST if mine[SIZE] == 0 else TURNED_AWAY
                    written(mine, control, owners, begun, close(params, coder, lane, False, out, control[MADE]))
                    if restarts:
                        mine[INPUT] = RESTART
                        continue
                    # The context continues, so the same row codes the symbol as the first of the next window.
                    if not add(params, coder, lane, row, symbol):
                        return FIRST
                mine[AT] += 1
                mine[SIZE] += 1
                mine[INPUT] = symbol
                full, ended = mine[SIZE] == budget, mine[AT] == mine[END]
                if full or ended or (len(cuts) > 0 and cuts[mine[AT]]):
                    written(mine, control, owners, begun, close(params, coder, lane, full, out, control[MADE]))
                    if restarts:
                        mine[INPUT] = RESTART
                if ended:
                    take_job(mine, control, spans)
            control[LANE] = -1
        return DONE

    return encode


def decoding(advance: Kernel, fill: Kernel, begin: Kernel, following: Kernel, used: Kernel) -> Any:
    """The loop that decodes."""

    def decode(
        tables: Tuple, state: Any, params: Tuple, coder: Any, rules: Tuple, lanes: Row, control: Row, row: Row,
        tokens: Row, spans: Row, out: Row, owners: Row,
    ) -> Any:  # fmt: skip
        """Decode tokens[a:b] for every (a, b) of spans: int64[J, 2], a < b; why it returned."""
        budget, alphabet, limit = rules[1], rules[3], rules[4]
        while control[LIVE] > 0:
            if control[LANE] < 0:
                if control[CODED] >= limit:
                    return PAUSED
                for lane in range(len(lanes)):
                    if lanes[lane, JOB] >= 0 and lanes[lane, INPUT] != IDLE:
                        advance(tables, state, lane, lanes[lane, INPUT])
                control[LANE] = 0
            for lane in range(control[LANE], len(lanes)):
                mine = lanes[lane]
                if mine[JOB] < 0:
                    continue
                control[LANE] = lane
                if control[MADE] >= len(out):
                    return NO_ROOM
                control[CODED] += 1
                fill(tables, state, lane, row)
                if not is_row(row):
                    return BAD_ROW
                if not mine[OPEN]:
                    begin(params, coder, lane, tokens, mine[AT], mine[END])
                    mine[OPEN] = 1
                symbol = following(params, coder, lane, tokens, row)
                if symbol >= alphabet:
                    control[WHAT] = symbol
                    return OUTSIDE
                if symbol >= 0:
                    out[control[MADE]] = symbol
                    owners[control[MADE]] = mine[JOB]
                    control[MADE] += 1
                    mine[SIZE] += 1
                    mine[READ] += 1
                    mine[INPUT] = symbol
                full = symbol >= 0 and mine[SIZE] == budget
                if symbol < 0 or full:
                    count, left = used(params, coder, lane, full), mine[END] - mine[AT]
                    if count < 1 or count > left:
                        control[WHAT], control[LEFT] = count, left
                        return USED
                    passed(mine, control, spans, rules, count, symbol)
            control[LANE] = -1
        return DONE

    return decode
