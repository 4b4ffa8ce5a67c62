"""The texts of a compiled level: the text that each code represents, and how often it occurs in the training text."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import numpy as np

from stackc.api.arrays import Int64, Symbols
from stackc.api.errors import StackcError
from stackc.coding.dictionary.dictionary import Dictionary
from stackc.coding.level import Level
from stackc.coding.pieces import PieceTable
from stackc.coding.texts import expanded, symbol_texts
from stackc.stack.stack import Stack


@attrs.frozen(kw_only=True)
class TextOfCode:
    """One text of a level.

    Attributes:
        code: the code that represents it.
        count: how often it occurs in the tokens of the training text.
        symbols: its symbols: tokens of the level below, or bytes.
        data: the bytes that these represent; None if a level below does not decode arbitrary tokens.
    """

    code: int
    count: int
    symbols: tuple[int, ...]
    data: bytes | None


def compiled_level(stack: Stack, name: str) -> tuple[Level, Dictionary | PieceTable]:
    """The level of that name, and its texts.

    Raises:
        StackcError: no such level, or one that is not compiled.
    """
    level = stack.levels[stack.level_index(name) - 1]
    if level.texts is None:
        raise StackcError(f"{stack.place}: {name} is not compiled, so it has no list of texts")
    return level, level.texts


def code_counts(stack: Stack, name: str) -> Int64:
    """int64[N]: how often each code of a compiled level occurs in the tokens of the training text."""
    level, dictionary = compiled_level(stack, name)
    per = level.window_tokens or 1
    counts = np.zeros(len(dictionary), np.int64)
    for chunk in stack.own_text("train", name).chunks():
        codes = np.zeros(len(chunk.symbols) // per, np.int64)
        for column in chunk.symbols.reshape(-1, per).T:  # a document's tokens are whole codes
            codes = codes << level.spec.token_bits | column
        counts += np.bincount(codes, minlength=len(counts))
    return counts


def texts_of_level(stack: Stack, name: str, counts: Int64, limit: int = 0) -> Iterator[TextOfCode]:
    """The texts, the most frequent first; among equally frequent ones the lowest code first.

    Args:
        name: the name of a compiled level.
        counts: the counts of its codes, from `code_counts`.
        limit: number of texts, at most; 0: all.

    Raises:
        StackcError: no such level, or one that is not compiled.
    """
    _, dictionary = compiled_level(stack, name)
    own = np.flatnonzero(dictionary.canonical == np.arange(len(dictionary)))
    own = own[dictionary.length[own] > 0]
    order = own[np.argsort(-counts[own], kind="stable")]
    order = order[:limit] if limit else order
    symbols, bounds = dictionary.decode(order, np.arange(len(order) + 1))
    data, data_bounds = _bytes_of(stack.levels[: stack.level_index(name) - 1], symbols, bounds)
    for i, code in enumerate(order.tolist()):
        yield TextOfCode(
            code=code,
            count=int(counts[code]),
            symbols=tuple(symbols[bounds[i] : bounds[i + 1]].tolist()),
            data=data[data_bounds[i] : data_bounds[i + 1]].astype(np.uint8).tobytes() if data is not None else None,
        )


def _bytes_of(below: list[Level], symbols: Symbols, bounds: Int64) -> tuple[Symbols | None, Int64]:
    """The bytes of sequences of symbols, and int64[n + 1], their bounds; None if a level below is not total.

    Symbols without a text of their own are decoded: that is right for windows of several tokens too.
    """
    texts = symbol_texts(below)
    if texts is not None:
        data, ends = expanded(texts, symbols)
        return data, ends[bounds]
    if not all(level.spec.flags.total for level in below):
        return None, bounds
    for level in reversed(below):
        back = level.decode(symbols, bounds)
        symbols, bounds = back.symbols, back.offsets
    return symbols, bounds
