"""The prefix property: whether the tokens of a prompt begin the tokens of the prompt and its answer."""

from __future__ import annotations

import itertools

import numpy as np

from stackc.api.arrays import Int64, Mask, Symbols
from stackc.coding.level import Level
from stackc.stack.learnability.excerpts import Excerpts, around, drawn, mean, shared
from stackc.stack.learnability.words import BLANK

BEFORE, AFTER = 96, 32
"""Bytes of a prompt and of an answer, at most."""

STRETCH = np.frombuffer(b" \t\x0b\x0c", np.uint8)
"""Bytes that a blank may follow in one stretch. Inside it the text after a prompt may decide how the stretch is cut."""

LINE = b"\nAnswer:"
"""The end of the second prompt at every place."""


class Prompts:
    """Prompts cut from their answers before a blank.

    Args:
        excerpts: four for each place: prompt; prompt and answer; the same two with `LINE` after the prompt.
        first: bool[n], whether the blank at each place is the first of its stretch: no byte of `STRETCH` before it.
    """

    def __init__(self, excerpts: Excerpts, first: Mask) -> None:
        self._excerpts, self._first = excerpts, first

    @property
    def count(self) -> int:
        """The number of places."""
        return len(self._first)

    @property
    def first(self) -> int:
        """The number of places before the first blank of a stretch."""
        return int(self._first.sum())

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
        return cls(Excerpts.of(texts), ~np.isin(text[places - 1], STRETCH))  # no place is the start of a document

    def encoded(self, level: Level) -> Prompts:
        return Prompts(self._excerpts.encoded(level), self._first)

    def shares(self) -> tuple[float | None, float | None, float | None]:
        """The share of places with the property: before a blank, before the first of a stretch, and after `LINE`."""
        found: list[list[int]] = [[], []]
        for place in range(self.count):
            for kind in range(2):
                prompt, whole = (self._excerpts[4 * place + 2 * kind + i] for i in range(2))
                found[kind].append(shared(prompt, whole) == len(prompt))
        at_first = list(itertools.compress(found[0], self._first))
        before, first, after = mean(found[0]), mean(at_first), mean(found[1])
        return before, first, after
