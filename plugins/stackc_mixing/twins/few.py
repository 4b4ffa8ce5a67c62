"""The model with few contexts in plain Python integers: what it does otherwise than `stackc_mixing.twins.many`."""

from __future__ import annotations

from stackc_mixing import layout
from stackc_mixing.tables import MOVES, SEEN, SPAN, SQUASH, STRETCH
from stackc_mixing.twins.many import Decision, Twin
from stackc_mixing.twins.numbers import MAP_ENTRY, chain, fields, hashed


class FewTwin(Twin):
    """A working copy, at the beginning of a run. Arguments: see `Twin`."""

    contexts = layout.FEW
    rates = (layout.FEW_RATE, layout.FEW_RATE_MORE, layout.FEW_RATE_BITS)

    def _begin_symbol(self, keep: bool) -> None:
        c1, c2, c3, c4, c5, c6 = (self._before(back) for back in range(1, 7))
        six = chain(c1, 1, c2, c3, c4, c5, c6)
        word = chain(self.words[0] + 7, c1) if self.depth == 8 else chain(c2, 9, c3)
        # The last two are not contexts: the match is found by them.
        self.hashes = [chain(c1, 1), chain(c1, 1, c2), chain(c1, 1, c2, c3), chain(c1, 1, c2, c3, c4), word, six, six]
        self.slots = self._open(0, keep)
        self._match(keep)

    def _open(self, opening: int, keep: bool) -> list[int]:
        """As `Twin._open`. Of far contexts, only the place in a line of four slots depends on the symbol's bits."""
        lean = self.tables["lean"]
        count = len(lean) // layout.SLOT - 1
        found = []
        for i, context in enumerate(self.hashes[: self.contexts]):
            h = self._slot_hash(context, opening // 2)
            first, whole = (one * 0xC2B2AE35 % 2**32 // 16 % count for one in (h, self._slot_hash(context, 0)))
            if i >= layout.FAR:
                first = whole - whole % 4 + first % 4
            check = (h + opening % 2) % 2**8
            places = [layout.SLOT * (first ^ other) for other in (0, 1, 2)]
            there = [place for place in places if lean[place] == check]
            if not there and keep:
                there = [layout.SLOT * count]
            if not there:
                there = [min(places, key=lambda place: int(SEEN[lean[place + 1]]))]
                lean[there[0]] = check
                for node in range(1, layout.SLOT):
                    lean[there[0] + node] = 0
            found.append(there[0])
        return found

    def _slot_hash(self, context: int, bits: int) -> int:
        """Of a context and the decisions before a slot's, which says where the slot is."""
        return hashed(context, bits)

    def _decide(self, partial: int, slots: list[int]) -> Decision:
        known = partial.bit_length() - 1
        node = 2 ** (known % 4) + partial % 2 ** (known % 4)
        inputs = []
        for i, slot in enumerate(slots):
            history = self.tables["lean"][slot + node]
            inputs.append(int(STRETCH[self.tables["maps"][256 * i + history] >> 20]) if history else 0)
        hit, near, match = self._match_inputs(partial, known)
        inputs += [*match, int(STRETCH[self.tables["zero"][partial] >> 20])]
        begin = layout.FEW_INPUTS * ((256 * near + self._before(1) % 256) * 8 + known % 8)
        answer = self._dot(inputs, begin)

        row = layout.POINTS * (partial % 256)
        place = (answer + SPAN) * 89540 >> 20  # in a row, in sixteenths of a point
        point, part = divmod(place, 16)
        apm = self.tables["apm_1"]
        p = 16 * int(SQUASH[answer + SPAN]) + (16 - part) * apm[row + point] + part * apm[row + point + 1]
        nearest = row + (place + 8) // 16
        return Decision(node, inputs, hit, [begin], [answer], 0, answer, (nearest,), min(max(p >> 5, 1), 65535))

    def _teach(self, made: Decision, bit: int) -> None:
        target = 65535 * bit
        self._correct(made.inputs, made.sets[0], target - int(SQUASH[made.stretched + SPAN]))
        apm, lean, maps = self.tables["apm_1"], self.tables["lean"], self.tables["maps"]
        apm[made.points[0]] += target - apm[made.points[0]] >> 6
        # All are read before one is written: two contexts may share a node.
        histories = [lean[slot + made.node] for slot in self.slots]
        for i, history in enumerate(histories):
            lean[self.slots[i] + made.node] = int(MOVES[2 * history + bit])
            p = fields(maps[256 * i + history], MAP_ENTRY)[0]
            maps[256 * i + history] = (p + (bit * (2**22 - 1) - p >> layout.FEW_STEP)) * 2**10
