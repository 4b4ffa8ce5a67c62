"""Which part of a training text is read: whole segments, evenly spread, a shard of them in memory at a time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import attrs
import numpy as np

from stackc.api import Int64, Symbols, Text, offsets_of


@attrs.frozen(kw_only=True, eq=False)
class Sample:
    """Segments of a text.

    Attributes:
        text: the text, perhaps memory-mapped.
        starts, sizes: int64[S], where each segment starts in it, and its symbols.
    """

    text: Text
    starts: Int64
    sizes: Int64

    @property
    def symbols(self) -> int:
        """Symbols of all segments."""
        return int(self.sizes.sum())

    def evenly(self, most: int) -> Sample:
        """About `most` symbols of it, see `evenly`."""
        return self.some(evenly(offsets_of(self.sizes), most))

    def some(self, chosen: Any) -> Sample:
        """The segments of these numbers, or of a slice."""
        return attrs.evolve(self, starts=self.starts[chosen], sizes=self.sizes[chosen])

    def shards(self, most: int) -> list[Sample]:
        """Runs of segments with `most` symbols or fewer; a segment that is longer is a shard by itself."""
        ends = np.cumsum(self.sizes)
        first, found = 0, []
        while first < len(ends):
            reached = most + (ends[first - 1] if first else 0)
            last = max(first + 1, int(np.searchsorted(ends, reached, side="right")))
            found.append(self.some(slice(first, last)))
            first = last
        return found

    def read(self) -> tuple[Symbols, Int64]:
        """(symbols, int64[S + 1] bounds of segments), copied out of the text, which may leave memory again."""
        bounds = offsets_of(self.sizes)
        out = np.empty(int(bounds[-1]), self.text.symbols.dtype)
        for first, last in self._runs():
            start, size = int(self.starts[first]), int(bounds[last] - bounds[first])
            out[bounds[first] : bounds[last]] = self.text.symbols[start : start + size]
        self.text.release()
        return out, bounds

    def _runs(self) -> Iterator[tuple[int, int]]:
        """First and last + 1 segment of every run that has no gap."""
        gaps = np.flatnonzero(self.starts[1:] != self.starts[:-1] + self.sizes[:-1]) + 1
        edges = [0, *gaps.tolist(), len(self.starts)] if len(self.starts) else [0]
        return itertools.pairwise(edges)


def spread(text: Text, segment: int, most: int) -> Sample:
    """About `most` symbols of a text, in whole segments evenly spread."""
    offsets: Int64 = np.asarray(text.offsets, np.int64)
    lengths = offsets[1:] - offsets[:-1]
    pieces = -(-lengths // segment)
    document = np.repeat(np.arange(len(lengths)), pieces)
    number = np.arange(len(document)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    starts = offsets[document] + segment * number
    sizes = np.minimum(segment, lengths[document] - segment * number)
    return Sample(text=text, starts=starts, sizes=sizes).evenly(most)


def evenly(bounds: Int64, most: int) -> Int64:
    """Numbers of pieces, evenly spread, that have about `most` symbols together: at least one, all if they fit."""
    pieces, symbols = len(bounds) - 1, int(bounds[-1] - bounds[0])
    wanted = pieces if symbols <= most else max(1, pieces * most // symbols)
    return np.arange(wanted, dtype=np.int64) * pieces // max(wanted, 1)
