"""The figures of every level, and the samples of held-out text that they are measured on (docs/concepts.md).

Samples are drawn once, from the bytes, with a fixed seed; every level encodes what the level below made of them. So all
levels, and all stacks measured on one text with levels of one speed, see the same edits and the same prompts.
"""

from __future__ import annotations

import attrs
import numpy as np

from stackc.api.arrays import Int64, Symbols
from stackc.coding.level import Level
from stackc.stack.learnability.borders import UNIT, token_places
from stackc.stack.learnability.edits import Edits
from stackc.stack.learnability.prefixes import Prompts
from stackc.stack.learnability.words import words_cut_alike

FAST, STEPPED, ALONE = (300, 2000), (100, 200), (4, 8)
"""(Places of edits, places of prompts) if every level looks texts up, if a model runs in lanes, if one runs alone."""


@attrs.frozen(kw_only=True)
class Learnability:
    """Figures of one level. None: the text has no such place, or they are not defined.

    Attributes:
        edit_places: places at which one byte was substituted, inserted and deleted.
        tokens_per_substitution: tokens that differ after it, on average.
        tokens_per_insertion, tokens_per_deletion: likewise.
        words_cut_alike: share of word occurrences that are cut in their word's most frequent way, 0 to 1.
        prefix_places: places at which a prompt was cut from its answer.
        prefix_before_blank: share of them at which the prompt's tokens begin those of the whole, 0 to 1.
        first_blank_places: those of these places before the first blank of a stretch of blanks and tabs.
        prefix_before_first_blank: the same at those.
        prefix_after_answer: the same at all of them with the line ``Answer:`` at the prompt's end.
        codes_used_train: share of the token alphabet that occurs in the training text's tokens, 0 to 1.
        codes_used_test: the same of the measured text.
    """

    edit_places: int | None = None
    tokens_per_substitution: float | None = None
    tokens_per_insertion: float | None = None
    tokens_per_deletion: float | None = None
    words_cut_alike: float | None = None
    prefix_places: int | None = None
    prefix_before_blank: float | None = None
    first_blank_places: int | None = None
    prefix_before_first_blank: float | None = None
    prefix_after_answer: float | None = None
    codes_used_train: float | None = None
    codes_used_test: float | None = None


class Samples:
    """The samples of one text, on their way through the levels of a stack.

    Args:
        symbols: uint8[n], the bytes of the documents.
        offsets: int64[D + 1], their bounds.
        levels: all levels of the stack, of which the slowest decides how many places are drawn.
    """

    def __init__(self, symbols: Symbols, offsets: Int64, levels: list[Level]) -> None:
        edits, prompts = min((_places(level) for level in levels), default=FAST)
        self._text, self._bounds = np.asarray(symbols, np.uint8), offsets
        self._edits = Edits.drawn(self._text, offsets, edits)
        self._prompts = Prompts.drawn(self._text, offsets, prompts)
        self._places: Int64 | None = np.arange(len(symbols) + 1) * UNIT

    def measure(
        self, level: Level, symbols: Symbols, starts: Int64, tokens: Symbols, counts: Int64 | None
    ) -> Learnability:
        """The figures of the next level. Call it once for each, lowest first.

        Args:
            level: the level.
            symbols: what it reads: the whole measured text, as the level below wrote it.
            starts: int64[w], where its windows start in `symbols`.
            tokens: what it wrote.
            counts: int64[A], counts of its tokens in the training text; None: unknown.
        """
        self._edits = self._edits.encoded(level)
        self._prompts = self._prompts.encoded(level)
        if self._places is not None:
            self._places = token_places(level, symbols, starts, len(tokens), self._places)
        substituted, inserted, deleted = self._edits.changed()
        before, first, after = self._prompts.shares()
        return Learnability(
            edit_places=self._edits.count or None,
            tokens_per_substitution=substituted,
            tokens_per_insertion=inserted,
            tokens_per_deletion=deleted,
            words_cut_alike=None if self._places is None else words_cut_alike(self._text, self._bounds, self._places),
            prefix_places=self._prompts.count or None,
            prefix_before_blank=before,
            first_blank_places=self._prompts.first or None,
            prefix_before_first_blank=first,
            prefix_after_answer=after,
            codes_used_train=None if counts is None else np.count_nonzero(counts) / len(counts),
            codes_used_test=len(np.unique(tokens)) / level.token_alphabet if len(tokens) else None,
        )


def _places(level: Level) -> tuple[int, int]:
    """How many places a level is fast enough for."""
    if not level.route.steps:
        return FAST
    alone = level.portability != "portable" or level.route.learns
    return ALONE if alone else STEPPED
