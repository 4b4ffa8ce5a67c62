"""The ids of texts, with the texts that they were made of."""

from __future__ import annotations

import re

import attrs

Ids = list[int]
Span = tuple[int, int]
Spans = list[Span]

_WORD = re.compile(r"\w+|[^\w\s]+")
"""A word of a text: consecutive letters, digits and underscores, or consecutive other characters that are not blank."""


@attrs.define
class Source:
    """The text that a row was made of. Never changed, but not frozen, as `Row`.

    Attributes:
        text: the text.
        whole: added tokens were treated as text.
        given: the characters of each word, start and end, if the caller gave words; None: words are `_WORD`.
    """

    text: str
    whole: bool
    given: list[Span] | None = None

    def words(self) -> list[Span]:
        return [match.span() for match in _WORD.finditer(self.text)] if self.given is None else self.given


@attrs.define
class Row:
    """The ids of a text. Never changed, but not frozen: attrs makes frozen ones three times slower, and rows are many.

    Attributes:
        ids: in order.
        spans: for each id, the start and end of what it represents in the text; empty if not requested.
        source: the text; None for ids that the caller gave, which represent nothing.
        first: the number of the row's first id among all ids of the text.
    """

    ids: Ids
    spans: Spans
    source: Source | None = None
    first: int = 0

    def window(self, low: int, high: int) -> Row:
        return Row(self.ids[low:high], self.spans[low:high], self.source, self.first + low)


Pair = tuple[Row, Row | None]
"""A row of one text, or of two."""


def joined_words(words: list[str], whole: bool) -> Source:
    """Words that a caller gave, as one text: a space between two."""
    spans = []
    at = 0
    for word in words:
        spans.append((at, at + len(word)))
        at += len(word) + 1
    return Source(" ".join(words), whole, spans)
