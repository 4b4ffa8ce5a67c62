"""A compiled level: all texts of its codes as one trie, and encoding as a walk in it.

When the model's context restarts with every window, what a code means never changes: the level is a fixed,
prefix-closed set of at most 2^W texts. A dictionary stores, for every code, the code of its text without the
last symbol (`parent`) and that symbol. Codes are in preorder: the texts that extend the text of code c are
exactly the codes c .. end[c] - 1. Code 0 is the empty text, never produced by the encoder.

Codes left over in the range of a text that reached the symbol budget name that text too; the encoder gives the
lowest of them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numba
import numpy as np
import numpy.typing as npt

from stackc.errors import ArtifactError, CodingError
from stackc.files import read_tensors, tensor, write_tensors
from stackc.parts import MAX_WINDOW_SYMBOLS, Symbols

Function = TypeVar("Function", bound=Callable[..., object])

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]

_SYMBOL_BITS = 20  # alphabets are at most 2^20, so (code, symbol) packs into one int64 key
_MIX = -7046029254386353131  # an odd 64-bit constant (2^64 / golden ratio) that spreads the keys


class Dictionary:
    """The texts of a compiled level, with a hashed trie for encoding.

    Args:
        parent: int32[N], the code of each text without its last symbol; -1 for the empty text, code 0.
        symbol: int32[N], the last symbol of each text; -1 for the empty text.
        alphabet: A of the symbols.

    Raises:
        ArtifactError: arrays that are no dictionary.
    """

    def __init__(self, parent: Int32, symbol: Int32, alphabet: int) -> None:
        self.parent = np.ascontiguousarray(parent, np.int32)
        self.symbol = np.ascontiguousarray(symbol, np.int32)
        self.alphabet = alphabet
        size = len(self.parent)
        own = np.arange(size)
        in_order = size > 1 and (self.parent[1:] < own[1:]).all() and (self.parent[1:] >= 0).all()
        in_range = size > 1 and (self.symbol[1:] >= 0).all() and (self.symbol[1:] < alphabet).all()
        if self.symbol.shape != self.parent.shape or not (in_order and in_range):
            raise ArtifactError("a dictionary whose texts are not in preorder; build the stack again")
        slots = 1 << (2 * size - 1).bit_length()
        self._keys = np.full(slots, -1, np.int64)
        self._values = np.zeros(slots, np.int32)
        self.length, self.end, self.canonical = _index(self.parent, self.symbol, self._keys, self._values)
        if int(self.length.max()) > MAX_WINDOW_SYMBOLS:
            raise ArtifactError(f"a dictionary with a text of more than {MAX_WINDOW_SYMBOLS} symbols")
        roots = np.zeros(alphabet, np.int32)
        first = np.flatnonzero((self.parent == 0) & (self.canonical == own))
        roots[self.symbol[first]] = first
        if (roots == 0).any():
            raise ArtifactError(f"a dictionary without a text for symbol {int(np.argmin(roots))}")
        self._roots = roots

    def __len__(self) -> int:
        return len(self.parent)

    def encode(
        self,
        symbols: Symbols,
        offsets: Int64,
        segment: int,
        budget: int,
        cuts: npt.NDArray[np.bool_] | None = None,
    ) -> tuple[Int32, Int64, Int64]:
        """Walk the trie over documents; a window ends where no longer text exists.

        Args:
            symbols: flat symbols of D documents.
            offsets: int64[D + 1], where documents start and end.
            segment: symbols in a segment; windows end with it.
            budget: symbols in a window at most.
            cuts: bool[n], True where a window is forced to start.

        Returns:
            codes int32[w]; window starts int64[w], positions in `symbols`; int64[D + 1], where each document's
            codes start and end.
        """
        if len(symbols) and int(symbols.max()) >= self.alphabet:
            raise CodingError(f"symbol {int(symbols.max())} is outside the alphabet of {self.alphabet}")
        codes = np.empty(len(symbols), np.int32)
        starts = np.empty(len(symbols), np.int64)
        code_offsets = np.zeros(len(offsets), np.int64)
        forced = np.zeros(0, np.bool_) if cuts is None else cuts
        count = _walk(
            np.ascontiguousarray(symbols), offsets, segment, budget, forced,
            self._roots, self._keys, self._values, codes, starts, code_offsets,
        )  # fmt: skip
        return codes[:count].copy(), starts[:count].copy(), code_offsets

    def decode(self, codes: Int64, offsets: Int64) -> tuple[Int32, Int64]:
        """The texts of codes end to end: symbols int32[n], and int64[D + 1], where each document starts and ends."""
        if len(codes) and int(codes.max()) >= len(self):
            raise CodingError(f"code {int(codes.max())} is outside the dictionary of {len(self)} texts")
        ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(self.length[codes])])
        out = np.empty(int(ends[-1]), np.int32)
        _spell(codes.astype(np.int64), ends, self.parent, self.symbol, out)
        return out, ends[offsets]

    def text(self, code: int) -> list[int]:
        """The symbols of one code's text."""
        out: list[int] = []
        while code > 0:
            out.append(int(self.symbol[code]))
            code = int(self.parent[code])
        return out[::-1]

    def child(self, code: int, symbol: int) -> int | None:
        """The code of the text of `code` and one more symbol, or None where that is no text."""
        found = int(_find(self._keys, self._values, code, symbol))
        return found or None

    def children(self, code: int) -> Int64:
        """Codes of all texts one symbol longer, ascending by symbol (which is ascending by code)."""
        inside = np.arange(code + 1, int(self.end[code]))
        chosen: Int64 = inside[(self.parent[inside] == code) & (self.canonical[inside] == inside)]
        return chosen

    def save(self, path: Path) -> None:
        write_tensors(path, {"parent": self.parent, "symbol": self.symbol}, alphabet=str(self.alphabet))

    @classmethod
    def load(cls, path: Path, alphabet: int) -> Dictionary:
        arrays = read_tensors(path)
        try:
            parent, symbol = (tensor(arrays, name, np.int32, 1, path) for name in ("parent", "symbol"))
            return cls(parent, symbol, alphabet)
        except ArtifactError as error:
            raise ArtifactError(f"{path}: {error}") from error


