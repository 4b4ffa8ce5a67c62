"""The slot rule's lanes as kernels for a compiled loop (`stackc.api.CompiledLanes`).

The parameters are the bits of a window, the bits of a token and the table of cuts. States are as in `kernels`, an entry
for each lane: the lanes, their digits when encoding, and room for a masked row.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stackc.api import CompiledLanes, Frequencies, Int64, Uint8, Window, inlined
from stackc_coders import kernels
from stackc_coders.kernels import DECODER_COLUMNS, ENCODER_COLUMNS, PLACE, TAIL_BYTES, UNBOUNDED
from stackc_coders.lanes import SYMBOL_BYTES, table_of
from stackc_coders.slot_kernels import ended
from stackc_coders.twin import START_BITS

Int = Any
Row = Any
Params = Any
State = Any


@inlined
def add(params: Params, state: State, lane: Int, row: Row, symbol: Int) -> bool:
    return kernels.add_symbol(state[0][lane], state[1][lane], row, symbol, params[0], params[2], state[2][lane])


@inlined
def close(params: Params, state: State, lane: Int, full: bool, out: Row, at: Int) -> Int:
    return kernels.close_window(state[0][lane], state[1][lane], full, params[0], params[1], params[2], out, at)


@inlined
def open_lane(params: Params, state: State, lane: Int, tokens: Row, start: Int, end: Int) -> None:
    kernels.open_window(state[0][lane], tokens, start, end, params[0], params[1])


@inlined
def next_symbol(params: Params, state: State, lane: Int, tokens: Row, row: Row) -> Int:
    return kernels.next_symbol(state[0][lane], tokens, row, params[0], params[1], params[2], state[1][lane])


@inlined
def used(params: Params, state: State, lane: Int, full: bool) -> Int:
    complete = full or ended(params[2], state[0][lane][PLACE])
    return kernels.used_tokens(state[0][lane], complete, params[0], params[1])


def compiled_lanes(window: Window, row: Frequencies | None) -> CompiledLanes:
    """The lanes of windows; under `row`, if there is one row for all symbols."""
    bits, token_bits = UNBOUNDED if window.bits is None else window.bits, window.token_bits
    # Without a bit budget a window begins with 38 bits, a symbol adds 4 bytes at most, and so does the end.
    beginning = -(-(START_BITS + 8 * SYMBOL_BYTES) // token_bits) + 1
    budget = None if window.bits is None else window.bits // token_bits
    table = table_of(window)

    def encoder(lanes: int, symbols: int) -> tuple[Int64, Uint8, Frequencies]:
        state = np.zeros((lanes, ENCODER_COLUMNS), np.int64)
        for lane in state:
            kernels.start_window(lane, bits)
        size = START_BITS // 8 + SYMBOL_BYTES * (symbols + 1) if window.bits is None else window.bits // 8
        return state, np.zeros((lanes, size + TAIL_BYTES), np.uint8), masked_rows(lanes)

    def decoder(lanes: int) -> tuple[Int64, Frequencies]:
        return np.zeros((lanes, DECODER_COLUMNS), np.int64), masked_rows(lanes)

    def masked_rows(lanes: int) -> Frequencies:
        return np.zeros((lanes, table.shape[1]), np.uint32)

    return CompiledLanes(
        add=add,
        close=close,
        open=open_lane,
        next=next_symbol,
        used=used,
        params=(bits, token_bits, table),
        encoder=encoder,
        decoder=decoder,
        most_tokens=(beginning, -(-8 * SYMBOL_BYTES // token_bits)) if budget is None else (budget, 0),
        row=row,
    )
