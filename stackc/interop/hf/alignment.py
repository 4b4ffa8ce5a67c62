"""Which characters and words the ids of a row represent: what `tokenizers.Encoding` tells of a fast tokenizer's rows.

Nothing is computed until it is asked for: most callers want ids only, and alignment codes the text a second time.
"""

from __future__ import annotations

import bisect
import re
from typing import TYPE_CHECKING, Any

import attrs

from stackc.coding.dictionary.threads import once

if TYPE_CHECKING:
    from stackc.interop.hf.tokenizer import StackTokenizer

Span = tuple[int, int]

_WORD = re.compile(r"\w+|[^\w\s]+")
"""A word of a text: a run of letters, digits and underscores, or of other characters that are not blank."""


@attrs.frozen
class Source:
    """The text that a row was made of.

    Attributes:
        text: the text.
        whole: added tokens were treated as text.
        given: the characters of each word, start and end, where the caller gave words; None: words are `_WORD`.
    """

    text: str
    whole: bool
    given: list[Span] | None = None

    def words(self) -> list[Span]:
        return [match.span() for match in _WORD.finditer(self.text)] if self.given is None else self.given


def joined_words(words: list[str], whole: bool) -> Source:
    """Words that a caller gave, as one text: a space between two."""
    spans = []
    at = 0
    for word in words:
        spans.append((at, at + len(word)))
        at += len(word) + 1
    return Source(" ".join(words), whole, spans)


@attrs.frozen
class Piece:
    """A run of the ids of one text in a row.

    Attributes:
        source: the text; None for ids that the caller gave, which represent no characters.
        first: the number of the run's first id among all ids of the text.
        count: ids in the run.
    """

    source: Source | None
    first: int
    count: int


@attrs.define(slots=False, eq=False)
class Alignment:
    """The alignment of one row, padding included. Positions are those of ids in the row.

    Attributes:
        tokenizer: made the row.
        ids: the row's ids, padding included.
        pieces: the ids of the row's one or two texts.
        add: whether special tokens were put around them.
        before, after: padding on both sides of the row.
    """

    tokenizer: StackTokenizer
    ids: list[int]
    pieces: tuple[Piece, ...]
    add: bool
    before: int = 0
    after: int = 0

    def pad_to(self, ids: list[int], left: bool) -> None:
        """The row has become `ids`, by padding on one side. Called before anything is asked for."""
        more = len(ids) - len(self.ids)
        self.ids, self.before, self.after = ids, more if left else 0, 0 if left else more

    @property
    def n_sequences(self) -> int:
        return len(self.pieces)

    @property
    def overflowing(self) -> list[Any]:
        """Always empty: ids that were cut off are rows of their own."""
        return []

    @property
    def tokens(self) -> list[str]:
        tokens: list[str] = self.tokenizer.convert_ids_to_tokens(self.ids)
        return tokens

    @property
    def attention_mask(self) -> list[int]:
        inner = len(self.ids) - self.before - self.after
        return [0] * self.before + [1] * inner + [0] * self.after

    @property
    def special_tokens_mask(self) -> list[int]:
        return [int(sequence is None) for sequence in self.sequence_ids]

    @property
    def type_ids(self) -> list[int]:
        return [sequence or 0 for sequence in self.sequence_ids]

    @property
    def sequence_ids(self) -> list[int | None]:
        """The number of each id's text; None for special tokens and padding."""
        return [None if place is None else place[0] for place in self._places]

    @property
    def offsets(self) -> list[Span]:
        """The characters of each id, start and end; (0, 0) for special tokens and padding.

        An id that ends inside a character has the whole of it. Of given words, characters are counted in the word.
        """
        found = []
        for place, word in zip(self._places, self.word_ids, strict=True):
            if place is None:
                found.append((0, 0))
                continue
            low, high = self._spans[place[0]][place[1]]
            source = self.pieces[place[0]].source
            if source is not None and source.given is not None:
                start, end = (low, low) if word is None else source.given[word]
                low, high = max(low, start) - start, max(min(high, end) - start, 0)
            found.append((low, high))
        return found

    @once
    def word_ids(self) -> list[int | None]:
        """The number of the first word that each id has characters of; None for special tokens and blanks."""
        found: list[int | None] = []
        ends = [[end for _, end in words] for words in self._words]
        for place in self._places:
            if place is None:
                found.append(None)
                continue
            low, high = self._spans[place[0]][place[1]]
            words = self._words[place[0]]
            number = bisect.bisect_right(ends[place[0]], low)
            found.append(number if number < len(words) and words[number][0] < high else None)
        return found

    def char_to_token(self, char_pos: int, sequence_index: int = 0) -> int | None:
        """The first id that has a character of a text."""
        for at, place in enumerate(self._places):
            if place is not None and place[0] == sequence_index:
                low, high = self._spans[sequence_index][place[1]]
                if low <= char_pos < high:
                    return at
        return None

    def token_to_chars(self, token_index: int) -> Span | None:
        """The characters of an id in its text."""
        place = self._places[token_index]
        return None if place is None else self._spans[place[0]][place[1]]

    def token_to_sequence(self, token_index: int) -> int | None:
        """The number of an id's text."""
        return self.sequence_ids[token_index]

    def token_to_word(self, token_index: int) -> int | None:
        """The word of an id."""
        return self.word_ids[token_index]

    def word_to_tokens(self, word_index: int, sequence_index: int = 0) -> Span | None:
        """The ids of a word: the first one, and one past the last one."""
        both = zip(self.word_ids, self.sequence_ids, strict=True)
        found = [at for at, (word, sequence) in enumerate(both) if (word, sequence) == (word_index, sequence_index)]
        return (found[0], found[-1] + 1) if found else None

    def word_to_chars(self, word_index: int, sequence_index: int = 0) -> Span:
        """The characters of a word in its text."""
        return self._words[sequence_index][word_index]

    def char_to_word(self, char_pos: int, sequence_index: int = 0) -> int | None:
        """The word that a character of a text belongs to; None for a blank."""
        words = self._words[sequence_index]
        number = bisect.bisect_right([start for start, _ in words], char_pos) - 1
        return number if number >= 0 and char_pos < words[number][1] else None

    @once
    def _places(self) -> list[tuple[int, int] | None]:
        """(text, number of the id among the ids of its piece) of each id; None for special tokens and padding."""
        own = [[(text, number) for number in range(piece.count)] for text, piece in enumerate(self.pieces)]
        inner: list[tuple[int, int] | None] = self.tokenizer.placed(own, self.add)
        return [None] * self.before + inner + [None] * self.after

    @once
    def _spans(self) -> list[list[Span]]:
        return [self.tokenizer.character_spans(piece) for piece in self.pieces]

    @once
    def _words(self) -> list[list[Span]]:
        return [[] if piece.source is None else piece.source.words() for piece in self.pieces]
