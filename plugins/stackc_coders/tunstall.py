"""The `tunstall` coder: the V most probable texts under a model, each with its own code.

Named after Tunstall's code (1967), which grows such a dictionary for a source without memory. A level with this coder
is only its dictionary: a window is the longest text in it.

The probability of a text is an integer, 2^38 for the empty one: p(text s) = floor(p(text) * f[s] / 2^24) under the
frequencies f after the text. Code 0 is the empty text and every symbol has a code; the others go to the V - 1 - A
most probable longer texts with p > 0, if equal, to the lexicographically smaller one. A text is at most as probable as
its prefixes, and larger, so the set is prefix-closed. A text that the windowing's table cuts is left out; p is not
scaled up for that, because the model gives the share of texts that end there to the symbols that are cut.
`twin_texts` is the same rule in plain Python.

Legend: K texts of a chunk, A alphabet.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from typing import Any

import attrs
import numpy as np

from stackc.api import CUT, PRECISION, CodingError, Frequencies, Int32, Int64, Predictor, Window
from stackc_coders import tunstall_kernels as kernels
from stackc_coders.compiler import advance

ONE = 1 << kernels.ONE_BITS
"""p of the empty text."""

_STATES = 32
"""Model states kept at once; the texts of an older one are stepped again from their starts."""

_ROW_ELEMENTS = 1 << 22
"""Frequencies of all texts stepped side by side, at most."""


class TunstallCoder:
    """A dictionary coder (`stackc.api.Coder`).

    Args:
        vocabulary: V, the codes; at least one more than the alphabet.
    """

    def __init__(self, vocabulary: int) -> None:
        self.vocabulary = vocabulary

    def dictionary(self, predictor: Predictor, window: Window, lanes: int) -> tuple[Int32, Int32]:
        """(parent int32[N], symbol int32[N]), N <= V: fewer if no further text has p > 0.

        Args:
            predictor: restarts with every window; without `take`, texts are stepped again from their start.
            window: its symbol budget is the longest text.
            lanes: texts stepped side by side. Changes nothing else.
        """
        if self.vocabulary <= window.alphabet:
            raise CodingError(
                f"tunstall: a vocabulary of {self.vocabulary} cannot hold {window.alphabet} symbols and the empty text"
            )
        parent, symbol, _ = most_probable(predictor, window, self.vocabulary - 1 - window.alphabet, lanes)
        return parent, symbol


def most_probable(predictor: Predictor, window: Window, wanted: int, lanes: int) -> tuple[Int32, Int32, Int64]:
    """The empty text, every symbol alone, and the `wanted` most probable longer texts, by code.

    Returns:
        parent int32[N] and symbol int32[N], as `TunstallCoder.dictionary`; p int64[N] of each text.
    """
    return _Search(predictor, window, wanted, lanes).run()


@attrs.define(eq=False)
class _State:
    """A model's state after some texts without their last symbols; dropped when too many are kept."""

    value: Any


@attrs.frozen(kw_only=True, eq=False)
class _Chunk:
    """Texts of one length, most probable first.

    Attributes:
        state: the model's state of the texts without their last symbols.
        lanes: int64[K], which lane of it is each text's.
        texts: int64[K], their numbers.
        length: symbols in the texts.
    """

    state: _State
    lanes: Int64
    texts: Int64
    length: int


class _Texts:
    """The texts that were found, by number, at first the empty one. There is room for more, which doubles when full.

    Attributes:
        parent: int64[N], the number of each text without its last symbol.
        symbol: int64[N], that symbol.
        weight: int64[N], its p.
        place: int64[N], its state in the table of cuts.
    """

    def __init__(self) -> None:
        self._room = np.empty((4, 1024), np.int64)
        self._show(0)
        self.add(-1, -1, ONE, 0)

    def add(self, parent: Int64 | int, symbol: Int64 | int, weight: Int64 | int, place: Int64 | int) -> Int64:
        """Append texts; returns their numbers."""
        first, more = len(self.parent), np.size(weight)
        if first + more > self._room.shape[1]:
            room = np.empty((4, 2 * (first + more)), np.int64)
            room[:, :first] = self._room[:, :first]
            self._room = room
        for row, given in zip(self._room, (parent, symbol, weight, place), strict=True):
            row[first : first + more] = given
        self._show(first + more)
        return np.arange(first, first + more)

    def _show(self, count: int) -> None:
        self.parent, self.symbol, self.weight, self.place = self._room[:, :count]


