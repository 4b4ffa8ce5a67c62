"""The `lexicon` coder: texts that a model proposes, of which those stay that the training text uses.

`tunstall` takes the V most probable texts, which include all of their prefixes, and a tenth to a fifth of them is never
written. Here a model proposes several times as many, and these need no prefixes: every symbol alone is a text, so any
window can be cut, and it is cut where its texts cost least together.

The rule, in integers throughout. A cost has `LOG_BITS` fractional bits; every text also costs the surcharge. At first
a text costs -log2 p, with p as in `tunstall`. Then, again and again: the distinct windows of the training text are cut
at least cost (of equal costs, the cutting whose last text is longest, and so on from the end); a text's cost becomes
-log2 of its share of all uses; and those texts are dropped without which the windows would cost least more, their own
cheapest cutting taking their place. The number that is left falls by the same factor each time.

`twin_cut` is the cutting in plain Python.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import numpy as np

from stackc.api import (
    LOG_BITS,
    ArtifactError,
    CodingError,
    Int32,
    Int64,
    PlainTokenizer,
    Predictor,
    Symbols,
    Text,
    Tokens,
    Window,
    groups_of,
    log2_fixed,
    offsets_of,
    read_tensors,
    word_table,
    write_tensors,
)
from stackc_coders import lexicon_kernels as kernels
from stackc_coders.config import LexiconConfig
from stackc_coders.tunstall import ONE, most_probable

FILE = "lexicon.safetensors"

MOST_COST = 1 << 26
"""The cost of a text, at most, so that no sum of costs leaves 60 bits."""

MET_BITS = 17
"""Of the number of windows that a caller remembers: 4 MB."""

GROUP = 1 << 20
"""Symbols whose tokens are found at a time, about, so that the memory besides symbols and tokens stays small."""

AGAIN = "build the stack again"


@attrs.frozen(kw_only=True, eq=False)
class Texts:
    """Texts, what each costs, and the trie of them.

    Attributes:
        symbols: int32[n], all texts end to end; the first A are the symbols alone.
        offsets: int64[N + 1], where each starts and ends.
        costs: int64[N].
        trie: keys, nodes and tokens (`lexicon_kernels`).
    """

    symbols: Int32
    offsets: Int64
    costs: Int64
    trie: tuple[Any, Any, Any]

    @classmethod
    def of(cls, symbols: Int32, offsets: Int64, costs: Int64) -> Texts:
        """Raises `ArtifactError` if two texts are equal."""
        slots = 1 << (2 * len(symbols) + 1).bit_length()
        keys, nodes = np.zeros(slots, np.uint64), np.zeros(slots, np.int32)
        tokens = np.full(len(symbols) + 1, kernels.NONE, np.int32)
        if kernels.enter(symbols, offsets, keys, nodes, tokens) >= 0:
            raise ArtifactError("two texts are equal")
        return cls(symbols=symbols, offsets=offsets, costs=costs, trie=(keys, nodes, tokens))

    @property
    def lengths(self) -> Int64:
        return np.diff(self.offsets)

    def kept(self, alive: Int64, costs: Int64) -> Texts:
        """Some of the texts, in this order, at these costs."""
        lengths = self.lengths[alive]
        offsets = offsets_of(lengths)
        places = np.repeat(self.offsets[alive] - offsets[:-1], lengths) + np.arange(int(offsets[-1]))
        return Texts.of(self.symbols[places], offsets, costs)

    def write(self, folder: Path) -> None:
        tensors = {"symbols": self.symbols, "lengths": self.lengths.astype(np.int32)}
        write_tensors(folder / FILE, {**tensors, "costs": self.costs.astype(np.int32)})

    @classmethod
    def read(cls, folder: Path, vocabulary: int) -> Texts:
        """Read the file and check all of it.

        Raises:
            ArtifactError: not a file that `write` wrote for this vocabulary or a larger one.
        """
        path = folder / FILE
        tensors = read_tensors(path)
        for name in ("symbols", "lengths", "costs"):
            tensor = tensors.get(name)
            if tensor is None or tensor.dtype != np.int32 or tensor.ndim != 1:
                raise ArtifactError(f"{path}: no {name} in it; {AGAIN}")
        symbols, lengths, costs = (tensors[name].astype(np.int64) for name in ("symbols", "lengths", "costs"))
        problem = _problem(symbols, lengths, costs, vocabulary)
        if problem is None:
            try:
                return cls.of(tensors["symbols"], offsets_of(lengths), costs)
            except ArtifactError as error:
                problem = str(error)
        raise ArtifactError(f"{path}: {problem}; {AGAIN}")


def _problem(symbols: Int64, lengths: Int64, costs: Int64, vocabulary: int) -> str | None:
    """The problem of the numbers of a file; None if they are valid."""
    if not 1 <= len(lengths) == len(costs) <= vocabulary:
        return f"{len(lengths)} texts and {len(costs)} costs, where the recipe has {vocabulary}"
    if int(lengths.min()) < 1 or int(lengths.sum()) != len(symbols):
        return "texts whose lengths do not add up"
    alone = int((lengths == 1).sum())
    if symbols[:alone].tolist() != list(range(alone)) or (lengths[:alone] != 1).any():
        return "its first texts are not the symbols alone"
    if not 0 <= int(symbols.min()) <= int(symbols.max()) < alone:
        return f"a symbol outside the alphabet of {alone}"
    if not 1 <= int(costs.min()) <= int(costs.max()) <= MOST_COST:
        return f"a cost outside 1 .. {MOST_COST}"
    return None


class LexiconCoder:
    """A piece coder that is fitted under a model (`stackc.api.FittedUnderModel`).

    Args:
        config: if the windows use fewer texts, the last tokens represent nothing.
    """

    def __init__(self, config: LexiconConfig) -> None:
        self.config = config
        self._texts: Texts | None = None
        self._met: list[Any] = []  # tables of windows that no caller uses now
        self._kind: np.dtype[Any] = np.dtype(np.uint8)

    def fit_under(
        self, predictor: Predictor, window: Window, train: Text, bounds: Int64, lanes: int, folder: Path
    ) -> None:
        """Choose the texts and write them to `folder`; see `stackc.api.FittedUnderModel`."""
        if self.config.vocabulary <= window.alphabet:
            raise CodingError(
                f"lexicon: a vocabulary of {self.config.vocabulary} cannot hold {window.alphabet} symbols and a text"
            )
        Trainer(predictor, window, train.symbols, bounds, lanes, self.config).run().write(folder)

    def load(self, folder: Path) -> None:
        """Read the texts that `fit_under` wrote."""
        self._texts, self._met = Texts.read(folder, self.config.vocabulary), []
        largest = int(self._texts.symbols.max())  # every symbol alone is a text
        self._kind = np.min_scalar_type(largest)

    @property
    def texts(self) -> Texts:
        if self._texts is None:
            raise CodingError("lexicon has no texts yet; fit it to a text and load them first")
        return self._texts

    def pieces(self) -> tuple[Symbols, Int64]:
        """The symbols of every token, end to end, and int64[N + 1], where each starts and ends."""
        return self.texts.symbols, self.texts.offsets

    def plain(self) -> PlainTokenizer:
        """The pieces of greatest score in each window; of equal sums the library too keeps the longest last piece.

        Scores are integers, and their sums stay below 2^53, so its floats are exact.
        """
        return PlainTokenizer(model="unigram", scores=-self.texts.costs)

    def encode(self, symbols: Symbols, bounds: Int64) -> tuple[Tokens, Int64]:
        """The tokens of all windows, and the number of tokens in each."""
        texts = self.texts
        # Windows are remembered by their bytes, so symbols of one value must have one form.
        flat = np.ascontiguousarray(symbols, self._kind).view()
        flat.flags.writeable = False  # the kernel is compiled for such an array alone
        kind = np.uint16 if len(texts.costs) <= 1 << 16 else np.uint32
        counts, given = np.zeros(len(bounds) - 1, np.int64), (*texts.trie, texts.costs, texts.lengths)
        try:
            met = self._met.pop()  # which gives none of them to two callers
        except IndexError:
            met = word_table(MET_BITS)
        made: list[Any] = [np.empty(0, kind)]
        for first, last in groups_of(bounds, GROUP):
            own = bounds[first : last + 1]
            out = np.empty(int(own[-1] - own[0]) + kernels.HELD, kind)
            bytes_of = flat.view(np.uint8), own * flat.itemsize
            filled = kernels.encode(flat, own, *bytes_of, *given, met, out, counts[first:last])
            made.append(out[:filled].copy())
        self._met.append(met)
        return np.concatenate(made), counts


class Trainer:
    """Proposed texts, and what is left of them.

    Args:
        predictor: restarts with every window.
        window: its symbol budget is the longest text; its table leaves out texts that it cuts.
        symbols, bounds: the training text, and where its windows start and end.
        lanes: texts stepped side by side. Changes nothing else.
    """

    def __init__(
        self, predictor: Predictor, window: Window, symbols: Symbols, bounds: Int64, lanes: int, config: LexiconConfig
    ) -> None:
        self.config, self.alphabet = config, window.alphabet
        self.symbols, self.bounds = np.ascontiguousarray(symbols), bounds
        self.windows, self.times = distinct(self.symbols, bounds)
        wanted = config.proposals * config.vocabulary - window.alphabet
        parent, last, weight = most_probable(predictor, window, wanted, lanes)
        flat, offsets = _spelt(parent, last)
        least = log2_fixed(ONE) + (1 << LOG_BITS)  # of a symbol whose p is 0: twice as rare as p = 1
        logs = np.array([least - (log2_fixed(int(p)) + (1 << LOG_BITS) if p else 0) for p in weight[1:]], np.int64)
        # Symbols alone first: the other texts keep the order of `tunstall`, which settles ties.
        order = np.argsort(np.diff(offsets) > 1, kind="stable")
        self.texts = Texts.of(flat, offsets, np.maximum(logs, 1)).kept(order, self._charged(logs[order]))
        self.uses = np.zeros(0, np.int64)

    def run(self) -> Texts:
        """Train, and return the texts."""
        wanted, proposed = self.config.vocabulary, len(self.texts.costs)
        self._cut()
        for turn in range(self.config.rounds):
            share = 1 - (turn + 1) / self.config.rounds
            self._drop(max(wanted, round(wanted * (proposed / wanted) ** share)) if proposed > wanted else wanted)
            self._cut()
        self._cut()
        alone = np.arange(self.alphabet)
        others = self.alphabet + np.argsort(-self.uses[self.alphabet :], kind="stable")
        order = np.concatenate([alone, others[self.uses[others] > 0]])
        return self.texts.kept(order, self.texts.costs[order])

    def _charged(self, logs: Int64) -> Int64:
        costs: Int64 = np.maximum(logs, 1) + (self.config.surcharge << LOG_BITS)
        return costs

    def _cut(self) -> None:
        """Cut the distinct windows, and count every text's uses, at least one: they decide its cost."""
        texts = self.texts
        self.uses = np.zeros(len(texts.costs), np.int64)
        kernels.count_uses(
            self.symbols, self.bounds, self.windows, self.times, *texts.trie, texts.costs, texts.lengths, self.uses
        )
        every = log2_fixed(1 + int(self.uses.sum()))
        logs = np.array([every - log2_fixed(max(1, use)) for use in self.uses.tolist()], np.int64)
        self.texts = attrs.evolve(texts, costs=self._charged(logs))

    def _drop(self, wanted: int) -> None:
        """Keep all symbols alone and of the others those whose loss would cost most, `wanted` in all."""
        texts, losses = self.texts, np.zeros(len(self.uses), np.int64)
        kernels.count_losses(texts.symbols, texts.offsets, *texts.trie, texts.costs, self.uses, losses)
        order = np.argsort(-losses, kind="stable")
        order = order[(order >= self.alphabet) & (self.uses[order] > 0)][: max(0, wanted - self.alphabet)]
        kept = np.concatenate([np.arange(self.alphabet), np.sort(order)])
        self.texts = texts.kept(kept, texts.costs[kept])


