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
        count: uint32[N], occurrences.
        first: uint32[N + 1]; the children of node i are the nodes first[i] .. first[i + 1] - 1.
        total: uint32[N], what the counts of a node's children are parts of; at least those together.
    """

    symbol: npt.NDArray[np.uint32]
    count: npt.NDArray[np.uint32]
    first: npt.NDArray[np.uint32]
    total: npt.NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.symbol)

    @classmethod
    def of_levels(cls, places: int, levels: list[tuple[npt.NDArray[Any], ...]]) -> Trie:
        """From each length's (children of the texts before, last symbols, counts)."""
        children = np.concatenate([*(level[0] for level in levels), np.zeros(len(levels[-1][1]) if levels else 1)])
        symbol = np.concatenate([np.zeros(1, np.uint32), *(level[1] for level in levels)])
        count = np.concatenate([np.array([places]), *(level[2] for level in levels)])
        first = 1 + np.concatenate([np.zeros(1, np.int64), np.cumsum(children.astype(np.int64))])
        occurrences = count.astype(np.uint32)
        return cls(symbol=symbol.astype(np.uint32), count=occurrences, first=first.astype(np.uint32), total=occurrences)

    def arrays(self, name: str) -> dict[str, npt.NDArray[Any]]:
        """For a safetensors file."""
        return {f"{name}.{field.name}": getattr(self, field.name) for field in attrs.fields(Trie)}

    @classmethod
    def of_arrays(cls, arrays: dict[str, npt.NDArray[Any]], name: str, alphabet: int, where: str) -> Trie:
        """Read back and check what `arrays` gave: nothing later looks outside of it.

        Raises:
            ArtifactError: missing arrays, or no trie.
        """
        try:
            found = {field.name: arrays[f"{name}.{field.name}"] for field in attrs.fields(cls)}
        except KeyError as error:
            raise ArtifactError(f"{where}: {error} is missing; build the stack again") from error
        symbol, first = found["symbol"], found["first"]
        size = len(symbol) if symbol.ndim else 0
        shapes = [array.shape for array in found.values()]
        kinds = all(array.dtype == np.uint32 for array in found.values())
        if not kinds or size < 1 or shapes != [(size,), (size,), (size + 1,), (size,)]:
            raise ArtifactError(f"{where}: {name} is no trie of counts; build the stack again")
        # In chunks, so that checking takes no more memory than the arrays.
        if (
            first[0] != 1
            or first[-1] != size
            or not all(_in_order(found, alphabet, at) for at in range(0, size, _CHUNK))
        ):
            raise ArtifactError(f"{where}: the texts of {name} are not in order; build the stack again")
        return cls(**{key: np.require(array, requirements=["C", "A", "W"]) for key, array in found.items()})


_CHUNK = 1 << 20


def _in_order(found: dict[str, npt.NDArray[Any]], alphabet: int, at: int) -> bool:
    """Whether the nodes at .. at + 2^20 - 1 have their children after them, symbols rising, counts up to `total`."""
    part = slice(at, at + _CHUNK)
    first = found["first"][at : at + _CHUNK + 1].astype(np.int64)
    own, children = np.arange(at, at + len(first) - 1), np.diff(first)
    if (children < 0).any() or (first[:-1] <= own).any() or first[-1] > len(found["symbol"]):
        return False
    below = slice(int(first[0]), int(first[-1]))
    symbol, count = found["symbol"][below], found["count"][below].astype(np.int64)
    parent = np.repeat(own, children)
    rising = (symbol[1:] > symbol[:-1]) | (parent[1:] != parent[:-1])
    sums = np.bincount(parent - at, weights=count, minlength=len(own))  # exact: sums below 2^53
    total = found["total"][part]
    known = not len(symbol) or (int(symbol.max()) < alphabet and int(count.max()) < 1 << 31)
    return bool(known and rising.all() and (sums <= total).all() and ((children == 0) | (total > 0)).all())
