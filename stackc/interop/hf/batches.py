"""Texts to rows of ids. All texts of a batch go through the levels together, which is much faster than one by one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import numpy as np
from transformers import AddedToken
from transformers.tokenization_python import Trie

from stackc.api.arrays import Int64
from stackc.api.errors import StackcError
from stackc.api.messages import amount
from stackc.coding.level import Level
from stackc.interop.hf.added import Part, char_starts, cut
from stackc.interop.hf.coding import encode_batch

Ids = list[int]
Spans = list[tuple[int, int]]


@attrs.frozen
class Row:
    """The ids of a text.

    Attributes:
        ids: in order.
        spans: for each id, the start and end of its bytes in the text; empty if not requested.
    """

    ids: Ids
    spans: Spans

    def window(self, low: int, high: int) -> Row:
        return Row(self.ids[low:high], self.spans[low:high])


@attrs.frozen(kw_only=True)
class Coder:
    """Turns texts into rows.

    Attributes:
        levels: the stack's levels.
        trie: finds added tokens.
        added: id of each added token; empty: added tokens are treated as text.
        tokens: the added token of each id.
    """

    levels: list[Level]
    trie: Trie
    added: Mapping[str, int]
    tokens: Mapping[int, AddedToken]

    def rows(self, texts: list[Any], spans: bool) -> list[Row]:
        """A row for each entry. An entry is a text, or a list of ids, which are kept and represent no bytes.

        Raises:
            StackcError: an entry is neither; a lone surrogate; spans of windows with varying numbers of tokens.
        """
        strings = iter(self._coded([one for one in texts if isinstance(one, str)], spans))
        rows = []
        for one in texts:
            if isinstance(one, str):
                rows.append(next(strings))
            elif isinstance(one, list | tuple) and all(isinstance(number, int | np.integer) for number in one):
                rows.append(Row([int(number) for number in one], [(0, 0)] * len(one) if spans else []))
            else:
                raise StackcError(f"a text of type {type(one).__name__}: pass str, a list of ids, or lists of these")
        return rows

    def _coded(self, texts: list[str], spans: bool) -> list[Row]:
        cuts = [self._parts(text) for text in texts]
        plain = [_utf8(part.text) for parts in cuts for part in parts if part.id is None]
        batch = encode_batch(self.levels, plain, spans)
        tokens, bounds = batch.tokens.tolist(), batch.offsets.tolist()
        rows = []
        number = 0
        for text, parts in zip(texts, cuts, strict=True):
            ids: Ids = []
            where: list[Int64] = []
            starts = char_starts(text) if spans else None
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
            places = np.concatenate(where).tolist() if where else []
            rows.append(Row(ids, [(low, high) for low, high in places]))
        return rows

    def _parts(self, text: str) -> list[Part]:
        if self.added:
            return cut(text, self.trie, self.added, self.tokens)
        return [Part(text, range(len(text)))] if text else []


def pairs_of(text: Any, text_pair: Any) -> tuple[list[tuple[Any, Any]], bool]:
    """Each text with its second text, or None, and whether the texts came as a batch.

    Raises:
        StackcError: the numbers of first and second texts differ.
    """
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
        both = isinstance(first, list | tuple) and len(first) == 2 and isinstance(first[0], str) and second is None
        pairs.append(tuple(first) if both else (first, second))
    return pairs, batched


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise StackcError(
            f"a text with a lone surrogate (character {error.start}): it is not valid Unicode and cannot be encoded"
        ) from error
