"""The slot rule over lanes: the arrays around `kernels`.

Legend: L lanes, A alphabet, K chosen lanes, m symbols.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stackc.api import CodingError, Frequencies, Int32, Int64, Mask, Tokens, Window
from stackc_coders import kernels
from stackc_coders.kernels import DECODER_COLUMNS, ENCODER_COLUMNS, RESOLVED, TAIL_BYTES, UNBOUNDED
from stackc_coders.slot_kernels import NO_TABLE
from stackc_coders.twin import START_BITS

SYMBOL_BYTES = 4
"""Digits that one symbol can add: it divides the range by less than 2^25, and bytes make up for it."""


def table_of(window: Window) -> Int32:
    """The table of cuts in the one form that kernels are compiled for; without one, of no states."""
    return NO_TABLE if window.table is None else np.require(window.table, requirements=["C", "W"])


class _Lanes:
    """Shared by encoder and decoder: the window's numbers, and rows in the one form that kernels are compiled for."""

    def __init__(self, window: Window, lanes: int, constant: Frequencies | None) -> None:
        self._window = window
        self._lanes = lanes
        self._bits = UNBOUNDED if window.bits is None else window.bits
        self._constant = None if constant is None else constant.reshape(1, -1)
        self._table = table_of(window)

    def _rows(self, freqs: Frequencies | None, rows: int) -> Frequencies:
        """uint32[rows, A], or [1, A] if one row serves all."""
        if self._constant is not None:
            return self._constant
        expected = (rows, self._window.alphabet)
        if freqs is None or freqs.shape != expected or freqs.dtype != np.uint32:
            found = "none" if freqs is None else f"{freqs.dtype}{list(freqs.shape)}"
            raise CodingError(f"frequencies must be uint32{list(expected)}, found {found}")
        return np.require(freqs, requirements=["C", "W"])