# --------------------------------------------------------------------------------------------------
# Kernels. Keys are code << 20 | symbol; open addressing with linear probing; a table is at most half full.


def _kernel(function: Function) -> Function:
    """Compile with numba, keeping the function's type."""
    compiled: Function = numba.njit(cache=True, nogil=True)(function)
    return compiled


@_kernel
def _slot(keys: Int64, key: np.int64) -> np.int64:
    """Where `key` is, or the empty slot where it belongs."""
    mask = len(keys) - 1
    slot = ((key * _MIX) >> 20) & mask
    while keys[slot] != -1 and keys[slot] != key:
        slot = (slot + 1) & mask
    return slot


@_kernel
def _find(keys: Int64, values: Int32, code: int, symbol: int) -> int:
    """The child of `code` by `symbol`; 0 where there is none (the empty text is nobody's child)."""
    slot = _slot(keys, (np.int64(code) << _SYMBOL_BITS) | symbol)
    return values[slot] if keys[slot] != -1 else 0


@_kernel
def _index(parent: Int32, symbol: Int32, keys: Int64, values: Int32) -> tuple[Int32, Int32, Int32]:
    """Fill the hash; give each text's length, the end of its codes, and the lowest code of the same text."""
    size = len(parent)
    length = np.zeros(size, np.int32)
    end = np.arange(1, size + 1).astype(np.int32)
    canonical = np.arange(size).astype(np.int32)
    for code in range(1, size):
        length[code] = length[parent[code]] + 1
        key = (np.int64(parent[code]) << _SYMBOL_BITS) | symbol[code]
        slot = _slot(keys, key)
        if keys[slot] == -1:
            keys[slot] = key
            values[slot] = code
        canonical[code] = values[slot]
    for code in range(size - 1, 0, -1):
        for above in (parent[code], canonical[code]):
            end[above] = max(end[above], end[code])
    return length, end, canonical


@_kernel
def _walk(
    symbols: Symbols, offsets: Int64, segment: int, budget: int, cuts: npt.NDArray[np.bool_],
    roots: Int32, keys: Int64, values: Int32, codes: Int32, starts: Int64, code_offsets: Int64,
) -> int:  # fmt: skip
    """The compiled encoder. Every symbol is looked up once, or twice where it ends a window: linear, always."""
    count = 0
    for document in range(len(offsets) - 1):
        at = offsets[document]
        while at < offsets[document + 1]:
            end = min(at + segment, offsets[document + 1])
            while at < end:
                last = min(at + budget, end)
                code = roots[symbols[at]]
                starts[count] = at
                at += 1
                while at < last and not (len(cuts) and cuts[at]):
                    child = _find(keys, values, code, symbols[at])
                    if child == 0:
                        break
                    code = child
                    at += 1
                codes[count] = code
                count += 1
        code_offsets[document + 1] = count
    return count


@_kernel
def _spell(codes: Int64, ends: Int64, parent: Int32, symbol: Int32, out: Int32) -> None:
    """Write each code's text backwards from where it ends."""
    for i in range(len(codes)):
        code = codes[i]
        at = ends[i + 1]
        while code > 0:
            at -= 1
            out[at] = symbol[code]
            code = parent[code]
