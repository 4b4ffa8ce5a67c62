"""Windows that a table of cuts ends (`stackc.api.Windowing.table`), on the encoder's side.

A coder that knows the table gives no code to what it cuts; the encoder closes windows there in any case, so that every
route and every coder cuts a text alike.
"""

from __future__ import annotations

import numpy as np

from stackc.api.arrays import Int32, Int64, Mask, Symbols
from stackc.api.windowings import CUT


class Places:
    """The state of a table of cuts in every lane. Without a table it cuts nowhere.

    Args:
        table: int32[S, A], or None.
        lanes: L.
    """

    def __init__(self, table: Int32 | None, lanes: int) -> None:
        self._table, self._states = table, np.zeros(lanes, np.int64)

    def move(self, lanes: Mask, symbols: Int64) -> None:
        """Read one symbol in each of these lanes."""
        if self._table is not None:
            self._states[lanes] = self._table[self._states[lanes], symbols[lanes]]

    def restart(self, lanes: Mask) -> None:
        """Start a window in each of these lanes."""
        self._states[lanes] = 0

    def cut(self, lanes: Mask, symbols: Symbols) -> Mask:
        """bool[L]: in which of these lanes the table cuts before the symbol. symbols: [L], read in these lanes only."""
        cut = np.zeros(len(lanes), np.bool_)
        if self._table is not None:
            cut[lanes] = self._table[self._states[lanes], symbols[lanes]] == CUT
        return cut


def table_starts(symbols: Symbols, edges: Int64, table: Int32, cuts: Mask | None, budget: int) -> Mask:
    """The starts of windows that end after `budget` symbols, before every cut and with their run: bool[n].

    Args:
        symbols: n integers below the alphabet of the table.
        edges: int64[r + 1], ascending: the bounds of the runs, of which every window is inside one.
        table: int32[S, A].
        cuts: bool[n], True where a window is forced to start; None: nowhere.
        budget: symbols in a window at most.
    """
    from stackc.coding.border_kernels import mark_starts  # and numba with it

    made = np.zeros(len(symbols), np.bool_)
    forced = np.zeros(0, np.bool_) if cuts is None else cuts
    flat = np.require(symbols, requirements=["C", "A"]).view(np.ndarray)
    flat.flags.writeable = False
    mark_starts(flat, edges, np.ascontiguousarray(table), forced, budget, made[edges[0] :])
    return made


def word_starts(symbols: Symbols, edges: Int64, budget: int) -> Mask:
    """`table_starts` of the table and cuts of words of bytes (`stackc.api.WORD_RULE`), without either.

    A window that starts inside a word ends with it, so words decide where windows start, and budgets only inside them.
    """
    from stackc.coding.border_kernels import mark_words  # and numba with it

    made = np.zeros(len(symbols), np.bool_)
    flat = np.require(symbols, np.uint8, ["C", "A"]).view(np.ndarray)
    flat.flags.writeable = False
    mark_words(flat, edges, budget, made)
    return made