class _Search:
    """Best first, many texts at once.

    Texts are numbered as they are found. `bound` is the p of the `wanted`-th most probable longer text found so far:
    no text below it can be chosen, nor any that extends one.
    """

    def __init__(self, predictor: Predictor, window: Window, wanted: int, lanes: int) -> None:
        self.predictor, self.window, self.wanted = predictor, window, wanted
        self.lanes = max(1, min(lanes, _ROW_ELEMENTS // window.alphabet))
        table = np.zeros((0, 0), np.int32) if window.table is None else window.table
        self.table = np.require(table, requirements=["C", "W"])
        self.texts = _Texts()
        self.longer = np.empty(0, np.int64)
        self.bound = 1
        self.queue: list[tuple[int, int, _Chunk]] = []
        self.states: deque[_State] = deque()

    def run(self) -> tuple[Int32, Int32, Int64]:
        zero = np.zeros(1, np.int64)
        self._expand(_Chunk(state=_State(None), lanes=zero, texts=zero, length=0))
        while self.queue:
            _, _, chunk = heapq.heappop(self.queue)
            some = self.texts.weight[chunk.texts] >= self.bound
            if some.any():
                self._expand(attrs.evolve(chunk, lanes=chunk.lanes[some], texts=chunk.texts[some]))
        texts = self.texts
        return _chosen(texts.parent, texts.symbol, texts.weight, self.window.alphabet, self.wanted)

    def _expand(self, chunk: _Chunk) -> None:
        """Find the texts one symbol longer than the chunk's."""
        texts = self.texts
        kept = (chunk.state.value, chunk.lanes) if chunk.state.value is not None else None
        alphabet = self.window.alphabet
        state, freqs = advance(
            self.predictor, kept, chunk.texts, chunk.length, texts.parent, texts.symbol, alphabet
        )  # fmt: skip
        least = 0 if chunk.length == 0 else self.bound  # every symbol has a code, however rare
        places = texts.place[chunk.texts]
        owners, symbols, weights = kernels.extensions(freqs, texts.weight[chunk.texts], self.table, places, least)
        after = self.table[places[owners], symbols] if len(self.table) else 0
        numbers = texts.add(chunk.texts[owners], symbols, weights, after)
        if chunk.length:
            self._raise_bound(weights)
        if chunk.length + 1 == self.window.symbols or not self.wanted:
            return
        shared = _State(state)
        self.states.append(shared)
        if len(self.states) > _STATES:
            self.states.popleft().value = None
        order = np.argsort(-weights, kind="stable")
        order = order[weights[order] >= self.bound]
        for start in range(0, len(order), self.lanes):
            piece = order[start : start + self.lanes]
            made = _Chunk(state=shared, lanes=owners[piece], texts=numbers[piece], length=chunk.length + 1)
            heapq.heappush(self.queue, (-int(weights[piece[0]]), int(numbers[piece[0]]), made))

    def _raise_bound(self, weights: Int64) -> None:
        self.longer = np.concatenate([self.longer, weights])
        if self.wanted and len(self.longer) >= self.wanted:
            place = len(self.longer) - self.wanted
            self.longer = np.partition(self.longer, place)[place:]
            self.bound = max(1, int(self.longer[0]))


def _chosen(parent: Int64, symbol: Int64, weight: Int64, alphabet: int, wanted: int) -> tuple[Int32, Int32, Int64]:
    """The dictionary: the empty text, every symbol, and of the longer texts the `wanted` of largest p > 0.

    Of equals the lexicographically smaller. Returns (parent int32[N], symbol int32[N], p int64[N]) by code.
    """
    order = np.argsort(symbol, kind="stable")
    longer = np.flatnonzero((parent > 0) & (weight > 0))
    inside = np.ones(len(parent), np.bool_)
    inside[parent > 0] = False
    if wanted and len(longer):
        least = -np.partition(-weight[longer], min(wanted, len(longer)) - 1)[min(wanted, len(longer)) - 1]
        inside[longer[weight[longer] >= least]] = True
        surplus = int(inside.sum()) - 1 - alphabet - wanted
        if surplus > 0:
            equal = longer[weight[longer] == least]
            ranks = kernels.preorder(parent, symbol, order, inside)[equal]
            inside[equal[np.argsort(ranks)][len(equal) - surplus :]] = False
    code = kernels.preorder(parent, symbol, order, inside)
    texts = np.argsort(np.where(inside, code, len(code)), kind="stable")[: int(inside.sum())]
    parents = np.where(texts > 0, code[parent[texts]], -1)
    return parents.astype(np.int32), symbol[texts].astype(np.int32), weight[texts]


def twin_texts(
    row: Callable[[tuple[int, ...]], Frequencies],
    alphabet: int,
    vocabulary: int,
    longest: int,
    table: Int32 | None = None,
) -> list[tuple[int, ...]]:
    """The dictionary's texts by code, in plain Python: the oracle of `TunstallCoder.dictionary`.

    Args:
        row: the model's frequencies after a text.
        longest: symbols in a text at most.
        table: the windowing's table of cuts.
    """
    singles = [(symbol,) for symbol in range(alphabet)]
    heap: list[tuple[int, tuple[int, ...]]] = []

    def cut(text: tuple[int, ...]) -> bool:
        place = 0
        for symbol in text:
            place = place if table is None else int(table[place, symbol])
            if place == CUT:
                return True
        return False

    def extend(text: tuple[int, ...], p: int) -> None:
        if len(text) < longest:
            for symbol, f in enumerate(row(text).tolist()):
                if (longer := p * f >> PRECISION) and not cut((*text, symbol)):
                    heapq.heappush(heap, (-longer, (*text, symbol)))

    for symbol, f in enumerate(row(()).tolist()):
        extend((symbol,), ONE * f >> PRECISION)
    chosen: list[tuple[int, ...]] = []
    while heap and len(chosen) < vocabulary - 1 - alphabet:
        p, text = heapq.heappop(heap)
        chosen.append(text)
        extend(text, -p)
    return sorted([(), *singles, *chosen])
