"""Texts to rows of ids. All texts of a batch go through the levels together, which is much faster than one by one."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, Literal

import attrs
import numpy as np
from transformers import AddedToken
from transformers.tokenization_python import Trie

from stackc.api.arrays import Int64
from stackc.api.errors import StackcError
from stackc.api.messages import amount
from stackc.coding.level import Level
from stackc.interop.hf.added import Part, char_starts, cut, in_characters
from stackc.interop.hf.coding import encode_batch
from stackc.interop.hf.healing import Healed, heal
from stackc.interop.hf.rows import Ids, Row, Source, Spans, joined_words
from stackc.interop.hf.words import WordMemory

Unit = Literal["characters", "bytes"]
"""What offsets count."""


@attrs.define(kw_only=True)  # never changed, but not frozen: one is made for every call
class Coder:
    """Turns texts into rows.

    Attributes:
        levels: the stack's levels.
        trie: finds added tokens.
        added: id of each added token; empty: added tokens are treated as text.
        tokens: the added token of each id.
        words: the ids of words, where words decide all windows; else None.
        unit: what spans count.
    """

    levels: list[Level]
    trie: Trie
    added: Mapping[str, int]
    tokens: Mapping[int, AddedToken]
    words: WordMemory | None
    unit: Unit = "characters"

    def rows(self, texts: list[Any], spans: bool, words: bool = False) -> list[Row]:
        """A row for each entry: a text, a list of words, or a list of ids, which are kept and represent nothing.

        Args:
            texts: the entries.
            spans: compute the spans of ids.
            words: entries are lists of words, which are joined by spaces.

        Raises:
            StackcError: an entry of another type; a lone surrogate; spans of windows with varying numbers of tokens.
        """
        whole = not self.added
        sources = [_source(one, words, whole) for one in texts]
        strings = iter(self._coded([source for source in sources if source is not None], spans))
        return [
            Row([int(number) for number in one], [(0, 0)] * len(one) if spans else [])
            if source is None
            else next(strings)
            for one, source in zip(texts, sources, strict=True)
        ]

    def _coded(self, sources: list[Source], spans: bool) -> list[Row]:
        texts = [source.text for source in sources]
        if not spans and not any(token in text for token in self.added for text in texts):  # the usual case, quickly
            encoded = list(map(_utf8, texts))
            known = None if self.words is None else self.words.ids(encoded)
            if known is not None:
                return [Row(ids, [], source) for ids, source in zip(known, sources, strict=True)]
            batch = encode_batch(self.levels, encoded)
            tokens, bounds = batch.tokens.tolist(), batch.offsets.tolist()
            own = zip(itertools.pairwise(bounds), sources, strict=True)
            return [Row(tokens[low:high], [], source) for (low, high), source in own]
        cuts = [self._parts(text) for text in texts]
        plain = [_utf8(part.text) for parts in cuts for part in parts if part.id is None]
        batch = encode_batch(self.levels, plain, spans)
        tokens, bounds = batch.tokens.tolist(), batch.offsets.tolist()
        rows = []
        number = 0
        for source, parts in zip(sources, cuts, strict=True):
            ids: Ids = []
            where: list[Int64] = []
            starts = char_starts(source.text) if spans else None
            for part in parts:
                if part.id is None:
                    low, high = bounds[number], bounds[number + 1]
                    number += 1
                    ids += tokens[low:high]
                else:
                    ids.append(part.id)
                if starts is not None and batch.spans is not None:
                    inner = batch.spans[low:high] if part.id is None else np.array([[0, len(part.text.encode())]])
                    where.append(part.places(inner, starts))
            found: Spans = []
            if where and starts is not None:
                places = np.concatenate(where)
                counted = places if self.unit == "bytes" else in_characters(places, starts)
                found = list(map(tuple, counted.tolist()))
            rows.append(Row(ids, found, source))
        return rows

    def healed(self, text: str) -> Healed:
        """A prompt without its last tokens. Added tokens stay, and so does all before them."""
        parts = self._parts(text)
        last = parts.pop() if parts and parts[-1].id is None else None
        before = (
            self._coded([Source("".join(part.text for part in parts), not self.added)], False)[0].ids if parts else []
        )
        if last is None:
            return Healed(ids=before, constraint=None)
        found = heal(self.levels, _utf8(last.text))
        return Healed(ids=before + found.ids, constraint=found.constraint)

    def _parts(self, text: str) -> list[Part]:
        if self.added:
            return cut(text, self.trie, self.added, self.tokens)
        return [Part(text, range(len(text)))] if text else []


def _source(one: Any, words: bool, whole: bool) -> Source | None:
    """The text of an entry; None for ids."""
    if isinstance(one, str) and not words:
        return Source(one, whole)
    if words and isinstance(one, list | tuple) and all(isinstance(word, str) for word in one):
        return joined_words(list(one), whole)
    if not words and isinstance(one, list | tuple) and all(isinstance(number, int | np.integer) for number in one):
        return None
    if words:
        raise StackcError(f"is_split_into_words: a text of type {type(one).__name__}: pass lists of words")
    raise StackcError(f"a text of type {type(one).__name__}: pass str, a list of ids, or lists of these")


def pairs_of(text: Any, text_pair: Any, words: bool = False) -> tuple[list[tuple[Any, Any]], bool]:
    """Each text with its second text, or None, and whether the texts came as a batch.

    Args:
        text: a text, or a batch.
        text_pair: the second text, or a batch of them; None: none.
        words: a text is a list of words; a tuple of two such lists in a batch is a pair.

    Raises:
        StackcError: the numbers of first and second texts differ.
    """
    if words:
        batched = isinstance(text, list | tuple) and bool(text) and isinstance(text[0], list | tuple)
    else:
        batched = isinstance(text, list | tuple) and (not text or not isinstance(text[0], int))
    if batched and isinstance(text_pair, str):
        raise StackcError("many texts and one text pair: pass one per text")
    firsts = list(text) if batched else [text]
    seconds = [None] * len(firsts) if text_pair is None else list(text_pair) if batched else [text_pair]
    if len(seconds) != len(firsts):
        raise StackcError(f"{amount(len(firsts), 'text')} and {amount(len(seconds), 'text pair')}: pass one per text")
    pairs: list[tuple[Any, Any]] = []
    for first, second in zip(firsts, seconds, strict=True):
        # A pair may come as one entry of the batch.
        kind: Any = list | tuple if words else str
        both = isinstance(first, tuple if words else (list, tuple)) and len(first) == 2 and second is None
        both = both and isinstance(first[0], kind)
        pairs.append(tuple(first) if both else (first, second))
    return pairs, batched


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise StackcError(
            f"a text with a lone surrogate (character {error.start}): it is not valid Unicode and cannot be encoded"
        ) from error
