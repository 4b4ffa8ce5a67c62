"""The model in plain Python integers: slow, readable, and the oracle of `kernels`.

A decision goes through five steps, each a method of `Twin`: the contexts' slots are opened (every four decisions), they
and the match give inputs, two or three sets of weights mix these, one or two refinements correct the result, and the
bit teaches all of them. Numbers of the tables are bit fields; `fields` takes them apart, most significant first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from stackc.api import BitCoder
from stackc_mixing import layout
from stackc_mixing.shapes import MANY
from stackc_mixing.tables import (
    CONTROL,
    END_OF_LINE,
    KINDS,
    LETTER,
    LOWER,
    MOVES,
    SEEN,
    SEPARATOR,
    SPAN,
    SQUASH,
    STRETCH,
)
from stackc_mixing.twins.numbers import RICH_CELL, chain, clipped, fields, hashed, moved, moved_cell, wrapped


@attrs.define
class Decision:
    """The intermediate values of a decision, which learning needs again.

    Attributes:
        node: in each slot.
        inputs: stretched probabilities.
        hit: entry of `hits`; 0: nothing is predicted by a match.
        sets: where in `weights` the sets begin that mix, two or three.
        answers: of the sets, stretched.
        final: where in `second` the weights of the answers begin.
        stretched: the answers mixed.
        points: in `apm_1`, and in `apm_2` if there are two refinements, the nearest.
        p: probability of a one, over 2^16.
    """

    node: int
    inputs: list[int]
    hit: int
    sets: list[int]
    answers: list[int]
    final: int
    stretched: int
    points: tuple[int, ...]
    p: int


class Twin:
    """A working copy, at the beginning of a run.

    Args:
        tables: `stackc_mixing.state.Working.tables`, copied.
        window: symbols before the run, to copy from.
        seen: bits that were learned from before.
        depth: decisions of a symbol.
    """

    shape = MANY
    rates = (MANY.rate, MANY.rate_more, MANY.rate_bits)

    def __init__(self, tables: Mapping[str, Any], window: Sequence[int], seen: int, depth: int) -> None:
        # As memory of integers: reading gives a Python integer, writing one that does not fit raises.
        self.tables = {name: memoryview(table.copy()) for name, table in tables.items()}
        self.window, self.seen, self.depth = [int(symbol) for symbol in window], seen, depth
        self.text: list[int] = []
        self.words = [0, 0, 0]  # hashes of this word, or 0 between words, and of the two before
        self.lines = [0, 0]  # where this line begins, and the last
        self.field = self.no_text = 0  # of the line; and bytes before this place are taken for numbers
        self.source = self.length = 0  # where the match continues in window and text, and how long it is
        self.partial = 1  # and the bits of this symbol that are known
        self.decision: Decision | None = None

    # -- use

    def encode(self, symbols: Sequence[int]) -> bytes:
        coder = BitCoder()
        for symbol in symbols:
            for bit in self.decisions(symbol):
                self.learn(coder.code(self.probability(), bit))
        return coder.finish()

    def decode(self, payload: bytes, count: int) -> list[int]:
        coder = BitCoder(payload)
        while len(self.text) < count:
            self.learn(coder.code(self.probability()))
        return self.text

    def decisions(self, symbol: int) -> list[int]:
        """The bits that the next symbol takes if it is this one."""
        code, size = self._code(symbol)
        return [code >> shift & 1 for shift in reversed(range(size))]

    def probability(self) -> int:
        """Of a one, over 2^16, in the next decision."""
        if self.decision is None:
            if self.known == 0:
                self._begin_symbol(keep=False)
            elif self.known % 4 == 0:
                self.slots = self._open(self.partial, keep=False)
            self.decision = self._decide(self.partial, self.slots)
        return self.decision.p

    def tree(self, partials: Iterable[int] | None = None) -> list[int]:
        """Of the decisions of the next symbol (all of them, the first one included), learning nothing in between."""
        self._begin_symbol(keep=True)
        found = []
        for partial in range(1, 2**self.depth) if partials is None else partials:
            known = partial.bit_length() - 1
            slots = self.slots if known < 4 else self._open(partial >> known % 4, keep=True)
            found.append(self._decide(partial, slots).p)
        return found

    # -- contexts and slots

    @property
    def known(self) -> int:
        """How many bits of this symbol are known."""
        return self.partial.bit_length() - 1

    def _begin_symbol(self, keep: bool) -> None:
        self.hashes = self._byte_contexts() if self.depth == 8 else self._token_contexts()
        self.slots = self._open(0, keep)
        known = [
            self._evidence(i, self.slots[i]) if i < len(self.shape.rich) else self.tables["lean"][self.slots[i] + 1]
            for i in range(len(self.shape.order_6) + 1)
            if i != len(self.shape.word)
        ]
        self.order = min(5, sum(one > 0 for one in known))
        self._match(keep)

    def _before(self, back: int) -> int:
        """The symbol so far back in the run, or 0."""
        return self.text[-back] if back <= len(self.text) else 0

    def _byte_contexts(self) -> list[int]:
        c1, c2, c3, c4, c5, c6 = (self._before(back) for back in range(1, 7))
        word, word_1, word_2 = self.words
        column = len(self.text) - self.lines[0]
        place = self.lines[1] + column
        above = self.text[place] if place < self.lines[0] else 0
        return [
            chain(c1, 1),
            chain(c1, 1, c2),
            chain(c1, 1, c2, c3),
            chain(word + 7, c1),
            chain(c1, 1, c2, c3, c4),
            chain(c1, 1, c2, c3, c4, c5),
            chain(c1, 1, c2, c3, c4, c5, c6),
            chain(c2, 9, c3),
            chain(above * 2**16 + 10, c1 + min(column, 255) * 2**8),
            chain(word + 11, word_2),
            chain(self.field * 2**16 + 12, c1 + above * 2**8),
            chain(word + 13, word_1, word_2),
            chain(word_1 + 14, c1),
            chain(word + 8, word_1),
        ]

    def _token_contexts(self) -> list[int]:
        c1, c2, c3, c4, c5, c6, c7 = (self._before(back) for back in range(1, 8))
        return [
            chain(c1, 1),
            chain(c1, 1, c2),
            chain(c1, 1, c2, c3),
            chain(c2, 2),
            chain(c1, 1, c2, c3, c4),
            chain(c1, 1, c2, c3, c4, c5),
            chain(c1, 1, c2, c3, c4, c5, c6),
            chain(c2, 9, c3),
            chain(c1, 10, c3),
            chain(c3, 11),
            chain(c1, 12, c4),
            chain(c1, 1, c2, c3, c4, c5, c6, c7),
            chain(c2, 14, c3, c4),
            chain(hashed(c1, 15), hashed(c3, c4)),
        ]

    def _open(self, opening: int, keep: bool) -> list[int]:
        """Where the slot of each context begins for the four decisions after `opening` (0: the symbol's first).

        A slot stands in one of three places, with a check next to it. Neither depends on much of a hash, so a wrong
        slot is found now and then. A context that has none takes the place of the least seen, or with `keep` the
        empty slot behind the table, which nothing is learned in.
        """
        found = []
        for i, context in enumerate(self.hashes):
            name = "rich" if i < len(self.shape.rich) else "lean"
            table = self.tables[name]
            count = len(table) // layout.SLOT - 1
            h = hashed(context, opening // 2)
            check = (h + opening % 2) % (2**16 if i < len(self.shape.rich) else 2**8)
            first = h * 0xC2B2AE35 % 2**32 // 16 % count
            places = [layout.SLOT * (first ^ other) for other in (0, 1, 2)]
            there = [place for place in places if table[place] % 2**16 == check]
            if not there and keep:
                there = [layout.SLOT * count]
            if not there:
                there = [min(places, key=lambda place, i=i: self._evidence(i, place))]  # type: ignore[misc]
                table[there[0]] = check
                for node in range(1, layout.SLOT):
                    table[there[0] + node] = layout.FRESH_CELL if i < len(self.shape.rich) else 0
            found.append(there[0])
        return found

    def _evidence(self, i: int, slot: int) -> int:
        """How much the slot of context i has seen: what happened at its first node."""
        if i < len(self.shape.rich):
            return fields(self.tables["rich"][slot + 1], RICH_CELL)[1]
        return int(SEEN[self.tables["lean"][slot + 1]])

    # -- the match

    def _match(self, keep: bool) -> None:
        """Find what followed the last six symbols the last time, unless a match continues."""
        places, at = self.tables["places"], len(self.window) + len(self.text)
        key = self._key() % len(places)
        source = places[key]
        if not self.length and 0 < source < at:
            most = min(layout.LONGEST, len(self.text), source)
            length = 0
            while length < most and self._copied(source - 1 - length) == self._before(length + 1):
                length += 1
            if length >= layout.LEAST:
                self.source, self.length = source, length
        if not keep:
            places[key] = wrapped(at)
        self.alive = self.length > 0  # until a bit of this symbol was another than that of the match's

    def _key(self) -> int:
        return self.hashes[len(self.shape.order_6)] * 0x9E3779B1 % 2**32 >> 7

    def _copied(self, place: int) -> int:
        return self.window[place] if place < len(self.window) else self.text[place - len(self.window)]

    # -- inputs, mixing, refinement

    def _decide(self, partial: int, slots: list[int]) -> Decision:
        known = partial.bit_length() - 1
        node = 2 ** (known % 4) + partial % 2 ** (known % 4)
        own, answers = [], []
        for i in range(len(self.shape.contexts)):
            if i < len(self.shape.rich):
                p, count, history = fields(self.tables["rich"][slots[i] + node], RICH_CELL)
                own.append(int(STRETCH[p >> 6]) * int(layout.CONFIDENCE[count]) >> 8)
            else:
                history = self.tables["lean"][slots[i] + node]
            answers.append(int(STRETCH[self.tables["maps"][256 * i + history] >> 20]) if history else 0)
        hit, near, match = self._match_inputs(partial, known)
        inputs = [*own, *answers, *match, int(STRETCH[self.tables["zero"][partial] >> 20]), 256]
        inputs += [0] * (len(self.shape.inputs) - len(inputs))

        last = self._before(1) % 256
        chosen = [
            layout.BY_ORDER + (4 * self.order + near) * 16 + known % 8 + 8 * (last >= 128),
            layout.BY_PARTIAL + partial % 256,
            layout.BY_PAIR + hashed(self.hashes[len(self.shape.order_2)], known) % layout.PAIRS,
        ]
        if len(self.shape.sets) == 2:
            del chosen[1]
        sets = [len(self.shape.inputs) * number for number in chosen]
        mixes = [self._dot(inputs, begin) for begin in sets]
        final = 4 * (partial % 256)
        stretched = clipped(sum(mix * self.tables["second"][final + s] for s, mix in enumerate(mixes)) >> 16)

        rows = {"apm_1": layout.POINTS * (256 * last + partial % 256)}
        if len(self.shape.refinements) == 2:
            three = hashed(self.hashes[len(self.shape.order_3)], partial) % layout.ROWS_2
            rows["apm_2"] = layout.POINTS * three
        place = (stretched + SPAN) * 89540 >> 20  # in a row, in sixteenths of a point
        point, part = divmod(place, 16)
        p = 16 * len(rows) * int(SQUASH[stretched + SPAN])  # half of what was mixed
        for name, row in rows.items():
            p += (16 - part) * self.tables[name][row + point] + part * self.tables[name][row + point + 1]
        p = min(max(p >> 4 + len(rows), 1), 65535)
        points = tuple(row + (place + 8) // 16 for row in rows.values())
        return Decision(node, inputs, hit, sets, mixes, final, stretched, points, p)

    def _match_inputs(self, partial: int, known: int) -> tuple[int, int, list[int]]:
        """(entry of `hits`, how near certainty the match is, 0 .. 3; its two inputs)."""
        if not self.alive:
            return 0, 0, [0, 0]
        expected, size = self._code(self._copied(self.source))
        left = size - known
        if left <= 0 or expected >> left != partial:
            return 0, 0, [0, 0]
        one = expected >> left - 1 & 1
        kind = self.length if self.length < 16 else min(15 + (self.length - 16) // 16, layout.LENGTHS - 1)
        hit = 2 * kind + one
        force = 64 * min(self.length, 32)
        near = 1 if self.length < 16 else 2 if self.length < 32 else 3
        return hit, near, [self._hit_input(hit), force if one else -force]

    def _hit_input(self, hit: int) -> int:
        return int(STRETCH[self.tables["hits"][hit] >> 20])

    def _dot(self, inputs: list[int], begin: int) -> int:
        weights = self.tables["weights"][begin : begin + len(inputs)]
        total = sum(wrapped(x * weight) >> 8 for x, weight in zip(inputs, weights, strict=True))
        return clipped(wrapped(total) >> 8)

    # -- learning

    def learn(self, bit: int) -> None:
        """The decision that `probability` was asked for."""
        made = self.decision
        assert made is not None, "learn follows probability"
        self.decision = None
        self._teach(made, bit)
        if "zero" in self.tables:
            self.tables["zero"][self.partial] = moved(self.tables["zero"][self.partial], bit, layout.ZERO_COUNT)
        if made.hit:
            self._learn_hit(made.hit, bit)
        else:
            self.alive = False
        self.partial = 2 * self.partial + bit
        symbol = self._symbol()
        if symbol is not None:
            self._end_symbol(symbol)

    def _learn_hit(self, hit: int, bit: int) -> None:
        self.tables["hits"][hit] = moved(self.tables["hits"][hit], bit, layout.HIT_COUNT)

    def _code(self, symbol: int) -> tuple[int, int]:
        """(the bits of the next symbol, after a one, if it is this one; how many)."""
        return symbol | 2**self.depth, self.depth

    def _symbol(self) -> int | None:
        """The symbol that the bits known so far are, if they are one."""
        return self.partial - 2**self.depth if self.known == self.depth else None

    def _teach(self, made: Decision, bit: int) -> None:
        """Weights, refinements and contexts."""
        target = 65535 * bit
        for begin, answer in zip(made.sets, made.answers, strict=True):
            self._correct(made.inputs, begin, target - int(SQUASH[answer + SPAN]))
        error = target - int(SQUASH[made.stretched + SPAN])
        second = self.tables["second"]
        for s, answer in enumerate(made.answers):
            second[made.final + s] = wrapped(second[made.final + s] + (answer * error >> 14))
        for name, point in zip(("apm_1", "apm_2"), made.points, strict=False):
            self.tables[name][point] += target - self.tables[name][point] >> 6
        for i in range(len(self.shape.contexts)):
            self._learn_context(i, self.slots[i] + made.node, bit)

    def _correct(self, inputs: list[int], begin: int, error: int) -> None:
        """Move a set of weights along the error of its own answer, unless that is tiny."""
        rate, more, bits = self.rates
        step = error * (rate + more // (1 + (self.seen >> bits))) >> 8
        if abs(error) > layout.SURE:
            weights = self.tables["weights"]
            for j, x in enumerate(inputs):
                weights[begin + j] = wrapped(weights[begin + j] + (x * step + 2**13 >> 14))

    def _learn_context(self, i: int, cell: int, bit: int) -> None:
        if i < len(self.shape.rich):
            history = fields(self.tables["rich"][cell], RICH_CELL)[2]
            self.tables["rich"][cell] = moved_cell(self.tables["rich"][cell], bit) | int(MOVES[2 * history + bit])
        else:
            history = self.tables["lean"][cell]
            self.tables["lean"][cell] = int(MOVES[2 * history + bit])
        entry = 256 * i + history
        self.tables["maps"][entry] = moved(self.tables["maps"][entry], bit)

    def _end_symbol(self, symbol: int) -> None:
        if self.alive and self._copied(self.source) == symbol:
            self.source, self.length = self.source + 1, min(self.length + 1, 65535)
        else:
            self.length = 0
        self.text.append(symbol)
        self.seen += self.known
        self.partial = 1
        if self.depth == 8:
            self._read_byte(symbol)

    def _read_byte(self, byte: int) -> None:
        """What it is to words, lines and fields."""
        kind = int(KINDS[byte])
        if kind == LETTER:
            self.words[0] = hashed(self.words[0] + int(LOWER[byte]), 3)
            return
        if self.words[0]:
            self.words = [0, *self.words[:2]]
        if kind == END_OF_LINE:
            self.lines, self.field = [len(self.text), self.lines[0]], 0
        elif kind == SEPARATOR:
            self.field = (self.field + 1) % 256
        elif kind == CONTROL:
            self.no_text = len(self.text) - 1 + layout.NO_TEXT_BYTES
