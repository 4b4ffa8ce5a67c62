"""Which tokens keep a promise: the codes whose text starts with a given text, at any depth.

To go on from a prompt, the last, unfinished window of every level is taken back, and the next tokens are drawn
among those that decode to what was taken back and more. Codes are in preorder, so at every level these are a few
ranges: a `Constraint` over symbols becomes a `Constraint` over tokens, which are the symbols of the next level.
"""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np

from stackc.errors import CodingError
from stackc.level import Level
from stackc.parts import Frequencies
from stackc.scoring import rows

Option = tuple[int, int, "Constraint | None"]
"""(first, last, after): any symbol of first..last may come next; then `after` holds (None: anything goes)."""


class Constraint:
    """What the next symbols of a level may be."""

    def options(self) -> list[Option]:
        """Ascending, disjoint ranges of symbols that may come next."""
        raise NotImplementedError


@attrs.frozen
class Exactly(Constraint):
    """The next symbols are these, then `after` holds. `symbols` is not empty."""

    symbols: tuple[int, ...]
    after: Constraint | None

    def options(self) -> list[Option]:
        first, rest = self.symbols[0], self.symbols[1:]
        return [(first, first, Exactly(rest, self.after) if rest else self.after)]


def exactly(symbols: tuple[int, ...], after: Constraint | None) -> Constraint | None:
    return Exactly(symbols, after) if symbols else after


@attrs.frozen
class CodeRange:
    """Codes low..high - 1 of `bits` bits; after those bits, `after` holds for the tokens that follow."""

    low: int
    high: int
    bits: int
    after: Constraint | None


