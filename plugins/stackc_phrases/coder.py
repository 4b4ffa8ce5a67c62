"""The coder `phrases`: how it is fitted, loaded and used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import numpy as np

from stackc.api import CodingError, Int64, Symbols, Text, Tokens, offsets_of
from stackc_phrases import encoding, lookup
from stackc_phrases.config import BYTES, PhrasesConfig
from stackc_phrases.pieces import PHRASE_WORD, Pieces
from stackc_phrases.words import words_of_piece

GROUP = 1 << 20
"""Bytes that are cut at a time, about, so that the memory besides text and tokens stays small."""


def _slots(entries: int) -> int:
    """A power of two, at least twice the entries."""
    return 1 << max(4, (2 * entries - 1).bit_length())


@attrs.frozen(eq=False)
class Tables:
    """What `stackc_phrases.lookup` describes, made of pieces."""

    parts: Any
    part: Any
    table: Any
    runs: Any
    keys: Any
    values: Any
    costs: Any
    sizes: Any

    @classmethod
    def of(cls, pieces: Pieces, cheapest: bool) -> Tables:
        texts, sizes = pieces.joined()
        inside = np.flatnonzero(pieces.words == 1)
        room = int((sizes[inside + 1] - sizes[inside]).sum())
        parts, part = np.zeros(_slots(room), np.uint64), np.empty(room + BYTES + 2, np.int32)
        lookup.enter_parts(texts, sizes, inside, parts, part)
        phrases = np.flatnonzero(pieces.words > 1)
        split = [words_of_piece(pieces.texts[token]) for token in phrases.tolist()]
        words = [pieces.texts[token] for token in inside.tolist() if len(pieces.texts[token]) <= PHRASE_WORD]
        numbers = {word: number for number, word in enumerate(words)}
        for word in [word for phrase in split for word in phrase] + pieces.common:
            numbers.setdefault(word, len(numbers))
        flat = np.array([numbers[word] for phrase in split for word in phrase], np.int64)
        begins = np.zeros(len(numbers), np.bool_)
        keys, values = np.zeros(_slots(len(flat)), np.uint64), np.zeros(_slots(len(flat)), np.uint64)
        lookup.enter_phrases(flat, offsets_of(list(map(len, split))), phrases, len(numbers), keys, values, begins)
        spelt, ends = np.frombuffer(b"".join(numbers), np.uint8), offsets_of(list(map(len, numbers)))
        table, runs = np.zeros(_slots(len(numbers)) * lookup.SLOT, np.uint64), np.empty(len(spelt), np.uint32)
        lookup.enter_words(spelt, ends, begins, pieces.costs, sizes, cheapest, parts, part, table, runs)
        return cls(parts, part, table, runs, keys, values, pieces.costs, sizes)


class PhrasesCoder:
    """A piece coder (`stackc.api.PieceCoder`).

    Args:
        config: if the text has too few candidates, the last tokens represent nothing.
    """

    def __init__(self, config: PhrasesConfig) -> None:
        self.config = config
        self._pieces: Pieces | None = None
        self._tables: Tables | None = None

    def fit(self, train: Text, alphabet: int, folder: Path) -> None:
        """Find the pieces in the text and write them to `folder`."""
        from stackc_phrases.fitting import fitted

        if alphabet != BYTES:
            raise CodingError(f"phrases codes bytes, not an alphabet of {alphabet}")
        fitted(train, self.config).write(folder)

    def load(self, folder: Path) -> None:
        """Read the pieces that `fit` wrote."""
        pieces = Pieces.read(folder, self.config.vocabulary)
        self._tables = Tables.of(pieces, self.config.parse == "optimal")
        self._pieces = pieces

    def _ready(self) -> tuple[Pieces, Tables]:
        if self._pieces is None or self._tables is None:
            raise CodingError("phrases has no tokens yet; fit it to a text and load them first")
        return self._pieces, self._tables

    def pieces(self) -> tuple[Symbols, Int64]:
        """The bytes of every token, end to end, and int64[N + 1], where each starts and ends."""
        pieces, _ = self._ready()
        return pieces.joined()

    def encode(self, symbols: Symbols, bounds: Int64) -> tuple[Tokens, Int64]:
        """The tokens of all windows, and the number of tokens in each."""
        _, t = self._ready()
        text = np.ascontiguousarray(symbols, np.uint8)
        counts = np.zeros(len(bounds) - 1, np.int64)
        made = []
        first = 0
        while first < len(counts):
            last = int(np.searchsorted(bounds, bounds[first] + GROUP, "right")) - 1
            last = max(first + 1, min(last, len(counts)))
            group, own = bounds[first : last + 1], counts[first:last]
            out = np.empty(int(group[-1] - group[0]), np.uint32)
            tables = (t.parts, t.part, t.table, t.runs, t.keys, t.values)
            if self.config.parse == "optimal":
                filled = encoding.encode_cheapest(text, group, *tables, t.costs, t.sizes, out, own)
            else:
                filled = encoding.encode_longest(text, group, *tables, out, own)
            made.append(out[:filled])
            first = last
        return np.concatenate(made) if made else np.empty(0, np.uint32), counts
