"""Short texts from seeded places, encoded side by side as separate documents."""

from __future__ import annotations

import numpy as np

from stackc.api.arrays import Int64, Symbols
from stackc.api.offsets import offsets_of
from stackc.coding.level import Level

SEED = 2404_03626
"""The seed of all samples: the same text has the same samples everywhere."""


def drawn(places: Int64, most: int, seed: int) -> Int64:
    """At most `most` of some places, without repetition, in random order."""
    random = np.random.default_rng([SEED, seed])
    return places[random.permutation(len(places))[:most]]


def around(text: Symbols, offsets: Int64, place: int, before: int, after: int) -> tuple[bytes, bytes]:
    """At most `before` bytes that end at a place and `after` bytes that start there, of its document alone."""
    document = int(np.searchsorted(offsets, place, "right"))
    first, last = max(int(offsets[document - 1]), place - before), min(int(offsets[document]), place + after)
    return text[first:place].tobytes(), text[place:last].tobytes()


class Excerpts:
    """Texts, and what the levels so far made of each.

    Args:
        symbols: the texts end to end.
        offsets: int64[E + 1], their bounds.
    """

    def __init__(self, symbols: Symbols, offsets: Int64) -> None:
        self._symbols, self._offsets = symbols, offsets

    @classmethod
    def of(cls, texts: list[bytes]) -> Excerpts:
        lengths = np.array([len(text) for text in texts], np.int64)
        return cls(np.frombuffer(b"".join(texts), np.uint8), offsets_of(lengths))

    def __getitem__(self, number: int) -> Symbols:
        return self._symbols[self._offsets[number] : self._offsets[number + 1]]

    def encoded(self, level: Level) -> Excerpts:
        """Each text as a document by itself."""
        coded = level.encode(self._symbols, self._offsets, verify=False)
        return Excerpts(coded.tokens, coded.offsets)


def shared(one: Symbols, other: Symbols) -> int:
    """How many symbols two texts have in common at their beginning."""
    size = min(len(one), len(other))
    differing = np.flatnonzero(one[:size] != other[:size])
    return int(differing[0]) if len(differing) else size


def mean(numbers: list[int]) -> float | None:
    """None without numbers."""
    return sum(numbers) / len(numbers) if numbers else None