class SlotLaneEncoder(_Lanes):
    """Codes a window in every lane (`stackc.api.LaneEncoder`).

    Args:
        window: what the lanes' windows have in common.
        lanes: L.
        constant: uint32[A], the one row to code under; None: rows come with the symbols.
    """

    def __init__(self, window: Window, lanes: int, constant: Frequencies | None = None) -> None:
        super().__init__(window, lanes, constant)
        self._state = np.zeros((lanes, ENCODER_COLUMNS), np.int64)
        for lane in self._state:
            kernels.start_window(lane, self._bits)
        fixed = 0 if window.bits is None else window.bits // 8
        self._digits = np.zeros((lanes, fixed + TAIL_BYTES), np.uint8)
        self._sure = 0  # symbols that every lane still has room for, without a bit budget

    def add(self, freqs: Frequencies | None, symbols: Int64) -> Mask:
        rows = self._rows(freqs, self._lanes)
        self._check(symbols, (self._lanes,))
        self._make_room(1)
        fits = np.zeros(self._lanes, np.bool_)
        kernels.add_lanes(self._state, self._digits, rows, symbols, self._bits, self._table, fits)
        return fits

    def close(self, lanes: Int64, full: Mask) -> tuple[Tokens, Int64]:
        self._make_room(1)
        out = np.empty(self._tokens_bound(self._state[lanes, RESOLVED]), np.uint32)
        counts = np.zeros(len(lanes), np.int64)
        args = (self._bits, self._window.token_bits, self._table, out, counts)
        total = kernels.close_lanes(self._state, self._digits, lanes, full, *args)
        return out[:total], counts

    def run(self, lane: int, freqs: Frequencies | None, symbols: Int64, cuts: Mask) -> tuple[Tokens, Int64]:
        rows = self._rows(freqs, len(symbols))
        self._check(symbols, symbols.shape)
        if len(symbols) and int(symbols.min()) < 0:
            raise CodingError(f"symbol {int(symbols.min())} in a sequence of known symbols")
        self._make_room(min(len(symbols), self._window.symbols) + 1)
        # Every window closed has a symbol of this run, but for one that may have been open before.
        bits = np.full(len(symbols) + 1, START_BITS + 8 * SYMBOL_BYTES, np.int64)
        bits[0] = self._state[lane, RESOLVED] + 8 * SYMBOL_BYTES
        out = np.empty(self._tokens_bound(bits), np.uint32)
        lengths = np.empty(len(symbols) + 1, np.int64)
        args = (self._window.symbols, self._bits, self._window.token_bits, self._table, out, lengths)
        state, digits = self._state[lane], self._digits[lane]
        tokens, windows = kernels.run_lane(state, digits, rows, symbols, cuts, *args)
        return out[:tokens], lengths[:windows]

    def _check(self, symbols: Int64, shape: tuple[int, ...]) -> None:
        if symbols.shape != shape or symbols.dtype != np.int64:
            raise CodingError(f"symbols must be int64{list(shape)}, found {symbols.dtype}{list(symbols.shape)}")
        if len(symbols) and int(symbols.max()) >= self._window.alphabet:
            raise CodingError(f"symbol {int(symbols.max())} is outside the alphabet of {self._window.alphabet}")

    def _tokens_bound(self, resolved: Int64) -> int:
        """The most tokens that windows with these resolved bits can have, including a last refill."""
        token_bits = self._window.token_bits
        if self._window.bits is not None:
            return len(resolved) * (self._window.bits // token_bits)
        return int(((resolved + 8 * SYMBOL_BYTES) // token_bits + 2).sum())

    def _make_room(self, symbols: int) -> None:
        """Room for the digits of `symbols` more symbols in every lane; with a bit budget there always is."""
        if self._window.bits is not None:
            return
        self._sure -= symbols
        if self._sure >= 0:
            return
        size = self._digits.shape[1]
        needed = int(self._state[:, RESOLVED].max(initial=0)) // 8 + SYMBOL_BYTES * symbols + TAIL_BYTES
        if needed > size:
            size = max(needed, 2 * size, 64)
            digits = np.zeros((self._lanes, size), np.uint8)
            digits[:, : self._digits.shape[1]] = self._digits
            self._digits = digits
        self._sure = (size - needed) // SYMBOL_BYTES


class SlotLaneDecoder(_Lanes):
    """Decodes a window in every lane (`stackc.api.LaneDecoder`). Any tokens decode.

    Args:
        window: what the lanes' windows have in common.
        lanes: L.
        tokens: uint32, all windows' tokens; only the lowest `token_bits` bits of each are read.
        constant: uint32[A], the one row to code under; None: rows come with every call.
    """

    def __init__(
        self, window: Window, lanes: int, tokens: npt.NDArray[Any], constant: Frequencies | None = None
    ) -> None:
        super().__init__(window, lanes, constant)
        self._tokens = np.require(tokens, np.uint32, requirements=["C", "W"])
        self._state = np.zeros((lanes, DECODER_COLUMNS), np.int64)

    def open(self, lanes: Int64, starts: Int64, ends: Int64) -> None:
        if len(lanes) and (int(starts.min()) < 0 or int(ends.max()) > len(self._tokens)):
            raise CodingError(f"windows outside the {len(self._tokens)} tokens that there are")
        kernels.open_lanes(self._state, self._tokens, lanes, starts, ends, self._bits, self._window.token_bits)

    def next(self, freqs: Frequencies | None, active: Mask) -> Int64:
        rows = self._rows(freqs, self._lanes)
        out = np.full(self._lanes, -1, np.int64)
        args = (self._bits, self._window.token_bits, self._table, out)
        kernels.next_lanes(self._state, self._tokens, rows, active, *args)
        return out

    def used(self, lanes: Int64, full: Mask) -> Int64:
        out = np.empty(len(lanes), np.int64)
        kernels.used_lanes(self._state, lanes, full, self._bits, self._window.token_bits, self._table, out)
        return out
