"""The coder `phrases`: how it is fitted, loaded and used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import numpy as np

from stackc.api import (
    WORD_RULE,
    CodingError,
    Int64,
    PlainTokenizer,
    Symbols,
    Text,
    Tokens,
    groups_of,
    offsets_of,
    word_table,
)
from stackc_phrases import encoding, longest, lookup
from stackc_phrases.config import BYTES, PhrasesConfig
from stackc_phrases.fitting import fitted
from stackc_phrases.pieces import PHRASE_WORD, Pieces
from stackc_phrases.words import words_of_piece

PART = 1 << 20
"""Symbols of windows that are encoded at a time, or one window."""

SLOTS = 1 << 17
"""In the table of words, at least. Words that it has no room for are cut again each time, and that takes ten times as
long: a vocabulary of 1,024 had room for a few thousand words, and 2.6 MB of English have tens of thousands."""


def _slots(entries: int) -> int:
    """A power of two, at least twice the entries."""
    return 1 << max(4, (2 * entries - 1).bit_length())


def _lines(slots: int) -> Any:
    """uint64, not filled, for `slots` slots, two of which are one line of the cache.

    `np.empty` asks for large pages, and `np.zeros` does not.
    """
    room = np.empty((slots + 2) * lookup.SLOT, np.uint64)
    first = -room.ctypes.data // room.itemsize % (2 * lookup.SLOT)
    return room[first : first + slots * lookup.SLOT]


@attrs.define(eq=False)
class Lexicon:
    """A table of words, which learns; see `stackc_phrases.lookup`. It belongs to one caller at a time.

    Attributes:
        near, far: the table in front of it, and one of longer words (`stackc_phrases.longest`).
    """

    table: Any
    runs: Any
    filled: Int64
    near: Any
    far: Any
    _room: Tokens | None = None

    @classmethod
    def empty(cls, slots: int, runs: int) -> Lexicon:
        table = _lines(slots + 1)
        table[:] = 0
        return cls(table, np.empty(runs, np.uint32), np.zeros(2, np.int64), word_table(2), word_table(2))

    def room(self, symbols: int, kind: type[np.unsignedinteger[Any]]) -> Tokens:
        """Room for the tokens of a part, one for each symbol and `INLINE` more; it is kept.

        New memory for each part would take a tenth of the time.
        """
        wanted = symbols + lookup.INLINE
        if self._room is None or len(self._room) < wanted:
            self._room = np.empty(wanted, kind)
        return self._room

    @property
    def full(self) -> bool:
        """Whether it learns no more."""
        used = 2 * (int(self.filled[0]) + 1) >= len(self.table) // lookup.SLOT - 1
        return used or int(self.filled[1]) + PHRASE_WORD > len(self.runs)

    def copy(self) -> Lexicon:
        made = _lines(len(self.table) // lookup.SLOT)
        made[:] = self.table
        return Lexicon(
            made, self.runs.copy(), self.filled.copy(), word_table(longest.NEAR_BITS), word_table(longest.FAR_BITS)
        )


@attrs.frozen(eq=False)
class Tables:
    """What `stackc_phrases.lookup` describes, made of pieces.

    Attributes:
        fixed: the tables that never change, in the order in which the kernels take them.
        lexicon: the table of words as it is at first, never changed: callers have copies.
    """

    fixed: tuple[Any, ...]
    lexicon: Lexicon

    @classmethod
    def of(cls, pieces: Pieces, cheapest: bool) -> Tables:
        texts, sizes = pieces.joined()
        inside = np.flatnonzero(pieces.words == 1)
        room = int((sizes[inside + 1] - sizes[inside]).sum())
        parts, part = np.full(_slots(room), 0, np.uint64), np.empty(room + BYTES + 2, np.int32)
        lookup.enter_parts(texts, sizes, inside, parts, part)
        phrases = np.flatnonzero(pieces.words > 1)
        split = [words_of_piece(pieces.texts[token]) for token in phrases.tolist()]
        words = [pieces.texts[token] for token in inside.tolist() if len(pieces.texts[token]) <= PHRASE_WORD]
        numbers = {word: number for number, word in enumerate(words, 1)}
        for word in [word for phrase in split for word in phrase]:
            numbers.setdefault(word, len(numbers) + 1)
        flat = np.array([numbers[word] for phrase in split for word in phrase], np.int64)
        begins = np.zeros(len(numbers) + 1, np.bool_)
        trie, sieve = np.zeros(2 * _slots(len(flat)), np.uint64), np.zeros(lookup.SIEVE, np.uint64)
        lookup.enter_phrases(flat, offsets_of(list(map(len, split))), phrases, len(begins), trie, sieve, begins)
        fixed = pieces.costs, sizes, parts, part, trie, sieve
        # Room to learn at least as many words again, of four tokens each.
        slots = max(_slots(2 * len(numbers)), SLOTS)
        spelt, ends = np.frombuffer(b"".join(numbers), np.uint8), offsets_of(list(map(len, numbers)))
        lexicon = Lexicon.empty(slots, len(spelt) + 4 * slots // 2 + PHRASE_WORD)
        lookup.enter_words(
            spelt, ends, begins, cheapest, pieces.costs, sizes, parts, part, lexicon.table, lexicon.runs, lexicon.filled
        )
        return cls(fixed, lexicon)


class PhrasesCoder:
    """A piece coder (`stackc.api.PieceCoder`).

    Args:
        config: if the text has too few candidates, the last tokens represent nothing.
    """

    def __init__(self, config: PhrasesConfig) -> None:
        self.config = config
        self._pieces: Pieces | None = None
        self._tables: Tables | None = None
        self._lexicons: list[Lexicon] = []  # that no caller uses now

    def fit(self, train: Text, alphabet: int, folder: Path) -> None:
        """Find the pieces in the text and write them to `folder`."""
        if alphabet != BYTES:
            raise CodingError(f"phrases codes bytes, not an alphabet of {alphabet}")
        fitted(train, self.config).write(folder)

    def load(self, folder: Path) -> None:
        """Read the pieces that `fit` wrote."""
        pieces = Pieces.read(folder, self.config.vocabulary)
        self._tables = Tables.of(pieces, self.config.parse == "optimal")
        self._pieces, self._lexicons = pieces, []

    def _ready(self) -> tuple[Pieces, Tables]:
        if self._pieces is None or self._tables is None:
            raise CodingError("phrases has no tokens yet; fit it to a text and load them first")
        return self._pieces, self._tables

    def pieces(self) -> tuple[Symbols, Int64]:
        """The bytes of every token, end to end, and int64[N + 1], where each starts and ends."""
        pieces, _ = self._ready()
        return pieces.joined()

    def plain(self) -> PlainTokenizer | None:
        """Words by the rule, each of the cheapest pieces or of the longest ones; no form has phrases of whole words.

        The library adds scores from the left and of equal sums keeps the one whose last piece is longest, as `twin`
        does. Scores are integers, and their sums stay below 2^53, so its floats are exact.
        """
        pieces, _ = self._ready()
        if (pieces.words > 1).any():
            return None
        if self.config.parse == "longest":
            return PlainTokenizer(model="longest", pattern=WORD_RULE)
        return PlainTokenizer(model="unigram", pattern=WORD_RULE, scores=-pieces.costs.astype(np.int64))

    def encode(self, symbols: Symbols, bounds: Int64) -> tuple[Tokens, Int64]:
        """The tokens of all windows, and the number of tokens in each."""
        _, tables = self._ready()
        text = np.ascontiguousarray(symbols, np.uint8).view()
        text.flags.writeable = False  # the kernels are compiled for such an array alone
        counts = np.zeros(len(bounds) - 1, np.int64)
        lexicon = self._lexicon(tables)
        given: list[Any] = [*tables.fixed, lexicon.table, lexicon.runs, lexicon.filled]
        cut: Any = encoding.encode_cheapest
        if self.config.parse == "longest":
            cut = longest.encode_longest
            given += [lexicon.near, lexicon.far]
        kind = np.uint16 if self.config.vocabulary <= 1 << 16 else np.uint32
        found: list[Any] = [np.empty(0, kind)]
        for low, high in groups_of(bounds, PART):
            room = lexicon.room(int(bounds[high] - bounds[low]), kind)
            filled = cut(text, bounds[low : high + 1], *given, room, counts[low:high])
            found.append(room[:filled].copy())
        self._lexicons.append(lexicon)
        return np.concatenate(found), counts

    def _lexicon(self, tables: Tables) -> Lexicon:
        """A table of words for one caller: `list.pop` gives none of them to two."""
        try:
            lexicon = self._lexicons.pop()
        except IndexError:
            return tables.lexicon.copy()
        return tables.lexicon.copy() if lexicon.full else lexicon
