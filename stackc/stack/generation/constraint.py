"""Which tokens keep a promise: the codes whose text starts with a given text, at any depth.

To go on from a prompt, the last, unfinished window of every level is taken back, and the next tokens are drawn
among those that decode to what was taken back and more. Codes are in preorder, so at every level these are a few
ranges: a `Constraint` over symbols becomes a `Constraint` over tokens, which are the symbols of the next level.
"""

from __future__ import annotations

import bisect
import copy
from typing import Any, cast

import attrs
import numpy as np

from stackc.api.arrays import RESTART, Frequencies
from stackc.api.coders import Coder
from stackc.api.errors import CodingError
from stackc.coding.level import Level
from stackc.coding.pieces import PieceTable
from stackc.parts.abilities import has_intervals

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
        if isinstance(inner, Exactly):
            return self._exactly(cursor, inner)
        if cursor.full:
            return [cursor.closed(TokensOf(cursor.next_window(), inner))]
        ranges = _ending(cursor, inner)
        for first, last, after in inner.options():
            if after is None:
                found = cursor.extended(first, last)
                ranges += [found] if found else []
                continue
            for symbol in range(first, last + 1):
                longer = cursor.longer(symbol)
                ranges += self._ranges(longer, after) if longer else []
        return ranges

    def _exactly(self, cursor: Cursor, inner: Exactly) -> list[CodeRange]:
        """The same where the next symbols are known: one after another, so that a long prompt is no deep recursion."""
        ranges: list[CodeRange] = []
        for place, symbol in enumerate(inner.symbols):
            rest = Exactly(inner.symbols[place:], inner.after)
            if cursor.full:
                return [*ranges, cursor.closed(TokensOf(cursor.next_window(), rest))]
            ranges += _ending(cursor, rest)
            longer = cursor.longer(symbol)
            if longer is None:
                return ranges
            cursor = longer
        return ranges + self._ranges(cursor, inner.after)


def _ending(cursor: Cursor, inner: Constraint) -> list[CodeRange]:
    """The code of the cursor's text itself, where the window may end with it and the next one go on."""
    if not (cursor.budget and cursor.size):
        return []
    here = cursor.codes(TokensOf(cursor.next_window(), inner))
    return [attrs.evolve(here, high=here.low + 1)]


@attrs.define(eq=False)
class _Context:
    """A model in one lane, after some symbols.

    Attributes:
        level: the level whose model it is.
        history: the symbols since the restart.
        shorter: the context one symbol shorter, until the row is made.
        state: the model's; never stepped again once the row was made of it.
        row: uint32[A], what follows.
    """

    level: Level
    history: tuple[int, ...]
    shorter: _Context | None = None
    state: Any = None
    row: Frequencies | None = None

    def after(self, symbol: int) -> _Context:
        """The context one symbol longer; nothing is computed before its row is asked for."""
        return _Context(self.level, (*self.history, symbol), self)

    def frequencies(self) -> Frequencies | None:
        """uint32[A], what follows; None without a model."""
        predictor = self.level.spec.model
        if self.row is not None or predictor is None:
            return self.row
        shorter, self.shorter = self.shorter, None
        if shorter is not None and shorter.row is not None and hasattr(predictor, "take"):
            self.state = predictor.take(shorter.state, np.zeros(1, np.int64))
            unread = self.history[-1:]
        else:
            self.state = predictor.start(1)
            unread = (RESTART, *self.history)
        for symbol in unread:
            self.row = predictor.step(self.state, np.array([symbol], np.int64))[0]
        assert self.row is not None
        self.row = self.row.copy()
        return self.row