def distinct(symbols: Symbols, bounds: Int64) -> tuple[Int64, Int64]:
    """Distinct windows, in the order of their first occurrences in the text, and how often each occurs."""
    slots, first, filled = 1 << 12, 0, np.zeros(1, np.int64)

    def table() -> tuple[Any, Int64, Int64]:
        return np.zeros(slots, np.uint64), np.zeros(slots, np.int64), np.zeros(slots, np.int64)

    found = table()
    while first < len(bounds) - 1:
        first = kernels.count_windows(symbols, bounds, first, *found, filled)
        if first < len(bounds) - 1:
            slots *= 2
            larger = table()
            kernels.move(*found, *larger)
            found = larger
    keys, counts, firsts = found
    used = np.flatnonzero(keys)
    used = used[np.argsort(firsts[used])]
    return firsts[used], counts[used]


def _spelt(parent: Int32, symbol: Int32) -> tuple[Int32, Int64]:
    """The texts of a dictionary but for the empty one, end to end: int32[n], and int64[N] where each starts."""
    texts: list[tuple[int, ...]] = [()]
    for above, last in zip(parent[1:].tolist(), symbol[1:].tolist(), strict=True):
        texts.append((*texts[above], last))
    flat = np.array([symbol for text in texts for symbol in text], np.int32)
    return flat, offsets_of(list(map(len, texts[1:])))


def twin_cut(window: tuple[int, ...], costs: dict[tuple[int, ...], int]) -> list[tuple[int, ...]]:
    """The cheapest cutting of a window in plain Python: the oracle of `LexiconCoder.encode`."""
    best: list[tuple[int, list[tuple[int, ...]]]] = [(0, [])]
    for high in range(1, len(window) + 1):
        ways = [(best[low][0] + costs[window[low:high]], low) for low in range(high) if window[low:high] in costs]
        cost, low = min(ways)  # of equal costs the one that starts first
        best.append((cost, [*best[low][1], window[low:high]]))
    return best[-1][1]
