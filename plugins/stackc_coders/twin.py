"""The slot rule in plain Python integers: slow, readable, and the oracle of the fast one in `kernels`.

A window's text narrows an interval [low, low + range), counted in units of 2^-n of a code (n: the bits
resolved so far). The interval's first unit is the slot of "the text ends here"; the other units are divided
among the symbols that may follow:

    low                                                                    low + range
     | end |  symbol 0  |  symbol 1  |          ...             | symbol A-1 |
           ^ low + 1 + edge(0)       ^ low + 1 + edge(2)        low + 1 + edge(A) ^

so that codes are in preorder: the texts that extend a text are the codes [low, low + range) below it.

If the windowing has a table of cuts (`stackc.api.Windowing.table`), a symbol that would be cut has no slots, except at
the window's first symbol: its frequency counts as 0 before anything else is computed. A state that cuts before every
symbol is an *end*: the window is complete there, as at its symbol budget, and all its codes are the text's.

The rule is described in docs/concepts.md.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable

import numpy as np

from stackc.api import CUT, PRECISION, TOTAL, BitSource, Frequencies, Int64, Window, offsets_of

START_BITS = 38
"""Bits resolved when a window starts. 38 + 24 = 62: every product fits a signed 64-bit integer."""

MIN_RANGE = 1 << 30
"""Below this range more bits are resolved, if there are more."""

REFILL_BITS = 8

Counts = Int64

Interval = tuple[int, int, int]
"""(low, range, n): the interval [low, low + range) in units of 2^-n."""


class SlotWindow:
    """The state that an encoder and a decoder share: the interval of the open window."""

    def __init__(self, window: Window) -> None:
        self.bits = window.bits
        self.token_bits = window.token_bits
        self.resolved = START_BITS if window.bits is None else min(window.bits, START_BITS)
        self.low = 0
        self.range = 1 << self.resolved
        self.first = True
        self.table = window.table
        self.state = 0

    @property
    def ended(self) -> bool:
        """Whether the table cuts before every symbol."""
        return self.table is not None and int(self.table[self.state].max()) == CUT

    def refill_bits(self) -> int:
        """The number of bits to resolve next; 0 if there are no more."""
        if self.range >= MIN_RANGE:
            return 0
        return REFILL_BITS if self.bits is None else min(REFILL_BITS, self.bits - self.resolved)

    def refill(self, count: int) -> None:
        self.low <<= count
        self.range <<= count
        self.resolved += count

    def edges(self, freqs: Frequencies) -> Callable[[int], int]:
        """edge(s), s = 0..A: symbol s has the slots edge(s) .. edge(s + 1) - 1 of those after the first."""
        f: Counts = freqs.astype(np.int64)
        span = self.range - 1
        if self.table is not None and not self.first:
            f[self.table[self.state] == CUT] = 0
        total = int(f.sum())
        if not self.first and 2 * span < total:
            f = in_reach(f, span, total)
        cumulative = offsets_of(f)
        if self.first:  # every symbol must fit: a slot for each, and the rest by frequency
            spare = span - len(f)
            return lambda s: s + (int(cumulative[s]) * spare >> PRECISION)
        shared = int(cumulative[-1])
        return lambda s: int(cumulative[s]) * span // shared

    def take(self, symbol: int, start: int, end: int) -> None:
        """Continue with the text that has these slots."""
        self.low += 1 + start
        self.range = end - start
        self.first = False
        if self.table is not None:
            self.state = int(self.table[self.state, symbol])

    def full_code(self) -> tuple[int, int]:
        """(value, bits) of a full window without a bit budget: the fewest whole tokens that are unambiguous."""
        bits = self.token_bits
        while bits < self.resolved:
            unit = 1 << (self.resolved - bits)
            value = -(-self.low // unit)
            if (value + 1) * unit <= self.low + self.range:
                return value, bits
            bits += self.token_bits
        return self.low << (bits - self.resolved), bits


def in_reach(f: Counts, span: int, total: int = TOTAL) -> Counts:
    """The frequencies of the symbols that a span of slots can still tell apart, 0 for the others.

    A symbol is in reach if its share of `total`, the sum of `f`, is at least half a slot. If no symbol is, the most
    frequent one is (the lowest of equals).
    """
    g = np.where(2 * f * span >= total, f, 0)
    if not g.any():
        g[f.argmax()] = f.max()
    return g


class SlotEncoder:
    """Codes one window (`stackc.api.WindowEncoder`), under the row `constant` if there is one."""

    def __init__(self, window: Window, constant: Frequencies | None = None) -> None:
        self._at, self._constant = SlotWindow(window), constant

    def add(self, freqs: Frequencies | None, symbol: int) -> bool:
        found = self._slots(freqs, symbol, symbol)
        if found is None:
            return False
        self._at.take(symbol, *found)
        return True

    def close(self, full: bool) -> tuple[int, int]:
        at = self._at
        if at.bits is not None:
            return at.low << (at.bits - at.resolved), at.bits
        if full or at.ended:
            return at.full_code()
        self._refill()
        return at.low, at.resolved

    def interval(self) -> Interval:
        """The codes of every text that extends the one coded so far."""
        return self._at.low, self._at.range, self._at.resolved

    def sub_interval(self, freqs: Frequencies | None, first: int, last: int) -> Interval | None:
        """The codes of every text that extends this one by a symbol of first..last; None if none of them fits."""
        found = self._slots(freqs, first, last)
        if found is None:
            return None
        start, end = found
        return self._at.low + 1 + start, end - start, self._at.resolved

    def _slots(self, freqs: Frequencies | None, first: int, last: int) -> tuple[int, int] | None:
        freqs = freqs if self._constant is None else self._constant
        assert freqs is not None, "an arithmetic coder codes under frequencies"
        if self._at.ended:
            return None
        self._refill()
        edge = self._at.edges(freqs)
        start, end = edge(first), edge(last + 1)
        return (start, end) if end > start else None

    def _refill(self) -> None:
        while count := self._at.refill_bits():
            self._at.refill(count)


class SlotDecoder:
    """Decodes one window (`stackc.api.WindowDecoder`), under the row `constant` if there is one."""

    def __init__(self, window: Window, bits: BitSource, constant: Frequencies | None = None) -> None:
        self._at, self._constant = SlotWindow(window), constant
        self._source = bits
        self._code = bits.read(self._at.resolved)

    def next(self, freqs: Frequencies | None) -> int | None:
        freqs = freqs if self._constant is None else self._constant
        assert freqs is not None, "an arithmetic coder codes under frequencies"
        at = self._at
        if at.ended:
            return None
        while count := at.refill_bits():
            if at.bits is None and self._source.left - count < -START_BITS:
                return None  # no encoder wrote these tokens: the text has run into the zeros after them
            at.refill(count)
            self._code = self._code << count | self._source.read(count)
        slot = self._code - at.low
        if slot == 0:
            return None
        edge = at.edges(freqs)
        # Edges ascend: the last edge at or before the slot is the symbol's.
        symbol = bisect.bisect_right(range(len(freqs) + 1), slot - 1, key=edge) - 1
        at.take(symbol, edge(symbol), edge(symbol + 1))
        return symbol

    def used(self, full: bool) -> int:
        at = self._at
        if at.bits is not None:
            return at.bits
        return at.full_code()[1] if full or at.ended else at.resolved