@attrs.frozen(eq=False)
class Cursor:
    """A window being written at one level, and the codes that its text leaves open.

    Attributes:
        level: the level.
        size: symbols in the window so far.
        before: symbols in the segment before the window.
        context: the model after all that it has seen.
        code: the text's code where the level is compiled.
        encoder: has coded the text; None where the level is compiled.
    """

    level: Level
    size: int
    before: int
    context: _Context
    code: int
    encoder: Any

    @classmethod
    def at(cls, level: Level, segment: tuple[int, ...]) -> Cursor:
        """A fresh window after these symbols of its segment."""
        seen = () if level.spec.restarts_with_window else segment
        return cls._fresh(level, len(segment), _Context(level, seen))

    @classmethod
    def _fresh(cls, level: Level, before: int, context: _Context) -> Cursor:
        encoder = None
        if level.dictionary is None:
            encoder = cast(Coder, level.spec.coder).encoder(level.spec.window)
            if not has_intervals(encoder):
                raise CodingError(
                    f"{level.spec.coder_name}: its encoder has no method interval, which going on from a prompt needs; "
                    "generate without a prompt"
                )
        return cls(level, 0, before, context, 0, encoder)

    @property
    def budget(self) -> bool:
        return self.level.spec.code_bits is not None

    @property
    def full(self) -> bool:
        return self.size == self.level.spec.window.symbols

    def codes(self, after: Constraint | None) -> CodeRange:
        """The codes of every text that extends this one."""
        if self.level.dictionary is not None:
            size = int(self.level.dictionary.end[self.code]) - self.code
            return self._range(self.code, size, self.level.spec.code_bits or 0, after)
        low, size, resolved = self.encoder.interval()
        return self._range(low, size, resolved, after)

    def extended(self, first: int, last: int) -> CodeRange | None:
        """The codes of every text that extends this one by a symbol of first..last; None where none fits."""
        dictionary = self.level.dictionary
        if dictionary is not None:
            children = dictionary.children(self.code)
            chosen = children[(dictionary.symbol[children] >= first) & (dictionary.symbol[children] <= last)]
            if not len(chosen):
                return None
            low = int(chosen[0])
            return self._range(low, int(dictionary.end[chosen[-1]]) - low, self.level.spec.code_bits or 0, None)
        found = self.encoder.sub_interval(self.context.frequencies(), first, last)
        return self._range(found[0], found[1], found[2], None) if found else None

    def longer(self, symbol: int) -> Cursor | None:
        """The text one symbol longer; None where it does not fit."""
        dictionary, code, encoder = self.level.dictionary, 0, None
        if dictionary is not None:
            child = dictionary.child(self.code, symbol)
            if child is None:
                return None
            code = child
        else:
            encoder = copy.deepcopy(self.encoder)
            if not encoder.add(self.context.frequencies(), symbol):
                return None
        context = self.context.after(symbol)
        return attrs.evolve(self, size=self.size + 1, context=context, code=code, encoder=encoder)

    def closed(self, after: Constraint | None) -> CodeRange:
        """The codes of exactly this text, which is full."""
        if self.budget:
            return self.codes(after)
        value, bits = copy.deepcopy(self.encoder).close(True)
        return CodeRange(value, value + 1, bits, after)

    def next_window(self) -> Cursor:
        """A fresh window after this one."""
        before = self.before + self.size
        if before >= self.level.segment:
            return self._fresh(self.level, 0, _Context(self.level, ()))
        context = _Context(self.level, ()) if self.level.spec.restarts_with_window else self.context
        return self._fresh(self.level, before, context)

    def _range(self, low: int, size: int, resolved: int, after: Constraint | None) -> CodeRange:
        """An interval in units of 2^-resolved as codes of W bits, or of whole tokens without a bit budget."""
        token_bits = self.level.token_bits
        bits = self.level.spec.code_bits or -(-resolved // token_bits) * token_bits
        return CodeRange(low << (bits - resolved), (low + size) << (bits - resolved), bits, after)


@attrs.frozen(eq=False)
class PiecesOf(Constraint):
    """The tokens of a piece coder's level whose pieces, end to end, keep a constraint over its symbols."""

    table: PieceTable
    inner: Constraint

    def options(self) -> list[Option]:
        pieces, tokens = self.table.ordered
        found: dict[int, Constraint | None] = {}
        # (pieces low..high - 1 begin with the same `depth` symbols, after which `inner` holds)
        open_: list[tuple[int, int, int, Constraint | None]] = [(0, len(pieces), 0, self.inner)]
        while open_:
            low, high, depth, inner = open_.pop()
            if inner is None:
                found |= dict.fromkeys(tokens[low:high])
                continue
            while low < high and len(pieces[low]) == depth:
                found[tokens[low]] = PiecesOf(self.table, inner)
                low += 1
            for first, last, after in inner.options():
                at = bisect.bisect_left(pieces, first, low, high, key=lambda piece: piece[depth])
                while at < high and pieces[at][depth] <= last:
                    symbol = pieces[at][depth]
                    end = bisect.bisect_right(pieces, symbol, at, high, key=lambda piece: piece[depth])
                    open_.append((at, end, depth + 1, after))
                    at = end
        return [(token, token, found[token]) for token in sorted(found)]
