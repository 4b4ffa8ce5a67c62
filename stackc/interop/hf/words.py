"""The ids of words that were met before. Where every word is coded on its own, short texts are put together from these.

A level takes some 50 microseconds for a call, however short the text, and several levels take as much each; a word that
is known takes a tenth of one. Long texts and large batches go through the levels, which are faster there. So does a
text with a new word, which is learnt: that takes up to twice as long as the levels alone.
"""

from __future__ import annotations

import itertools
import re

import numpy as np

from stackc.coding.level import Level
from stackc.interop.hf.coding import encode_batch
from stackc.interop.hf.rows import Ids

SHORT = 1 << 12
"""Bytes of all texts of a call, at most."""

MOST, LONGEST = 1 << 15, 64
"""Words that are kept, and bytes of one: 30 MB at most."""


def word_rule(levels: list[Level]) -> str | None:
    """The expression whose matches every level codes on their own, so that a word has the same tokens in every text.

    None if the levels have no such expression in common: then a token may depend on more than one word.
    """
    rules = {_rule(level) for level in levels}
    return rules.pop() if len(rules) == 1 and all(level.texts is not None for level in levels) else None


def _rule(level: Level) -> str | None:
    """The rule of the windows, or of the coder if a segment is one window."""
    spec = level.spec
    if spec.windowing.rule is not None or not spec.one_window or not hasattr(spec.coder, "plain"):
        return spec.windowing.rule
    plain = spec.coder.plain()
    return None if plain is None else plain.pattern


class WordMemory:
    """Threads may share it.

    Args:
        levels: the levels of a stack.
        rule: their `word_rule`.
    """

    def __init__(self, levels: list[Level], rule: str) -> None:
        self._levels, self._rule = levels, re.compile(rule)
        self._most = min(SHORT, *(level.spec.segment for level in levels))
        self._known: dict[str, Ids] = {}

    def ids(self, texts: list[bytes]) -> list[Ids] | None:
        """The ids of each text, as `encode_batch` gives them; None if the texts are too long for it."""
        if sum(map(len, texts)) > self._most:
            return None
        known, split = self._known, [self._split(text) for text in texts]
        if any(len("".join(words)) != len(text) for words, text in zip(split, texts, strict=True)):
            return None  # the rule leaves something out
        made = []
        try:
            for words in split:
                ids: Ids = []
                for word in words:
                    ids += known[word]
                made.append(ids)
        except KeyError:
            return self._learnt(texts, split)
        return made

    def _split(self, text: bytes) -> list[str]:
        read = text.decode("latin-1")
        if self._rule.groups:  # `findall` would give these
            return [match[0] for match in self._rule.finditer(read)]
        found: list[str] = self._rule.findall(read)
        return found

    def _learnt(self, texts: list[bytes], split: list[list[str]]) -> list[Ids]:
        """The same through the levels. Words are learnt where they stand: an `'s` alone would be two words."""
        batch = encode_batch(self._levels, texts, spans=True)
        assert batch.spans is not None
        tokens, bounds, begins = batch.tokens.tolist(), batch.offsets.tolist(), batch.spans[:, 0]
        rows = [tokens[low:high] for low, high in itertools.pairwise(bounds)]
        found: dict[str, Ids] = {}
        for row, low, words in zip(rows, bounds[:-1], split, strict=True):
            own = begins[low : low + len(row)]
            starts = list(itertools.accumulate(map(len, words), initial=0))
            marks = np.searchsorted(own, starts).tolist()
            spans = itertools.pairwise(marks)
            found.update((word, row[first:end]) for word, (first, end) in zip(words, spans, strict=True))
        kept = {word: ids for word, ids in found.items() if len(word) <= LONGEST}
        if len(self._known) + len(kept) > MOST:
            self._known = {}  # another thread may still read the old one
        self._known.update(kept)
        return rows
