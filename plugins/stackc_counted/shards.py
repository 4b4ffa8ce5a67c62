"""Counting the texts of a sample within an amount of memory: the same counts, whatever the amount."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from stackc.api import ArtifactError, Int64, StackcError
from stackc_counted.counting import count_texts, end_bits, split_all
from stackc_counted.sampling import Sample
from stackc_counted.trie import Trie
from stackc_counted.union import MOST_PLACES, Union

PLACE_BYTES = 40
"""Bytes of memory for a symbol of a shard: itself, its place while groups are split, a token that is cut there."""

TEXT_BYTES = 40
"""Bytes for a text that is not known to be rare yet: its key and count, twice while those of two shards become one."""

BLOCK = 1 << 24
"""Symbols in whose runs `prune` counts. They decide bits, so that memory cannot."""

Starts = Callable[[npt.NDArray[Any], Int64], Int64]
"""Where texts begin, of a shard's symbols and the bounds of its segments; see `stackc.api.Cut`."""


@attrs.frozen(kw_only=True)
class Shard:
    """Segments that are counted together.

    Attributes:
        sample: the segments.
        places: how many texts begin in them.
        kept: the file of these places; None: texts begin everywhere.
        number, folder: of its files.
    """

    sample: Sample
    places: int
    kept: Path | None
    number: int
    folder: Path

    def read(self) -> tuple[npt.NDArray[Any], Int64, Int64 | None]:
        """(symbols, bounds of segments, places or None)."""
        return *self.sample.read(), None if self.kept is None else np.load(self.kept).astype(np.int64)

    @property
    def waiting(self) -> Path:
        """The file of its groups: places at which the same text begins."""
        return self.folder / f".groups-{self.number}.npz"

    def write(self, keys: Int64, starts: Int64, sizes: Int64, places: npt.NDArray[Any]) -> None:
        """Write its groups: the key of each (`Union`), where it begins in `places`, and how many places it has."""
        with kept_whole(self.waiting):
            np.savez(self.waiting, keys=keys, starts=starts, sizes=sizes, places=places)

    def groups(self, low: int, high: int) -> tuple[Int64, Int64]:
        """(keys, places of each) of the groups whose keys are in low .. high - 1."""
        with np.load(self.waiting) as kept:
            keys, sizes = kept["keys"], kept["sizes"]
        inside = (keys >= low) & (keys < high)
        return (keys, sizes) if inside.all() else (keys[inside], sizes[inside])


@attrs.define
class Sums:
    """Counts of keys, added up.

    New keys wait until they are half as many as those that are sorted: sorting all of them again for every shard took
    five sixths of the time of counting 5 GB.
    """

    keys: Int64 = attrs.field(factory=lambda: np.zeros(0, np.int64))
    counts: Int64 = attrs.field(factory=lambda: np.zeros(0, np.int64))
    waiting: list[tuple[Int64, Int64]] = attrs.field(factory=list)

    def __len__(self) -> int:
        """Entries in memory: no less than there are keys."""
        return len(self.keys) + sum(len(keys) for keys, _ in self.waiting)

    def add(self, keys: Int64, counts: Int64) -> None:
        """Add counts of keys, in any order and possibly repeated."""
        self.waiting.append((keys, counts))
        if 2 * (len(self) - len(self.keys)) > len(self.keys):
            self.settle()

    def settle(self) -> tuple[Int64, Int64]:
        """(all keys, ascending; the count of each)."""
        if self.waiting:
            keys = np.concatenate([self.keys, *(keys for keys, _ in self.waiting)])
            counts = np.concatenate([self.counts, *(counts for _, counts in self.waiting)])
            self.waiting.clear()
            order = np.argsort(keys, kind="stable")
            keys, counts = keys[order], counts[order]
            first = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]])) if len(keys) else keys
            self.keys, self.counts = keys[first], np.add.reduceat(counts, first) if len(keys) else counts
        return self.keys, self.counts