@attrs.frozen
class InCode(Constraint):
    """The next bits, in tokens of `token_bits`, are in one of the ranges (which are disjoint)."""

    ranges: tuple[CodeRange, ...]
    token_bits: int

    def options(self) -> list[Option]:
        whole: list[Option] = []
        parts: dict[int, list[CodeRange]] = {}
        for codes in self.ranges:
            rest = codes.bits - self.token_bits
            size = 1 << rest
            first, last = -(-codes.low // size), codes.high // size - 1  # tokens whose every continuation is inside
            if first <= last:
                whole.append((first, last, self._rest([CodeRange(0, size, rest, codes.after)])))
            for token in {codes.low // size, (codes.high - 1) // size} - set(range(first, last + 1)):
                low, high = max(codes.low - token * size, 0), min(codes.high - token * size, size)
                parts.setdefault(token, []).append(CodeRange(low, high, rest, codes.after))
        partial = [(token, token, self._rest(ranges)) for token, ranges in parts.items()]
        return sorted(whole + partial, key=lambda option: option[0])

    def _rest(self, ranges: list[CodeRange]) -> Constraint | None:
        """What holds after one token of these ranges."""
        codes = ranges[0]
        whole = (codes.low, codes.high) == (0, 1 << codes.bits)
        if codes.bits == 0 or (whole and codes.after is None):
            return codes.after
        return InCode(tuple(ranges), self.token_bits)


@attrs.frozen(eq=False)
class TokensOf(Constraint):
    """The tokens of a level whose text, from a window's start on, keeps a constraint over its symbols."""

    cursor: Cursor
    inner: Constraint

    def options(self) -> list[Option]:
        return InCode(tuple(self._ranges(self.cursor, self.inner)), self.cursor.level.token_bits).options()

    def _ranges(self, cursor: Cursor, inner: Constraint | None) -> list[CodeRange]:
        """The codes of all texts that extend the cursor's and keep `inner`."""
        if inner is None:
            return [cursor.codes(None)]
        if cursor.full:
            return [cursor.closed(TokensOf(cursor.next_window(), inner))]
        ranges = []
        if cursor.budget and cursor.symbols:
            # The window may also end here, and the next one go on.
            here = cursor.codes(TokensOf(cursor.next_window(), inner))
            ranges.append(attrs.evolve(here, high=here.low + 1))
        for first, last, after in inner.options():
            if after is None:
                found = cursor.extended(first, last)
                ranges += [found] if found else []
                continue
            for symbol in range(first, last + 1):
                if cursor.extended(symbol, symbol):
                    ranges += self._ranges(attrs.evolve(cursor, symbols=(*cursor.symbols, symbol)), after)
        return ranges


@attrs.frozen(eq=False)
class Cursor:
    """A window being written at one level, and the codes that its text leaves open.

    Attributes:
        level: the level.
        symbols: the window's text so far.
        before: the segment's symbols before the window (what a context that restarts with the segment has seen).
        known: the model's answers so far, by the symbols in its context; shared by all cursors made from this one.
    """

    level: Level
    symbols: tuple[int, ...] = ()
    before: tuple[int, ...] = ()
    known: dict[tuple[int, ...], Frequencies] = attrs.field(factory=dict)

    @property
    def budget(self) -> bool:
        return self.level.code_bits is not None

    @property
    def full(self) -> bool:
        return len(self.symbols) == self.level.window.symbols

    def codes(self, after: Constraint | None) -> CodeRange:
        """The codes of every text that extends this one."""
        if self.level.dictionary is not None:
            code = self._code()
            return self._range(code, int(self.level.dictionary.end[code]) - code, self._code_bits(), after)
        low, size, resolved = self._encoder().interval()
        return self._range(low, size, resolved, after)

    def extended(self, first: int, last: int) -> CodeRange | None:
        """The codes of every text that extends this one by a symbol of first..last; None where none fits."""
        dictionary = self.level.dictionary
        if dictionary is not None:
            children = dictionary.children(self._code())
            chosen = children[(dictionary.symbol[children] >= first) & (dictionary.symbol[children] <= last)]
            if not len(chosen):
                return None
            low = int(chosen[0])
            return self._range(low, int(dictionary.end[chosen[-1]]) - low, self._code_bits(), None)
        found = self._encoder().sub_interval(self._row(len(self.symbols)), first, last)
        return self._range(found[0], found[1], found[2], None) if found else None

    def closed(self, after: Constraint) -> CodeRange:
        """The codes of exactly this text, which is full."""
        if self.budget:
            return self.codes(after)
        value, bits = self._encoder().close(True)
        return CodeRange(value, value + 1, bits, after)

    def next_window(self) -> Cursor:
        """A fresh window after this one."""
        before = self.before + self.symbols
        return attrs.evolve(self, symbols=(), before=before if len(before) < self.level.segment else ())

    def _code_bits(self) -> int:
        return self.level.code_bits or 0

    def _range(self, low: int, size: int, resolved: int, after: Constraint | None) -> CodeRange:
        """An interval in units of 2^-resolved as codes of W bits, or of whole tokens without a bit budget."""
        token_bits = self.level.token_bits
        bits = self.level.code_bits or -(-resolved // token_bits) * token_bits
        return CodeRange(low << (bits - resolved), (low + size) << (bits - resolved), bits, after)

    def _code(self) -> int:
        code = 0
        for symbol in self.symbols:
            found = self.level.dictionary.child(code, symbol) if self.level.dictionary else None
            if found is None:
                raise CodingError(f"{self.level.name}: a text that its dictionary does not hold")
            code = found
        return code

    def _row(self, count: int) -> Frequencies | None:
        """The frequencies after the window's first `count` symbols: uint32[A]; None without a model."""
        if not self.level.coder.needs_model:
            return None
        seen = self.symbols[:count]
        history = seen if self.level.restarts_with_window else self.before + seen
        if history not in self.known:
            # The last row of a segment that ends in any symbol at all.
            *_, block = rows(self.level.predictor, np.array([*history, 0], np.int64))
            self.known[history] = block[-1].copy()
        return self.known[history]

    def _encoder(self) -> Any:
        encoder = self.level.coder.encoder(self.level.window)
        if not hasattr(encoder, "interval"):
            raise CodingError(
                f"{self.level.name}: its coder does not tell the codes that extend a text; no prompt, then"
            )
        for count, symbol in enumerate(self.symbols):
            encoder.add(self._row(count), symbol)
        return encoder
