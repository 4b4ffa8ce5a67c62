"""Which characters and words the ids of a row represent, as `tokenizers.Encoding` reports them of a fast tokenizer.

Nothing is computed until it is asked for: most callers want ids only, and alignment codes the text a second time.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar, overload

import attrs

from stackc.coding.dictionary.threads import once
from stackc.interop.hf.rows import Ids, Pair, Row, Span, Spans

Value = TypeVar("Value")


class Aligned(Protocol):
    """What alignment asks of the tokenizer that made a row."""

    def convert_ids_to_tokens(self, ids: Any) -> Any:
        """The strings of ids."""

    def placed(self, own: list[list[Value]], add: bool) -> list[Value | None]:
        """Values of one or two texts' ids in the order in which the ids come in a row; None for special tokens."""

    def character_spans(self, row: Row) -> Spans:
        """The characters of each id of a text, in the text."""


class Alignments(Sequence["Alignment"]):
    """The alignments of a batch's rows, each made when it is asked for.

    Args:
        tokenizer: made the rows.
        ids: the ids of each row, padding included.
        pairs: what each row was made of.
        sizes: ids of each row without padding.
        add: whether special tokens were put around the texts.
        left: whether padding is on the left.
    """

    def __init__(
        self, tokenizer: Aligned, ids: list[Ids], pairs: list[Pair], sizes: list[int], add: bool, left: bool
    ) -> None:
        self._tokenizer, self._ids, self._pairs = tokenizer, ids, pairs
        self._sizes, self._add, self._left = sizes, add, left

    def __len__(self) -> int:
        return len(self._ids)

    @overload
    def __getitem__(self, row: int) -> Alignment: ...

    @overload
    def __getitem__(self, row: slice) -> list[Alignment]: ...

    def __getitem__(self, row: int | slice) -> Alignment | list[Alignment]:
        if isinstance(row, slice):
            return [self[one] for one in range(len(self))[row]]
        ids = self._ids[row]
        more = len(ids) - self._sizes[row]
        before, after = (more, 0) if self._left else (0, more)
        rows = [one for one in self._pairs[row] if one is not None]
        return Alignment(self._tokenizer, ids, rows, self._add, before, after)


@attrs.define(slots=False, eq=False)
class Alignment:
    """The alignment of one row, padding included. Positions are those of ids in the row.

    Attributes:
        tokenizer: made the row.
        ids: the row's ids, padding included.
        rows: the ids of its one or two texts.
        add: whether special tokens were put around them.
        before, after: padding on both sides of the row.
    """

    tokenizer: Aligned
    ids: Ids
    rows: list[Row]
    add: bool
    before: int
    after: int

    @property
    def n_sequences(self) -> int:
        return len(self.rows)

    @property
    def overflowing(self) -> list[Any]:
        """Always empty: ids that were cut off are separate rows."""
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
            source = self.rows[place[0]].source
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
        """(text, number of the id among the text's ids) of each id; None for special tokens and padding."""
        own = [[(text, number) for number in range(len(row.ids))] for text, row in enumerate(self.rows)]
        inner: list[tuple[int, int] | None] = self.tokenizer.placed(own, self.add)
        return [None] * self.before + inner + [None] * self.after

    @once
    def _spans(self) -> list[list[Span]]:
        return [self.tokenizer.character_spans(row) for row in self.rows]

    @once
    def _words(self) -> list[list[Span]]:
        return [[] if row.source is None else row.source.words() for row in self.rows]