@attrs.frozen(kw_only=True)
class Counter:
    """Counts texts.

    Attributes:
        alphabet: A.
        memory: bytes that counting may take; half are for the symbols of a shard, half for what is found in it.
        threads: speed only.
        prune: in each run of `BLOCK` symbols, texts that occur less often are not counted; 0: all are.
        folder: for files that are gone when a count has ended.
    """

    alphabet: int
    memory: int
    threads: int
    prune: int
    folder: Path

    @property
    def shard(self) -> int:
        """Symbols of a shard, at most."""
        return max(1, self.memory // 2 // PLACE_BYTES)

    def count(self, sample: Sample, starts: Starts | None, length: int, least: Callable[[int], int]) -> Trie:
        """The texts of up to `length` symbols that begin at `starts` (None: everywhere) often enough.

        Args:
            least: how often they must, of how many places there are.

        Raises:
            StackcError: the collected texts take more memory than allowed.
        """
        with self._blocks(sample, starts) as blocks:
            places = sum(shard.places for block in blocks for shard in block)
            enough = least(places)
            if len(blocks) == 1 and len(blocks[0]) == 1 and places <= MOST_PLACES and self.prune <= enough:
                symbols, bounds, chosen = blocks[0][0].read()
                return count_texts(
                    symbols, bounds, chosen, alphabet=self.alphabet, least=enough, length=length, threads=self.threads
                )
            if len(blocks) == 1:
                enough = max(enough, self.prune)
                return self._block(blocks[0], length, enough).trie(places, enough)
            total = Union(self.alphabet)
            for block in blocks:
                total.add(self._block(block, length, self.prune).trie(0, self.prune))
                self._check(len(total))
            return total.trie(places, enough)

    def _block(self, shards: list[Shard], length: int, least: int) -> Union:
        """Texts that begin at least `least` times in some shards, with their counts.

        Breadth first in all shards together: every shard splits its groups of places by one symbol more and says how
        large they are; what is frequent in all of them is kept. The places wait in files meanwhile.
        """
        found, before = Union(self.alphabet), np.zeros(1, np.int64)
        with ThreadPoolExecutor(self.threads) as pool:
            for depth in range(length):
                for shard in shards:
                    self._split(shard, depth, before, pool)
                before, counts = self._frequent(shards, least)
                found.levels.append((before, counts))
                if not len(before):
                    break
        return found

    def _frequent(self, shards: list[Shard], least: int) -> tuple[Int64, Int64]:
        """(keys, ascending; counts) of the groups that are frequent in all shards together.

        If the sums of all keys take more memory than there is, they are made for smaller and smaller ranges of keys:
        most keys are rare, and few are kept.
        """
        found: list[tuple[Int64, Int64]] = []
        ranges = [(0, np.iinfo(np.int64).max)]
        while ranges:
            low, high = ranges.pop()
            sums = Sums()
            for shard in shards:
                sums.add(*shard.groups(low, high))
                if self._too_many(len(sums)) and self._too_many(len(sums.settle()[0])):
                    break
            else:
                keys, counts = sums.settle()
                found.append((keys[counts >= least], counts[counts >= least]))
                self._check(sum(len(keys) for keys, _ in found))
                continue
            middle = int(sums.keys[len(sums.keys) // 2])
            if middle == low:
                self._check(len(sums))
            ranges += [(middle, high), (low, middle)]
        keys, counts = (np.concatenate(one) for one in zip(*found, strict=True))
        return keys, counts

    def _split(self, shard: Shard, depth: int, before: Int64, pool: ThreadPoolExecutor) -> None:
        """Split a shard's groups by the symbol at `depth`, and write them to its file.

        Args:
            before: the keys of the texts of `depth` symbols that are kept, ascending.
        """
        if depth == 0:
            symbols, bounds, places = shard.read()
            here = np.arange(len(symbols), dtype=np.int64) if places is None else places
            nodes, starts, sizes = (np.array([one], np.int64) for one in (0, 0, len(here)))
        else:
            with np.load(shard.waiting) as kept:
                at = np.searchsorted(before, kept["keys"])
                some = (at < len(before)) & (before[np.minimum(at, len(before) - 1)] == kept["keys"])
                nodes, starts, sizes, here = at[some], kept["starts"][some], kept["sizes"][some], kept["places"]
            if not len(nodes):  # written too: the groups that are in the file have texts one symbol shorter
                shard.write(nodes, starts, sizes, here[:0])
                return
            symbols, bounds = shard.sample.read()
        here = here.astype(np.int32 if len(symbols) < 1 << 31 else np.int64, copy=False)
        there = np.empty_like(here)
        children, found, into, begins = split_all(
            pool, self.threads, symbols, end_bits(len(symbols), bounds), depth, 1, self.alphabet, here, there, starts,
            sizes,
        )  # fmt: skip
        shard.write(np.repeat(nodes, children) * self.alphabet + found, begins, into, there)

    def _too_many(self, texts: int) -> bool:
        return TEXT_BYTES * texts > self.memory // 2

    def _check(self, texts: int) -> None:
        needed = -(-TEXT_BYTES * texts // 1_000_000)  # rounded up: it never looks like what is allowed
        if self._too_many(texts):
            raise StackcError(
                f"counted: {texts:,} texts take {needed:,} MB, more than half of run.memory "
                f"({self.memory / 1e6:,.0f} MB); raise run.memory, or count fewer: lower train.texts, raise train.prune"
            )

    @contextlib.contextmanager
    def _blocks(self, sample: Sample, starts: Starts | None) -> Iterator[list[list[Shard]]]:
        """Blocks of shards, with their places."""
        number = 0
        try:
            blocks = []
            for block in sample.shards(BLOCK) if self.prune else [sample]:
                shards = []
                for part in block.shards(self.shard):
                    kept, places = None, part.symbols
                    if starts is not None:
                        kept = self.folder / f".places-{number}.npy"
                        found = starts(*part.read())
                        places = len(found)
                        with kept_whole(kept):
                            np.save(kept, found.astype(np.uint32 if part.symbols < 1 << 32 else np.int64))
                    shards.append(Shard(sample=part, places=places, kept=kept, number=number, folder=self.folder))
                    number += 1
                blocks.append(shards)
            yield blocks
        finally:
            for path in [*self.folder.glob(".places-*.npy"), *self.folder.glob(".groups-*.npz")]:
                path.unlink(missing_ok=True)


@contextlib.contextmanager
def kept_whole(path: Path) -> Iterator[None]:
    """Around writing a file that waits: one line if the disk refuses it."""
    try:
        yield
    except OSError as error:
        raise ArtifactError(f"{path}: cannot write ({error.strerror or error}); free some space on the disk") from error
