"""Counting the texts of a sample within an amount of memory: the same counts, whatever the amount."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from stackc.api import ArtifactError, Int64, StackcError
from stackc_counted.counting import count_texts
from stackc_counted.sampling import Sample
from stackc_counted.trie import Trie
from stackc_counted.union import MOST_PLACES, Union, count_known

PLACE_BYTES = 40
"""Bytes of memory for a symbol of a shard: itself, its place while groups are split, a token that is cut there."""

TEXT_BYTES = 64
"""Bytes for a text that is collected: its key and count, both also while two tries become one, and its node."""

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
    """

    sample: Sample
    places: int
    kept: Path | None

    def read(self) -> tuple[npt.NDArray[Any], Int64, Int64 | None]:
        """(symbols, bounds of segments, places or None)."""
        return *self.sample.read(), None if self.kept is None else np.load(self.kept).astype(np.int64)


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
            StackcError: so many texts are collected that they take more than the memory.
        """
        with self._blocks(sample, starts) as blocks:
            places = sum(shard.places for block in blocks for shard in block)
            enough = least(places)
            limits: dict[str, Any] = {"alphabet": self.alphabet, "length": length, "threads": self.threads}
            if len(blocks) == 1 and len(blocks[0]) == 1 and places <= MOST_PLACES and self.prune <= enough:
                return count_texts(*blocks[0][0].read(), least=enough, **limits)
            if len(blocks) == 1:
                enough = max(enough, self.prune)
                return self._block(blocks[0], enough, limits).trie(places, enough)
            total = Union(self.alphabet)
            for block in blocks:
                total.add(self._block(block, self.prune, limits).trie(0, self.prune))
                self._check(total)
            return total.trie(places, enough)

    def _block(self, shards: list[Shard], least: int, limits: dict[str, Any]) -> Union:
        """Texts that begin at least `least` times in some shards, and rarer ones; the counts of all are exact."""
        union, places = Union(self.alphabet), sum(shard.places for shard in shards)
        for shard in shards:
            own = max(1, -(-least * shard.places // places)) if places else 1
            union.add(count_texts(*shard.read(), least=own, **limits))
            self._check(union)
        if len(shards) == 1:
            return union
        trie = union.trie(0, 0)
        counts = np.zeros(len(union), np.int64)
        for shard in shards:
            counts += count_known(trie, *shard.read(), limits["length"], self.threads)
        return union.counted_anew(counts)

    def _check(self, union: Union) -> None:
        needed = TEXT_BYTES * len(union)
        if needed > self.memory // 2:
            raise StackcError(
                f"counted: {len(union):,} texts take {needed / 1e6:,.0f} MB, half of what run.memory may be "
                f"({self.memory / 1e6:,.0f} MB); raise run.memory, or count fewer: lower train.texts, raise train.prune"
            )

    @contextlib.contextmanager
    def _blocks(self, sample: Sample, starts: Starts | None) -> Iterator[list[list[Shard]]]:
        """Blocks of shards, with their places."""
        kept: list[Path] = []
        try:
            blocks = []
            for block in sample.shards(BLOCK) if self.prune else [sample]:
                shards = []
                for part in block.shards(self.shard):
                    if starts is None:
                        shards.append(Shard(sample=part, places=part.symbols, kept=None))
                        continue
                    kept.append(self.folder / f".places-{len(kept)}.npy")
                    found = starts(*part.read())
                    _keep(kept[-1], found)
                    shards.append(Shard(sample=part, places=len(found), kept=kept[-1]))
                blocks.append(shards)
            yield blocks
        finally:
            for path in kept:
                path.unlink(missing_ok=True)


def _keep(path: Path, places: Int64) -> None:
    try:
        np.save(path, places.astype(np.uint32 if not len(places) or places[-1] < 1 << 32 else np.int64))
    except OSError as error:
        raise ArtifactError(f"{path}: cannot write ({error.strerror or error}); free some space on the disk") from error
