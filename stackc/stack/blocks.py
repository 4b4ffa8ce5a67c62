"""What models pay for each block of a text: the units of a paired comparison of stacks with other tokens.

A block is 16 KiB of source text, or what is left of its document: blocks never span two documents. The bits of a symbol
belong to the block in which its first source byte is. Tokens of one window share the window's bytes evenly; if a
window may have any number of tokens, those of a document share the document's. So all bits are in some block, and the
blocks of two stacks on the same text are the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import attrs
import numpy as np

from stackc.api.arrays import Float64, Int64
from stackc.api.errors import ArtifactError
from stackc.api.files import read_tensors, tensor, write_tensors
from stackc.coding.documents import Encoding
from stackc.coding.level import Level

BLOCK = 1 << 14
"""Source bytes of a block."""

FILE = "blocks.safetensors"
_BITS = "bits."


@attrs.frozen(kw_only=True, eq=False)
class Blocks:
    """The bits of a text, block by block.

    Attributes:
        document: int64[B], ascending: the document that a block belongs to.
        source_bytes: int64[B], 1 .. `BLOCK`.
        bits: float64[B] by the name of a model: its cost in contexts of a segment ("model, segments" of the figures).
    """

    document: Int64
    source_bytes: Int64
    bits: dict[str, Float64]

    def save(self, folder: Path) -> None:
        arrays = {"document": self.document, "source_bytes": self.source_bytes}
        write_tensors(folder / FILE, arrays | {_BITS + name: bits for name, bits in self.bits.items()})


def load_blocks(folder: Path) -> Blocks | None:
    """The blocks in a stack's ``report`` folder; None if its build kept none.

    Raises:
        ArtifactError: the file is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    arrays = read_tensors(path)
    document = tensor(arrays, "document", np.int64, 1, path)
    source_bytes = tensor(arrays, "source_bytes", np.int64, 1, path)
    names = [name for name in arrays if name.startswith(_BITS)]
    bits = {name.removeprefix(_BITS): tensor(arrays, name, np.float64, 1, path) for name in names}
    sizes = {len(document), len(source_bytes), *map(len, bits.values())}
    valid = len(sizes) == 1 and (source_bytes > 0).all() and all(np.isfinite(one).all() for one in bits.values())
    if not valid:
        raise ArtifactError(f"{path}: not readable blocks of bits; build the stack again")
    return Blocks(document=document, source_bytes=source_bytes, bits=bits)


class BlockTally:
    """Adds up the bits of each block, level by level upwards.

    Args:
        offsets: int64[D + 1], the bounds of the documents, in bytes.
    """

    def __init__(self, offsets: Int64) -> None:
        lengths = np.diff(offsets)
        counts = -(-lengths // BLOCK)
        self._document = np.repeat(np.arange(len(lengths)), counts)
        within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
        self._starts = np.repeat(offsets[:-1], counts) + within * BLOCK
        self._end = int(offsets[-1])
        self._places: Float64 | None = None  # of bytes: their own numbers
        self._bits: dict[str, Float64] = {}

    def add(self, name: str, costs: Iterable[Float64]) -> float:
        """Add a model's costs of all symbols, in order, in pieces of any size; returns their sum, in bits."""
        bits = np.zeros(len(self._starts))
        total, at = 0.0, 0
        for cost in costs:
            places = self._places[at : at + len(cost)] if self._places is not None else np.arange(at, at + len(cost))
            bits += np.bincount(self._block(places), weights=cost, minlength=len(bits))
            total += math.fsum(cost)
            at += len(cost)
        self._bits[name] = bits
        return total

    def ascend(self, level: Level, coded: Encoding, offsets: Int64) -> None:
        """From the symbols of a level to its tokens, which are the symbols of the next.

        Args:
            coded: what the level made of the symbols.
            offsets: int64[D + 1], the bounds of the documents, in symbols.
        """
        tokens, windows = len(coded.tokens), coded.starts
        if level.window_tokens is not None and len(windows) * level.window_tokens == tokens:
            starts, bounds = windows, np.arange(len(windows)) * level.window_tokens
        else:
            starts, bounds = offsets[:-1], coded.offsets[:-1]
        places = self._places[starts] if self._places is not None and len(self._places) else starts
        self._places = np.interp(np.arange(tokens), np.append(bounds, tokens), np.append(places, self._end))

    def blocks(self) -> Blocks:
        sizes = np.diff(np.append(self._starts, self._end))
        return Blocks(document=self._document, source_bytes=sizes, bits=dict(self._bits))

    def _block(self, places: Float64 | Int64) -> Int64:
        """The block that each place, in bytes, is in."""
        # Sums of floats may be a hair below the byte that they mean.
        found: Int64 = np.searchsorted(self._starts, np.floor(np.asarray(places) + 1e-6), "right") - 1
        return found
