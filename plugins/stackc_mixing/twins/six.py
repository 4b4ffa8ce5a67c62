"""The model with six contexts in plain Python integers: what it does otherwise than `stackc_mixing.twins.few`."""

from __future__ import annotations

import functools
from collections.abc import Iterable

import attrs

from stackc_mixing import layout
from stackc_mixing.codes import CLASSES, LENGTHS
from stackc_mixing.tables import KINDS, LETTER, LOWER, MOVES, SPAN, SQUASH, STRETCH
from stackc_mixing.twins.few import FewTwin
from stackc_mixing.twins.many import Decision
from stackc_mixing.twins.numbers import MAP_ENTRY, fields

WHOLE = 2**37
"""What the symbols share."""


@attrs.frozen
class Tree:
    """A code.

    Attributes:
        codes: of every symbol (its decisions, after a one; how many).
        symbols: by their decisions, after a one.
        nodes: where decisions are made: what was decided before, after a one; the shortest first.
    """

    codes: dict[int, tuple[int, int]]
    symbols: dict[int, int]
    nodes: list[int]


@functools.cache
def tree_of(row: str | None, depth: int) -> Tree:
    """The code of a row of `LENGTHS`, or of all symbols of `depth` bits.

    That of the first symbol is zeros, and each is the one before plus one, with zeros behind if it is longer.
    """
    lengths = [depth] * 2**depth if row is None else [int(digit, 16) for digit in row]
    codes: dict[int, tuple[int, int]] = {}
    code = size = 0
    for symbol in sorted(range(len(lengths)), key=lambda one: (lengths[one], one)):
        code <<= lengths[symbol] - size
        size = lengths[symbol]
        codes[symbol] = (2**size + code, size)
        code += 1
    inner = {code >> left for code, size in codes.values() for left in range(1, size + 1)}
    return Tree(codes, {code: symbol for symbol, (code, _) in codes.items()}, sorted(inner))


class SixTwin(FewTwin):
    """A working copy, at the beginning of a run. Arguments: see `Twin`."""

    contexts = layout.SIX
    rates = (layout.SIX_RATE, layout.SIX_RATE_MORE, layout.SIX_RATE_BITS)

    # -- codes

    def _tree(self) -> Tree:
        if self.depth != 8:
            return tree_of(None, self.depth)
        return tree_of(
            next(row for row, them in zip(LENGTHS, CLASSES, strict=True) if self._before(1) % 256 in them), 8
        )

    def _code(self, symbol: int) -> tuple[int, int]:
        return self._tree().codes[symbol % 2**self.depth]

    def _symbol(self) -> int | None:
        return self._tree().symbols.get(self.partial)

    # -- contexts and slots

    def _past(self, count: int) -> int:
        """The last symbols as one number, of 8 bits each if they are bytes, else of 16."""
        width = 8 if self.depth == 8 else 16
        return sum(self._before(back) % 2**self.depth << width * (back - 1) for back in range(1, count + 1))

    def _begin_symbol(self, keep: bool) -> None:
        one, two, three, four = (self._past(count) for count in range(1, 5))
        word, before = self.words[:2]
        if self.depth == 8:
            pair = (word + before * 0x2F0B4C47) % 2**32 ^ one
            numbers = [one, two, three, four, word - word % 256 + one, pair]
        else:
            third = self._past(3) >> 32
            numbers = [one, two, self._wide(three << 16), self._wide(four), three >> 16, third << 16 | one]
        self.hashes = [_mixed(number + (i + 1) * 0x9E3779B1) for i, number in enumerate(numbers)]
        self.slots = self._open(0, keep)
        self._match(keep)

    @staticmethod
    def _wide(number: int) -> int:
        return number * 0x9E3779B97F4A7C15 % 2**64 >> 32

    def _key(self) -> int:
        return self._wide(self._past(6) << 16 if self.depth == 8 else self._past(4)) >> 7

    def _slot_hash(self, context: int, bits: int) -> int:
        return _mixed(context + bits * 0x9E3779B1) if bits else context

    # -- a decision

    def _decide(self, partial: int, slots: list[int]) -> Decision:
        known = partial.bit_length() - 1
        node = 2 ** (known % 4) + partial % 2 ** (known % 4)
        histories = [self.tables["lean"][slot + node] for slot in slots]
        maps = self.tables["maps"]
        inputs = [int(STRETCH[maps[256 * i + one] >> 20]) if one else 0 for i, one in enumerate(histories)]
        hit, near, match = self._match_inputs(partial, known)
        inputs += match
        begin = layout.FEW_INPUTS * ((256 * near + self._past(1) % 256) * 8 + min(known, 7))
        answer = self._dot(inputs, begin)
        return Decision(node, inputs, hit, [begin], [answer], 0, answer, (), int(SQUASH[answer + SPAN]))

    def _teach(self, made: Decision, bit: int) -> None:
        self._correct(made.inputs, made.sets[0], 65535 * bit - int(SQUASH[made.stretched + SPAN]))
        lean, maps = self.tables["lean"], self.tables["maps"]
        # All are read before one is written: two contexts may share a node.
        histories = [lean[slot + made.node] for slot in self.slots]
        for i, history in enumerate(histories):
            lean[self.slots[i] + made.node] = int(MOVES[2 * history + bit])
            p = fields(maps[256 * i + history], MAP_ENTRY)[0]
            maps[256 * i + history] = (p + (bit * (2**22 - 1) - p >> layout.SIX_STEP)) * 2**10

    def _end_symbol(self, symbol: int) -> None:
        self.tables["guesses"][self._past(2) % layout.GUESSES] = symbol
        super()._end_symbol(symbol)

    def _read_byte(self, byte: int) -> None:
        if KINDS[byte] == LETTER:
            h = (self.words[0] + int(LOWER[byte]) + 1) * 0x9E3779B1 % 2**32
            self.words[0] = h ^ h >> 15
        elif self.words[0]:
            self.words = [0, *self.words[:2]]

    # -- rows

    def tree(self, partials: Iterable[int] | None = None) -> list[int]:
        """As `Twin.tree`: the symbols' shares along their codes, added up along their bits."""
        self._begin_symbol(keep=True)
        parts = {1: WHOLE}
        shares = [0] * 2**self.depth
        tree = self._tree()
        for partial in tree.nodes:
            if parts[partial] == 0:
                p = 0
            else:
                known = partial.bit_length() - 1
                slots = self.slots if known < 4 else self._open(partial >> known % 4, keep=True)
                p = self._decide(partial, slots).p
            ones = parts[partial] * p >> 16
            for after, part in ((2 * partial, parts[partial] - ones), (2 * partial + 1, ones)):
                parts[after] = part
                if after in tree.symbols:
                    shares[tree.symbols[after]] = part
        found = []
        for partial in range(1, 2**self.depth) if partials is None else partials:
            left = self.depth - (partial.bit_length() - 1)
            first = (partial << left) - 2**self.depth
            whole, one = (sum(shares[begin : first + 2**left]) for begin in (first, first + 2 ** (left - 1)))
            found.append(min(max((one << 16) // whole, 1), 65535) if whole else 2**15)
        return found


def _mixed(number: int) -> int:
    """A hash of a number."""
    h = number * 0x2F0B4C47 % 2**32
    h = (h ^ h >> 15) * 0x85EBCA6B % 2**32
    return h ^ h >> 13
