"""Which tokens continue a prompt: the codes whose text starts with a given text, at any depth.

To continue a prompt, the last, unfinished window of every level is removed, and the next tokens are drawn from those
that decode to the removed symbols and more. The window cannot be kept as it is: its code would say that it ends there,
and the next tokens could not continue it. Codes are in preorder, so at every level the allowed tokens form a few
ranges: a `Constraint` over symbols becomes a `Constraint` over tokens, which are the symbols of the next level.
"""

from __future__ import annotations

import bisect
import copy
from typing import TYPE_CHECKING, Any, cast

import attrs
import numpy as np

from stackc.api.arrays import RESTART, Frequencies
from stackc.api.coders import Coder
from stackc.api.errors import CodingError
from stackc.api.models import Predictor
from stackc.coding.level import Level
from stackc.coding.pieces import PieceTable
from stackc.coding.spec import LevelSpec
from stackc.parts.abilities import has_intervals

if TYPE_CHECKING:  # numba takes a second to import, and not every use of a stack compiles
    from stackc.coding.dictionary.dictionary import Dictionary

Option = tuple[int, int, "Constraint | None"]
"""(first, last, after): any symbol of first..last may come next; then `after` holds (None: no constraint)."""


class Constraint:
    """Restricts the next symbols of a level."""

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
    """The tokens of a level whose text, starting at a window, satisfies a constraint over its symbols."""

    cursor: Cursor
    inner: Constraint

    def options(self) -> list[Option]:
        return InCode(tuple(self._ranges(self.cursor, self.inner)), self.cursor.spec.token_bits).options()

    def _ranges(self, cursor: Cursor, inner: Constraint | None) -> list[CodeRange]:
        """The codes of all texts that extend the cursor's text and satisfy `inner`."""
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
        """The same for known next symbols: a loop, because a long prompt in one window would exhaust a recursion."""
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
    """The code of the cursor's text itself, if the window may end with it, so that the next window continues."""
    if cursor.spec.code_bits is None or not cursor.size:
        return []
    here = cursor.codes(TokensOf(cursor.next_window(), inner))
    return [attrs.evolve(here, high=here.low + 1)]


@attrs.define(eq=False)
class _Context:
    """A model in one lane, after some symbols.

    Attributes:
        predictor: the level's model; None without a model.
        history: the symbols since the restart.
        shorter: the context one symbol shorter, until the row is computed.
        state: the model's; never stepped again once the row was computed from it.
        row: uint32[A], frequencies of the next symbol.
    """

    predictor: Predictor | None
    history: tuple[int, ...] = ()
    shorter: _Context | None = None
    state: Any = None
    row: Frequencies | None = None

    def after(self, symbol: int) -> _Context:
        """The context one symbol longer; nothing is computed before its row is requested."""
        return _Context(self.predictor, (*self.history, symbol), self)

    def frequencies(self) -> Frequencies | None:
        """uint32[A], frequencies of the next symbol; None without a model."""
        predictor = self.predictor
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


Interval = tuple[int, int, int]
"""(low, size, bits): codes low..low + size - 1 of `bits` bits."""


@attrs.frozen(eq=False)
class _LookedUp:
    """The text of a window at a compiled level: its code in the dictionary."""

    dictionary: Dictionary
    bits: int
    code: int = 0

    def interval(self) -> Interval:
        return self.code, int(self.dictionary.end[self.code]) - self.code, self.bits

    def sub_interval(self, first: int, last: int) -> Interval | None:
        children = self.dictionary.children(self.code)
        chosen = children[(self.dictionary.symbol[children] >= first) & (self.dictionary.symbol[children] <= last)]
        return (int(chosen[0]), int(self.dictionary.end[chosen[-1]] - chosen[0]), self.bits) if len(chosen) else None

    def longer(self, symbol: int) -> _LookedUp | None:
        child = self.dictionary.child(self.code, symbol)
        return None if child is None else attrs.evolve(self, code=child)

    closed = interval  # every window of a compiled level has a bit budget

    def next_window(self, new_segment: bool) -> _LookedUp:
        return attrs.evolve(self, code=0)


