"""The model backend ``counted``: which places are counted, and the predictor over the counts."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from stackc.api import (
    IDLE,
    RESTART,
    ArtifactError,
    CodingError,
    CompiledStep,
    CorpusError,
    Device,
    Frequencies,
    Int64,
    Mask,
    Portability,
    Symbols,
    TrainingTask,
    are_offsets,
    offsets_of,
    read_tensors,
    write_tensors,
)
from stackc_counted import mixing
from stackc_counted.config import Counted, CountedTraining
from stackc_counted.continuation import continued
from stackc_counted.counting import count_texts
from stackc_counted.mixing import discounted
from stackc_counted.models import count
from stackc_counted.sampling import Sample, spread
from stackc_counted.shards import Counter, Starts
from stackc_counted.trie import UNIT, Trie
from stackc_counted.union import MOST_PLACES

FILE = "counted.safetensors"

BLOCK = 1 << 20
"""Frequencies in a block of rows that `score` yields: 4 MiB."""


class CountedBackend:
    """A `stackc.api.ModelBackend`. Trained and frozen are the same integers."""

    def __init__(self, config: Counted) -> None:
        self.config = config

    def train(self, task: TrainingTask) -> None:
        """Count; a killed training starts again, a finished one is left as it is.

        Raises:
            CorpusError: a text without symbols.
            CodingError: a symbol outside the alphabet.
        """
        if (task.folder / FILE).exists():
            return
        Counting(self.config, task).to_the_end().save(task.folder)

    def freeze(self, trained: Path, folder: Path, alphabet: int) -> None:
        CountedPredictor.load(trained, self.config, alphabet).save(folder)

    def load(self, folder: Path, alphabet: int, device: Device) -> CountedPredictor:
        return CountedPredictor.load(folder, self.config, alphabet)


class Counting:
    """One training: the part of the text that is read, and the rounds of counting it."""

    def __init__(self, config: Counted, task: TrainingTask) -> None:
        settings: CountedTraining = task.settings
        self.config, self.task, self.settings = config, task, settings
        self.sample = spread(task.train, task.segment, settings.sample)
        if not self.sample.symbols:
            raise CorpusError("counted: the training text has no symbols; give the corpus some text")
        self.counter = Counter(
            alphabet=task.alphabet, memory=task.device.memory * 1_000_000, threads=task.device.threads,
            prune=settings.prune, folder=task.folder,
        )  # fmt: skip
        # A round cuts and counts; the fall-back and the first count come before.
        self.steps = 2 + (1 + settings.rounds if task.cut is not None else 0)
        self.done = 0

    def to_the_end(self) -> CountedPredictor:
        """The counts that every round leaves, the last round's."""
        counts = np.zeros(self.task.alphabet, np.int64)
        for shard in self.sample.shards(self.counter.shard):
            counts += count(shard.read()[0], self.task.alphabet)
        base = cumulative(counts)
        self._report()
        free = self._fallback()
        self._report()
        cut = self.task.cut
        if cut is None:
            nothing = count_texts(
                np.zeros(0, np.uint8), np.zeros(1, np.int64), None, alphabet=self.task.alphabet, least=1, length=0
            )
            return CountedPredictor(self.config, nothing, free, base)
        texts = self._texts(self.sample.evenly(self.settings.first_sample), None, self.config.length)
        self._report()
        for _ in range(self.settings.rounds):
            starts = functools.partial(cut, CountedPredictor(self.config, discounted(texts), free, base))
            texts = self._texts(self.sample, starts, self.config.length)
            self._report()
        return CountedPredictor(self.config, discounted(texts), free, base)

    def _fallback(self) -> Trie:
        """What followed the last symbols, anywhere."""
        sample, longest = self.sample.evenly(self.settings.fallback_sample), self.config.order + 1
        counts = continued(self._texts(sample, None, longest), longest, self._least(sample.symbols))
        return discounted(counts)

    def _texts(self, sample: Sample, starts: Starts | None, length: int) -> Trie:
        return self.counter.count(sample, starts, length, self._least)

    def _least(self, places: int) -> int:
        return max(self.settings.least, -(-places // self.settings.texts))

    def _report(self) -> None:
        self.done += 1
        self.task.progress.update(self.done, self.steps)


def cumulative(counts: Int64) -> Int64:
    """int64[A + 1]: the symbols' cumulative counts, each a sixteenth more than it was seen, scaled to sum to 2^30.

    Counts of more than 2^28 symbols are halved, rounded down, until they are no more.
    """
    spare = max(0, (int(counts.sum()) - 1).bit_length() - (MOST_PLACES - 1).bit_length())
    running = offsets_of(UNIT * (counts >> spare) + 1)
    # At most 2^28 symbols of at most 2^20 kinds: running < 2^33, and the product below 2^63.
    scaled: Int64 = (running << mixing.BASE_BITS) // running[-1]
    return scaled


class CountedPredictor:
    """A `stackc.api.Predictor` over counts. Its state is the node rows of all lanes (`mixing`).

    Args:
        anchored: texts counted from where windows start, discounted; only the empty one where contexts restart with
            segments.
        free: texts of up to order + 1 symbols counted everywhere, discounted.
        base: int64[A + 1], what symbols fall back to, cumulative.
    """

    portability: Portability = "portable"

    def __init__(self, config: Counted, anchored: Trie, free: Trie, base: Int64) -> None:
        self.config, self.alphabet = config, len(base) - 1
        self.tries, self.base = (anchored, free), base
        self._tables: tuple[Any, Any, Any] = (anchored.table, free.table, base)

    @property
    def parameters(self) -> int:
        """Counts that are kept."""
        return sum(len(trie) for trie in self.tries) + self.alphabet

    def start(self, lanes: int) -> Int64:
        return np.full((lanes, 1 + self.config.order), -1, np.int64)

    def take(self, state: Int64, lanes: Int64) -> Int64:
        return state[lanes]

    def step(self, state: Int64, symbols: Int64) -> Frequencies:
        if len(symbols) and not IDLE <= int(symbols.min()) <= int(symbols.max()) < self.alphabet:
            raise CodingError(f"a symbol outside the alphabet of {self.alphabet}")
        out = np.empty((len(symbols), self.alphabet), np.uint32)
        mixing.step_lanes(*self._tables, state, np.asarray(symbols, np.int64), out)
        return out

    def compiled(self) -> CompiledStep:
        return CompiledStep(advance=mixing.advance_lane, fill=mixing.fill_lane, tables=self._tables)

    def score(self, segment: Symbols, restarts: Mask | None = None) -> Iterator[Frequencies]:
        nodes = self.start(1)[0]
        for _, inputs in self._inputs(segment, restarts, max(1, BLOCK // self.alphabet)):
            out = np.empty((len(inputs), self.alphabet), np.uint32)
            mixing.score_rows(*self._tables, nodes, inputs, out)
            yield out

    def pick(self, segment: Symbols, restarts: Mask | None = None) -> Iterator[Frequencies]:
        """The frequency of every symbol of a segment alone: what `score` gives it, without the rows."""
        nodes = self.start(1)[0]
        for start, inputs in self._inputs(segment, restarts, BLOCK):
            wanted = np.asarray(segment[start : start + len(inputs)], np.int64)
            out = np.empty(len(inputs), np.uint32)
            mixing.pick_rows(*self._tables, nodes, inputs, wanted, out)
            yield out

    def _inputs(self, segment: Symbols, restarts: Mask | None, size: int) -> Iterator[tuple[int, Int64]]:
        """(place, the symbols before the next places, RESTART where the context is empty), a block at a time."""
        if len(segment) and not 0 <= int(segment.min()) <= int(segment.max()) < self.alphabet:
            raise CodingError(f"a symbol outside the alphabet of {self.alphabet}")
        for start in range(0, len(segment), size):
            inputs = np.empty(min(size, len(segment) - start), np.int64)
            inputs[0] = segment[start - 1] if start else RESTART
            inputs[1:] = segment[start : start + len(inputs) - 1]
            if restarts is not None:
                inputs[np.asarray(restarts[start : start + len(inputs)], bool)] = RESTART
            yield start, inputs

    def save(self, folder: Path) -> None:
        anchored, free = self.tries
        write_tensors(folder / FILE, {**anchored.arrays("anchored"), **free.arrays("free"), "base": self.base})

    @classmethod
    def load(cls, folder: Path, config: Counted, alphabet: int) -> CountedPredictor:
        """Read and check what `save` wrote. Raises `ArtifactError`."""
        path = folder / FILE
        arrays = read_tensors(path)
        base = arrays.get("base")
        sized = base is not None and base.dtype == np.int64 and base.shape == (alphabet + 1,)
        if base is None or not sized or not are_offsets(base, 1 << mixing.BASE_BITS):
            raise ArtifactError(f"{path}: no counts of {alphabet} symbols; build the stack again")
        anchored, free = (Trie.of_arrays(arrays, name, alphabet, str(path)) for name in ("anchored", "free"))
        return cls(config, anchored, free, np.require(base, requirements=["C", "A", "W"]))
