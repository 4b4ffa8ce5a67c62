"""A text cut at added tokens, and the position of each part in the text."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import numpy as np
from transformers import AddedToken
from transformers.tokenization_python import Trie

from stackc.api.arrays import Int64
from stackc.api.offsets import offsets_of


@attrs.frozen
class Part:
    """A part of a text that is coded on its own.

    Attributes:
        text: an added token, or the text between two of them.
        at: for each character, its index in the whole text; a range if no character in between was left out.
        id: the id of an added token; None for text.
    """

    text: str
    at: range | list[int]
    id: int | None = None

    def __add__(self, other: Part) -> Part:
        return Part(self.text + other.text, [*self.at, *other.at])

    def lstrip(self) -> Part:
        low = len(self.text) - len(self.text.lstrip())
        return Part(self.text[low:], self.at[low:])

    def rstrip(self) -> Part:
        high = len(self.text.rstrip())
        return Part(self.text[:high], self.at[:high])

    def places(self, spans: Int64, starts: Int64) -> Int64:
        """`spans` of this part's bytes, int64[n, 2], in bytes of the whole text. `starts`: see `char_starts`."""
        if isinstance(self.at, range):
            return spans + int(starts[self.at.start])
        at = np.array(self.at, np.int64)
        low, sizes = starts[at], starts[at + 1] - starts[at]
        of_byte = np.repeat(low - (np.cumsum(sizes) - sizes), sizes) + np.arange(sizes.sum())
        return np.stack([of_byte[spans[:, 0]], of_byte[spans[:, 1] - 1] + 1], axis=1)


NOTHING = Part("", range(0))


def cut(text: str, trie: Trie, ids: Mapping[str, int], tokens: Mapping[int, AddedToken]) -> list[Part]:
    """The parts of a text, none empty, by exactly the rule of `PreTrainedTokenizer.tokenize`.

    Two parts of text never follow one another: ids between added tokens are decoded as one document, so they must be
    coded as one. `ids` maps the added tokens that `trie` finds to their ids, and `tokens` these to their settings.

    A token with lstrip or rstrip removes the blanks next to it. A token with single_word that touches anything but a
    space is treated as text, and joins the part that it touches.
    """
    parts = []
    at = 0
    for piece in trie.split(text):
        parts.append(Part(piece, range(at, at + len(piece))))
        at += len(piece)
    for i, part in enumerate(parts):
        if part.text not in ids:
            continue
        token = tokens[ids[part.text]]
        left = parts[i - 1] if i else NOTHING
        right = parts[i + 1] if i + 1 < len(parts) else NOTHING
        if token.rstrip and right.text:
            parts[i + 1] = right.lstrip()
        if token.lstrip and left.text:
            parts[i - 1] = left.rstrip()
        if token.single_word and left.text and left.text[-1] != " ":
            parts[i - 1], parts[i] = parts[i - 1] + part, NOTHING
        elif token.single_word and right.text and right.text[0] != " ":
            parts[i + 1], parts[i] = part + parts[i + 1], NOTHING
    made: list[Part] = []
    for part in parts:
        number = ids.get(part.text)
        if not part.text:
            continue
        if number is None and made and made[-1].id is None:
            made[-1] += part
        else:
            made.append(part if number is None else Part(part.text, part.at, number))
    return made


def char_starts(text: str) -> Int64:
    """The UTF-8 byte at which each character starts, and the end of the text: int64[characters + 1]."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
    sizes = 1 + (codes >= 0x80).astype(np.int64) + (codes >= 0x800) + (codes >= 0x10000)
    return offsets_of(sizes)


def in_characters(spans: Int64, starts: Int64) -> Int64:
    """Spans of bytes as spans of characters, int64[n, 2]; a character that a span has a part of counts whole.

    Args:
        spans: int64[n, 2], start and end of each, in bytes of a text.
        starts: see `char_starts`.
    """
    low = np.searchsorted(starts, spans[:, 0], "right") - 1
    high = np.searchsorted(starts, spans[:, 1], "left")
    return np.stack([low, high], axis=1)
