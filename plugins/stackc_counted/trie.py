"""Counted texts as a trie: what has been seen after a context, and how often.

Nodes are numbered breadth first, the empty text first, and the children of a node by ascending symbol: so they lie
side by side, and a node's end where the next one's begin.
"""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from stackc.api import ArtifactError


@attrs.frozen(kw_only=True, eq=False)
class Trie:
    """N texts, each with how often it occurs.

    Attributes:
        symbol: uint32[N], the last symbol of each text; 0 for the empty text, node 0.
        count: uint32[N], occurrences; at least those of its children together.
        first: uint32[N + 1]; the children of node i are the nodes first[i] .. first[i + 1] - 1.
    """

    symbol: npt.NDArray[np.uint32]
    count: npt.NDArray[np.uint32]
    first: npt.NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.symbol)

    @classmethod
    def of_levels(cls, places: int, levels: list[tuple[npt.NDArray[Any], ...]]) -> Trie:
        """From each length's (children of the texts before, last symbols, counts)."""
        children = np.concatenate([*(level[0] for level in levels), np.zeros(len(levels[-1][1]) if levels else 1)])
        symbol = np.concatenate([np.zeros(1, np.uint32), *(level[1] for level in levels)])
        count = np.concatenate([np.array([places]), *(level[2] for level in levels)])
        first = 1 + np.concatenate([np.zeros(1, np.int64), np.cumsum(children.astype(np.int64))])
        return cls(symbol=symbol.astype(np.uint32), count=count.astype(np.uint32), first=first.astype(np.uint32))

    @property
    def before(self) -> npt.NDArray[np.uint32]:
        """uint32[N], occurrences of the siblings before each node: cumulative counts inside its parent."""
        running = np.cumsum(self.count, dtype=np.int64) - self.count
        of_first = np.repeat(running[np.minimum(self.first[:-1], len(self) - 1)], np.diff(self.first.astype(np.int64)))
        return np.concatenate([np.zeros(1, np.int64), running[1:] - of_first]).astype(np.uint32)

    def arrays(self, name: str) -> dict[str, npt.NDArray[Any]]:
        """For a safetensors file."""
        return {f"{name}.symbol": self.symbol, f"{name}.count": self.count, f"{name}.first": self.first}

    @classmethod
    def of_arrays(cls, arrays: dict[str, npt.NDArray[Any]], name: str, alphabet: int, where: str) -> Trie:
        """Read back and check what `arrays` gave: nothing later looks outside of it.

        Raises:
            ArtifactError: missing arrays, or no trie.
        """
        try:
            symbol, count, first = (arrays[f"{name}.{field}"] for field in ("symbol", "count", "first"))
        except KeyError as error:
            raise ArtifactError(f"{where}: {error} is missing; build the stack again") from error
        kinds = (symbol.dtype, count.dtype, first.dtype) == (np.uint32, np.uint32, np.uint32)
        size = len(symbol)
        if not kinds or size < 1 or count.shape != (size,) or first.shape != (size + 1,) or symbol.shape != (size,):
            raise ArtifactError(f"{where}: {name} is no trie of counts; build the stack again")
        own, children = np.arange(size), np.diff(first.astype(np.int64))
        ordered = first[0] == 1 and first[-1] == size and (children >= 0).all() and (first[:-1] > own).all()
        if not ordered or int(symbol.max()) >= alphabet or int(count.max()) >= 1 << 31:
            raise ArtifactError(f"{where}: the texts of {name} are not in order; build the stack again")
        trie = cls(symbol=symbol, count=count, first=first)
        parent = np.repeat(own, children)
        rising = symbol[2:] > symbol[1:-1]
        within = np.bincount(parent, weights=count[1:], minlength=size) <= count  # exact: sums below 2^53
        if not (rising | (parent[1:] != parent[:-1])).all() or not within.all():
            raise ArtifactError(f"{where}: the counts of {name} do not add up; build the stack again")
        return trie