@attrs.frozen(eq=False)
class _Coded:
    """The text of a window at any other level: an encoder that has coded it, and the model's context after it."""

    spec: LevelSpec
    context: _Context
    encoder: Any
    before: int  # windows of the segment before this one

    @classmethod
    def fresh(cls, spec: LevelSpec, context: _Context, before: int) -> _Coded:
        encoder = cast(Coder, spec.coder).encoder(spec.window)  # levels with a dictionary or pieces have other cursors
        if not has_intervals(encoder):
            raise CodingError(
                f"{spec.coder_name}: its encoder has no method interval, which continuing a prompt requires; "
                "generate without a prompt"
            )
        return cls(spec, context, encoder, before)

    def interval(self) -> Interval:
        low, size, bits = self.encoder.interval()
        return low, size, bits

    def sub_interval(self, first: int, last: int) -> Interval | None:
        found: Interval | None = self.encoder.sub_interval(self.context.frequencies(), first, last)
        return found

    def longer(self, symbol: int) -> _Coded | None:
        encoder = copy.deepcopy(self.encoder)
        fits = encoder.add(self.context.frequencies(), symbol)
        return attrs.evolve(self, context=self.context.after(symbol), encoder=encoder) if fits else None

    def closed(self) -> Interval:
        if self.spec.code_bits is not None:
            return self.interval()
        value, bits = copy.deepcopy(self.encoder).close(True)
        return value, 1, bits

    def next_window(self, new_segment: bool) -> _Coded:
        before = 0 if new_segment else self.before + 1
        restart = new_segment or (self.spec.restarts_with_window and before % self.spec.windowing.context_windows == 0)
        return self.fresh(self.spec, _Context(self.spec.model) if restart else self.context, before)


@attrs.frozen(eq=False)
class Cursor:
    """A window being written at one level, and the codes that its text leaves open.

    Attributes:
        spec: the level.
        size: symbols in the window so far.
        before: symbols in the segment before the window.
        text: the window's text, in the dictionary or in an encoder: the only part that differs between levels.
    """

    spec: LevelSpec
    size: int
    before: int
    text: _LookedUp | _Coded

    @classmethod
    def at(cls, level: Level, segment: tuple[int, ...]) -> Cursor:
        """A fresh window after these symbols of its segment."""
        spec = level.spec
        if level.dictionary is not None:
            return cls(spec, 0, len(segment), _LookedUp(level.dictionary, spec.code_bits or 0))
        starts: list[int] = []
        if spec.restarts_with_window and spec.windowing.context_windows > 1:  # else nobody counts windows
            starts = level.encode(np.array(segment, np.int64)).starts.tolist()
        restarted = [*starts, len(segment)][
            len(starts) // spec.windowing.context_windows * spec.windowing.context_windows
        ]
        seen = segment[restarted:] if spec.restarts_with_window else segment
        return cls(spec, 0, len(segment), _Coded.fresh(spec, _Context(spec.model, seen), len(starts)))

    @property
    def full(self) -> bool:
        return self.size == self.spec.window.symbols

    def codes(self, after: Constraint | None) -> CodeRange:
        """The codes of every text that extends this one."""
        return self._range(self.text.interval(), after)

    def extended(self, first: int, last: int) -> CodeRange | None:
        """The codes of every text that extends this one by a symbol of first..last; None if none fits."""
        found = self.text.sub_interval(first, last)
        return self._range(found, None) if found else None

    def longer(self, symbol: int) -> Cursor | None:
        """The text one symbol longer; None if it does not fit."""
        text = self.text.longer(symbol)
        return Cursor(self.spec, self.size + 1, self.before, text) if text else None

    def closed(self, after: Constraint | None) -> CodeRange:
        """The codes of exactly this text, which is full."""
        return self._range(self.text.closed(), after)

    def next_window(self) -> Cursor:
        """A fresh window after this one."""
        before = self.before + self.size
        new_segment = before >= self.spec.segment
        return Cursor(self.spec, 0, 0 if new_segment else before, self.text.next_window(new_segment))

    def _range(self, interval: Interval, after: Constraint | None) -> CodeRange:
        """An interval as codes of the window's bits, or of whole tokens without a bit budget."""
        (low, size, resolved), token_bits = interval, self.spec.token_bits
        bits = self.spec.code_bits or -(-resolved // token_bits) * token_bits
        return CodeRange(low << (bits - resolved), (low + size) << (bits - resolved), bits, after)


@attrs.frozen(eq=False)
class PiecesOf(Constraint):
    """The tokens of a piece coder's level whose pieces, concatenated, satisfy a constraint over its symbols."""

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
