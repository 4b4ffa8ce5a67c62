"""The model with twelve contexts in plain Python integers: where it differs from `stackc_mixing.twins.many`."""

from __future__ import annotations

from stackc_mixing import layout
from stackc_mixing.shapes import TWELVE
from stackc_mixing.tables import CLASS, MOVES, SPAN, SQUASH, STRETCH
from stackc_mixing.twins.many import Decision
from stackc_mixing.twins.numbers import RICH_CELL, chain, clipped, fields, hashed, moved_cell, wrapped
from stackc_mixing.twins.some import SomeTwin


class TwelveTwin(SomeTwin):
    """A working copy, at the beginning of a run. Arguments: see `Twin`."""

    shape = TWELVE
    rates = (TWELVE.rate, TWELVE.rate_more, TWELVE.rate_bits)
    zeros = 0  # of the last bytes, so many are zero, at most MOST_ZEROS
    solid: tuple[int, ...] = (0,) * 5  # the last bytes that are not, the last one first

    # -- contexts

    def _byte_contexts(self) -> list[int]:
        found = super()._byte_contexts()
        word, word_1, word_2 = self.words
        c1, c3, c4 = (self._before(back) for back in (1, 3, 4))
        if len(self.text) >= self.no_text:
            return [*found, chain(word + 13, word_1, word_2), chain(word_1 + 14, c1)]
        zeros = hashed(self.zeros, 20)
        a, b, c, d, e = self.solid
        found[7], found[9] = chain(len(self.text) % 4, 21, c1), chain(c3, 22, c4)
        three = a + b * 2**8 + c * 2**16
        return [*found, chain(zeros, three), chain(zeros, three + d * 2**24, e)]

    def _token_contexts(self) -> list[int]:
        c1, c2, c3, c4, c5 = (self._before(back) for back in range(1, 6))
        return [*super()._token_contexts(), chain(c1, 1, c2, c3, c4, c5), chain(c2, 14, c3, c4)]

    def _read_byte(self, byte: int) -> None:
        if byte == 0:
            self.zeros = min(self.zeros + 1, layout.MOST_ZEROS)
            self.no_text = len(self.text) - 1 + layout.NO_TEXT_BYTES
            return
        self.zeros, self.solid = 0, (byte, *self.solid[:4])
        super()._read_byte(byte)

    # -- inputs, mixing, refinement

    def _decide(self, partial: int, slots: list[int]) -> Decision:
        known = partial.bit_length() - 1
        node = 2 ** (known % 4) + partial % 2 ** (known % 4)
        own, scores = [], []
        for i in range(len(self.shape.contexts)):
            if i < len(self.shape.rich):
                p, count, _ = fields(self.tables["rich"][slots[i] + node], RICH_CELL)
                own.append(int(STRETCH[p >> 6]) * int(layout.CONFIDENCE[count]) >> 8)
            scores.append(self.tables["scores"][self._score(i, slots[i] + node)] >> layout.SCORE_BITS)
        hit, near, match = self._match_inputs(partial, known)
        inputs = [*scores, *own, *match, int(STRETCH[self.tables["zero"][partial] >> 20])]

        sets = [len(inputs) * number for number in self._sets(partial, known, near)]
        total = sum(
            wrapped(x * (weight >> layout.FINE)) >> 8 for x, weight in zip(inputs, self._summed(sets), strict=True)
        )
        stretched = clipped(wrapped(total) >> 8)
        row = layout.POINTS * (256 * (self._before(1) % 256) + partial % 256)
        place = (stretched + SPAN) * 89540 >> 20  # in a row, in sixteenths of a point
        point, part = divmod(place, 16)
        apm = self.tables["apm_1"]
        refined = (16 - part) * apm[row + point] + part * apm[row + point + 1]
        p = min(max(16 * int(SQUASH[stretched + SPAN]) + refined >> 5, 1), 65535)
        return Decision(node, inputs, hit, sets, [], 0, stretched, (row + (place + 8) // 16,), p)

    def _classes(self) -> tuple[int, int]:
        """Of the last byte, and of the one before."""
        if self.depth != 8:
            return 0, 0
        return int(CLASS[self._before(1)]), int(CLASS[self._before(2)])

    def _sets(self, partial: int, known: int, near: int) -> list[int]:
        """The numbers of the five sets of weights."""
        last, before = self._classes()
        column = min(len(self.text) - self.lines[0], 127) if self.depth == 8 else self._before(2) % 128
        pair = hashed(self.hashes[len(self.shape.order_2)], known)
        return [
            layout.KNOWN_AT + 64 * (4 * self.order + near) + 8 * (known % 8) + last,
            layout.PARTIAL_AT + 256 * last + partial % 256,
            layout.COLUMN_AT + 1024 * min(known, 3) + 128 * last + column,
            layout.CLASSES_AT + 512 * before + 64 * last + partial % 64,
            layout.PAIR_AT + pair % layout.PAIRS,
        ]

    def _summed(self, sets: list[int]) -> list[int]:
        weights = self.tables["weights"]
        return [wrapped(sum(weights[begin + j] for begin in sets)) for j in range(len(self.shape.inputs))]

    def _history(self, i: int, cell: int) -> int:
        if i < len(self.shape.rich):
            return fields(self.tables["rich"][cell], RICH_CELL)[2]
        return int(self.tables["lean"][cell])

    def _score(self, i: int, cell: int) -> int:
        """Where the score of what context i has seen stands."""
        return 256 * (self._classes()[0] * len(self.shape.contexts) + i) + self._history(i, cell)

    def _match_inputs(self, partial: int, known: int) -> tuple[int, int, list[int]]:
        hit, near, inputs = super()._match_inputs(partial, known)
        return hit, near, inputs[:1]

    def _hit_input(self, hit: int) -> int:
        return int(self.tables["matches"][hit]) >> layout.SCORE_BITS

    # -- learning

    def _teach(self, made: Decision, bit: int) -> None:
        error = 65535 * bit - int(SQUASH[made.stretched + SPAN])
        weights, summed = self.tables["weights"], self._summed(made.sets)
        rich, match = len(self.shape.rich), len(self.shape.rich) + len(self.shape.contexts)

        # Scores move by the weights that their inputs had.
        more = layout.SCORE_RATE_MORE // (1 + (self.seen >> layout.SCORE_RATE_BITS))
        step = error * (layout.SCORE_RATE + more) >> 10
        cells = [slot + made.node for slot in self.slots]
        histories = [self._history(i, cell) for i, cell in enumerate(cells)]
        for i, cell in enumerate(cells):
            self._move("scores", self._score(i, cell), summed[i], step)
        if made.hit:
            self._move("matches", made.hit, summed[match], step)

        rate, more, bits = self.rates
        step = (error * (rate + more // (1 + (self.seen >> bits))) >> 8) if abs(error) > layout.SURE else 0
        for j, x in enumerate(made.inputs):
            move = wrapped(x * step + 2 ** (13 - layout.FINE)) >> 14 - layout.FINE
            for begin in made.sets:
                weights[begin + j] = wrapped(weights[begin + j] + move)
        apm, point = self.tables["apm_1"], made.points[0]
        apm[point] += 65535 * bit - apm[point] >> 6

        # Contexts that share a node make the same of it.
        own = [self.tables["rich"][cell] for cell in cells[:rich]]
        for i, (cell, history) in enumerate(zip(cells, histories, strict=True)):
            after = int(MOVES[2 * history + bit])
            if i < rich:
                self.tables["rich"][cell] = moved_cell(own[i], bit) | after
            else:
                self.tables["lean"][cell] = after

    def _move(self, name: str, place: int, weight: int, step: int) -> None:
        score = wrapped(self.tables[name][place] + (wrapped((weight >> 6 + layout.FINE) * step + 2) >> 2))
        bound = SPAN << layout.SCORE_BITS
        self.tables[name][place] = min(max(score, -bound), bound)

    def _learn_hit(self, hit: int, bit: int) -> None:
        """Its score has moved in `_teach`."""
