"""Edit stability: how many tokens differ after one byte of a text was changed."""

from __future__ import annotations

import numpy as np

from stackc.api.arrays import Int64, Symbols
from stackc.coding.level import Level
from stackc.stack.learnability.excerpts import SEED, Excerpts, around, drawn, mean, shared

BEFORE, AFTER = 256, 256
"""Bytes of the text before the edited byte, and after it, that byte included: changes beyond these are not seen."""

KINDS = 3
"""Substitution, insertion, deletion."""


class Edits:
    """Excerpts of a text, each unchanged and after three edits of one byte.

    Args:
        excerpts: four for each place: unchanged, substituted, inserted, deleted.
        count: the number of places.
    """

    def __init__(self, excerpts: Excerpts, count: int) -> None:
        self._excerpts, self.count = excerpts, count

    @classmethod
    def drawn(cls, text: Symbols, offsets: Int64, most: int) -> Edits:
        """Edits at seeded places: at most `most`, and no more than excerpts of their size fit into the text.

        New bytes are the text's own, from any place of it; a substitution by the same byte flips its lowest bit.
        """
        most = min(most, -(-len(text) // (BEFORE + AFTER)))
        places = drawn(np.arange(len(text)), most, 1)
        fresh = text[np.random.default_rng([SEED, 3]).integers(0, max(len(text), 1), (len(places), 2))]
        texts = []
        for place, (other, another) in zip(places.tolist(), fresh.tolist(), strict=True):
            before, after = around(text, offsets, place, BEFORE, AFTER)
            other ^= other == after[0]
            texts += [
                before + after,
                before + bytes([other]) + after[1:],
                before + bytes([another]) + after,
                before + after[1:],
            ]
        return cls(Excerpts.of(texts), len(places))

    def encoded(self, level: Level) -> Edits:
        return Edits(self._excerpts.encoded(level), self.count)

    def changed(self) -> tuple[float | None, float | None, float | None]:
        """Tokens changed by a substitution, an insertion and a deletion, on average over the places."""
        found: list[list[int]] = [[] for _ in range(KINDS)]
        for place in range(self.count):
            original = self._excerpts[(KINDS + 1) * place]
            for kind in range(KINDS):
                found[kind].append(changed(original, self._excerpts[(KINDS + 1) * place + 1 + kind]))
        substituted, inserted, deleted = map(mean, found)
        return substituted, inserted, deleted


def changed(one: Symbols, other: Symbols) -> int:
    """How many tokens the longer of two sequences has left without their common beginning and then their common end."""
    before = shared(one, other)
    after = shared(one[before:][::-1], other[before:][::-1])
    return max(len(one), len(other)) - before - after
