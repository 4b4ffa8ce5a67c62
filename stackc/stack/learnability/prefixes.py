"""The prefix property: whether the tokens of a prompt begin the tokens of the prompt and its answer."""

from __future__ import annotations

import numpy as np

from stackc.api.arrays import Int64, Symbols
from stackc.coding.level import Level
from stackc.stack.learnability.excerpts import Excerpts, around, drawn, mean, shared
from stackc.stack.learnability.words import BLANK

BEFORE, AFTER = 96, 32
"""Bytes of a prompt and of an answer, at most."""

LINE = b"\nAnswer:"
"""The end of the second prompt at every place."""


class Prompts:
    """Prompts cut from their answers before a blank.

    Args:
        excerpts: four for each place: prompt; prompt and answer; the same two with `LINE` after the prompt.
        count: the number of places.
    """

    def __init__(self, excerpts: Excerpts, count: int) -> None:
        self._excerpts, self.count = excerpts, count

    @classmethod
    def drawn(cls, text: Symbols, offsets: Int64, most: int) -> Prompts:
        """Prompts of seeded places before a blank: at most `most`, and no more than excerpts fit into the text."""
        most = min(most, -(-len(text) // (BEFORE + AFTER)))
        blanks = np.flatnonzero(text == BLANK)
        places = drawn(blanks[~np.isin(blanks, offsets)], most, 2)
        texts = []
        for place in places.tolist():
            prompt, answer = around(text, offsets, place, BEFORE, AFTER)
            texts += [prompt, prompt + answer, prompt + LINE, prompt + LINE + answer]
        return cls(Excerpts.of(texts), len(places))

    def encoded(self, level: Level) -> Prompts:
        return Prompts(self._excerpts.encoded(level), self.count)

    def shares(self) -> tuple[float | None, float | None]:
        """The share of places with the property: before a blank, and after `LINE`."""
        found: list[list[int]] = [[], []]
        for place in range(self.count):
            for kind in range(2):
                prompt, whole = (self._excerpts[4 * place + 2 * kind + i] for i in range(2))
                found[kind].append(shared(prompt, whole) == len(prompt))
        before, after = map(mean, found)
        return before, after
