"""Counted texts as a trie: what has been seen after a context, and how often.

Nodes are numbered breadth first, the empty text first, and the children of a node by ascending symbol: so they are
adjacent, and a node's children end where the next node's begin. A node is one row of 16 bytes: looking up a
context is one visit to memory, and that is what its time is made of.
"""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from stackc.api import ArtifactError, offsets_of

Uint32 = npt.NDArray[np.uint32]

UNIT = 16
"""Counts are multiplied by this, so that a discount may be a fraction."""

COLUMNS = ("symbol", "weight", "first", "total")
SYMBOL, COUNT, FIRST, TOTAL_COUNT = range(4)
WEIGHT = COUNT


@attrs.frozen(kw_only=True, eq=False)
class Trie:
    """N texts, each with how often it occurs.

    Attributes:
        table: uint32[N + 1, 4], one row per text:
            symbol: its last symbol; 0 for the empty text, node 0.
            count: occurrences; or, where frequencies are made of it, `weight`: those in sixteenths, less a discount.
            first: the children of node i are the nodes first[i] .. first[i + 1] - 1; the last row has only this.
            total: what the counts of its children are parts of; at least those together.

    `mixing.discounted` turns counts into weights, in place; files hold weights.
    """

    table: Uint32

    def __len__(self) -> int:
        return len(self.table) - 1

    @property
    def symbol(self) -> Uint32:
        return self.table[:-1, SYMBOL]

    @property
    def count(self) -> Uint32:
        return self.table[:-1, COUNT]

    @property
    def weight(self) -> Uint32:
        return self.table[:-1, WEIGHT]

    @property
    def first(self) -> Uint32:
        return self.table[:, FIRST]

    @property
    def total(self) -> Uint32:
        return self.table[:-1, TOTAL_COUNT]

    @classmethod
    def of(cls, symbol: Uint32, count: Uint32, first: Uint32, total: Uint32) -> Trie:
        """From its columns."""
        table = np.zeros((len(first), len(COLUMNS)), np.uint32)
        table[:-1, SYMBOL], table[:-1, COUNT], table[:, FIRST], table[:-1, TOTAL_COUNT] = symbol, count, first, total
        return cls(table=table)

    @classmethod
    def of_levels(cls, places: int, levels: list[tuple[npt.NDArray[Any], ...]]) -> Trie:
        """From each length's (children of the texts before, last symbols, counts)."""
        children = np.concatenate([*(level[0] for level in levels), np.zeros(len(levels[-1][1]) if levels else 1)])
        symbol = np.concatenate([np.zeros(1, np.uint32), *(level[1] for level in levels)])
        count = np.concatenate([np.array([places]), *(level[2] for level in levels)])
        first = 1 + offsets_of(children.astype(np.int64))
        return cls.of(
            symbol.astype(np.uint32), count.astype(np.uint32), first.astype(np.uint32), count.astype(np.uint32)
        )

    def arrays(self, name: str) -> dict[str, npt.NDArray[Any]]:
        """For a safetensors file."""
        return {f"{name}.{column}": getattr(self, column) for column in COLUMNS}

    @classmethod
    def of_arrays(cls, arrays: dict[str, npt.NDArray[Any]], name: str, alphabet: int, where: str) -> Trie:
        """Read back and check what `arrays` gave: nothing later looks outside of it.

        Raises:
            ArtifactError: missing arrays, or no trie.
        """
        try:
            found = [arrays[f"{name}.{column}"] for column in COLUMNS]
        except KeyError as error:
            raise ArtifactError(f"{where}: {error} is missing; build the stack again") from error
        size = len(found[SYMBOL]) if found[SYMBOL].ndim else 0
        shapes = [array.shape for array in found]
        if size < 1 or shapes != [(size,), (size,), (size + 1,), (size,)] or any(a.dtype != np.uint32 for a in found):
            raise ArtifactError(f"{where}: {name} is not a trie of counts; build the stack again")
        trie = cls.of(*found)
        whole = trie.first[0] == 1 and trie.first[-1] == size
        # In chunks, so that checking takes little memory compared to the arrays.
        if not whole or not all(_in_order(trie, alphabet, at) for at in range(0, size, _CHUNK)):
            raise ArtifactError(f"{where}: the texts of {name} are not in order; build the stack again")
        return trie


_CHUNK = 1 << 20


def _in_order(trie: Trie, alphabet: int, at: int) -> bool:
    """Whether the nodes at .. at + 2^20 - 1 have their children after them, symbols rising, weights up to `total`."""
    first = trie.first[at : at + _CHUNK + 1].astype(np.int64)
    own, children = np.arange(at, at + len(first) - 1), np.diff(first)
    if (children < 0).any() or (first[:-1] <= own).any() or first[-1] > len(trie):
        return False
    below = slice(int(first[0]), int(first[-1]))
    symbol, weight = trie.symbol[below], trie.weight[below]
    parent = np.repeat(own, children)
    rising = (symbol[1:] > symbol[:-1]) | (parent[1:] != parent[:-1])
    sums = np.bincount(parent - at, weights=weight, minlength=len(own))  # exact: sums below 2^53
    total = trie.total[at : at + _CHUNK].astype(np.int64)
    known = not len(symbol) or int(symbol.max()) < alphabet
    return bool(known and rising.all() and (sums <= UNIT * total).all() and ((children == 0) | (total > 0)).all())
