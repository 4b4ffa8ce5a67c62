"""The tables of the model: as they are before anything was read, primed, in files, and in working copies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from stackc.api import ArtifactError, Int64, Symbols, read_tensors, write_atomically, write_tensors
from stackc_mixing.config import Mixing
from stackc_mixing.kernels import (
    CONTEXTS, FRESH_CELL, INPUTS, LENGTHS, MEMORY, POINTS, ROWS_1, ROWS_2, SEEN_BITS, SETS, SLOT,
)  # fmt: skip
from stackc_mixing.tables import HISTORIES, SPAN, SQUASH

FIRST_WEIGHT = 65536 // 5
"""Of every input, over 2^16: all answers count alike before anything is known."""

LINE = 64
"""Bytes of a line of the cache. A slot lies in one line; numpy aligns to 16 bytes only."""

LARGE = ("rich", "lean")
"""Tables with a file each, `NAME.bin`: the array as it is, little-endian."""

FILE = "mixing.safetensors"
"""All other tables, the window and the number of bits seen."""

Array = npt.NDArray[Any]


@attrs.frozen(kw_only=True, eq=False)
class Tables:
    """All that the model learns, in the order in which the kernels take it; see there for the formats.

    Attributes:
        rich: uint32[16 (r + 1)], r slots and an empty one.
        lean: uint8[16 (l + 1)], likewise.
        maps: uint32[CONTEXTS * 256].
        weights: int32[SETS * INPUTS].
        second: int32[256 * 4].
        apm_1, apm_2: uint16[rows * POINTS].
        zero: uint32[2^k].
        hits: uint32[2 * LENGTHS].
        places: int32[p], where what followed a hash stands; 0: nowhere.
    """

    rich: Array
    lean: Array
    maps: Array
    weights: Array
    second: Array
    apm_1: Array
    apm_2: Array
    zero: Array
    hits: Array
    places: Array

    @classmethod
    def fresh(cls, config: Mixing, depth: int) -> Tables:
        """What the model is before it has read anything, at `depth` decisions a symbol."""
        rich = aligned(SLOT * (config.rich_slots + 1), np.uint32)
        rich[:] = FRESH_CELL
        rich[::SLOT] = 0
        lean = aligned(SLOT * (config.lean_slots + 1), np.uint8)
        lean[:] = 0
        row = SQUASH[np.minimum(np.arange(POINTS) * (2 * SPAN + 1) // (POINTS - 1), 2 * SPAN)].astype(np.uint16)
        hits = np.zeros((LENGTHS, 2), np.uint32)
        # A match that is m symbols long fails in one case of m + 3.
        hits[:, 0] = (1 << 22) // (np.arange(LENGTHS) + 3)
        hits[:, 1] = 0x3FFFFF - hits[:, 0]
        return cls(
            rich=rich,
            lean=lean,
            maps=np.tile(HISTORIES.start << np.uint32(10), CONTEXTS),
            weights=np.full(SETS * INPUTS, FIRST_WEIGHT, np.int32),
            second=np.tile(np.array([21845, 21845, 21845, 0], np.int32), 256),
            apm_1=copied(np.tile(row, ROWS_1)),
            apm_2=copied(np.tile(row, ROWS_2)),
            zero=np.full(1 << depth, FRESH_CELL, np.uint32),
            hits=hits.reshape(-1) << np.uint32(10),
            places=np.zeros(config.places, np.int32),
        )

    def arrays(self) -> dict[str, Array]:
        """By name, in the order of the kernels."""
        return attrs.asdict(self, recurse=False)


@attrs.frozen(kw_only=True, eq=False)
class Primed:
    """A primed state, shared by all working copies and never changed.

    Attributes:
        tables: what the model knows, by name; those with a file are read into each working copy, and again for each
            run: memory holds them once a working copy, not once more.
        window: uint8 or uint16[w], the end of the training text.
        seen: bits that it has learned from.
    """

    tables: dict[str, Array | Path]
    window: Symbols
    seen: int

    def save(self, folder: Path) -> None:
        """Write a state whose tables are in memory."""
        small = {name: table for name, table in self.tables.items() if name not in LARGE}
        more = {"window": self.window, "seen": np.array([self.seen], np.int64)}
        for name in LARGE:
            with write_atomically(folder / f"{name}.bin") as file:
                file.write(memoryview(self.tables[name]).cast("B"))  # type: ignore[arg-type]
        write_tensors(folder / FILE, small | more)  # type: ignore[arg-type]  # the last: it says that all are there

    @classmethod
    def load(cls, folder: Path, config: Mixing, alphabet: int) -> Primed:
        """Open a state. Raises `ArtifactError` where a table's type or size is not that of the configuration."""
        path = folder / FILE
        tensors = read_tensors(path)
        wanted = shapes(config, depth_of(alphabet))
        for name, (kind, size) in wanted.items():
            if name in LARGE:
                _check_file(folder / f"{name}.bin", kind.itemsize * size)
                continue
            table = tensors.get(name)
            if table is None or table.dtype != kind or table.shape != (size,):
                raise ArtifactError(f"{path}: {name} is not {kind}[{size:,}]; build the stack again")
        window, seen = tensors.get("window"), tensors.get("seen")
        if window is None or window.dtype != symbols_dtype(alphabet) or window.ndim != 1 or len(window) > config.window:
            raise ArtifactError(f"{path}: window is not a text of at most {config.window:,} symbols; build it again")
        if seen is None or seen.dtype != np.int64 or seen.shape != (1,) or not 0 <= int(seen[0]) < 1 << 62:
            raise ArtifactError(f"{path}: seen is not a number of bits; build the stack again")
        tables = {name: folder / f"{name}.bin" if name in LARGE else tensors[name] for name in wanted}
        return cls(tables=tables, window=np.array(window), seen=int(seen[0]))


class Working:
    """A working copy: tables that learn, what is remembered, and scratch memory."""

    def __init__(self, primed: Primed, config: Mixing, depth: int) -> None:
        self.primed = primed
        self.tables = {name: aligned(size, kind) for name, (kind, size) in shapes(config, depth).items()}
        self.memory: Int64 = np.zeros(MEMORY, np.int64)
        self.scratch: tuple[Array, ...] = (
            np.zeros(INPUTS, np.int32), np.zeros(2 * CONTEXTS, np.uint32), np.zeros(2 * CONTEXTS, np.uint64),
        )  # fmt: skip
        self.symbols: Symbols = np.zeros(0, primed.window.dtype)
        self._changed = True
        self.restore()

    def restore(self) -> None:
        """Back to the primed state. Raises `ArtifactError` if a file of it cannot be read any more."""
        if self._changed:
            for name, table in self.tables.items():
                primed = self.primed.tables[name]
                if isinstance(primed, Path):
                    _read(primed, table)
                else:
                    np.copyto(table, primed)
        self._changed = False
        self.memory[:] = 0
        self.memory[SEEN_BITS] = self.primed.seen

    def arguments(self, symbols: Symbols) -> tuple[Array, ...]:
        """The first arguments of the kernels, which may change the tables from here on."""
        self._changed = True
        return (*self.tables.values(), self.memory, *self.scratch, self.primed.window, symbols)


def depth_of(alphabet: int) -> int:
    """Decisions of a symbol."""
    return max(1, (alphabet - 1).bit_length())


def symbols_dtype(alphabet: int) -> npt.DTypeLike:
    return np.uint8 if alphabet <= 256 else np.uint16


def shapes(config: Mixing, depth: int) -> dict[str, tuple[np.dtype[Any], int]]:
    """The type and the length of every table."""
    made = Tables.fresh(attrs.evolve(config, size=10, rich=8), depth).arrays()
    sizes = {name: (table.dtype, len(table)) for name, table in made.items()}
    return sizes | {
        "rich": (np.dtype(np.uint32), SLOT * (config.rich_slots + 1)),
        "lean": (np.dtype(np.uint8), SLOT * (config.lean_slots + 1)),
        "places": (np.dtype(np.int32), config.places),
    }


def aligned(size: int, kind: npt.DTypeLike) -> Array:
    """An array that begins with a line of the cache."""
    width = np.dtype(kind).itemsize
    memory = np.empty(size * width + LINE, np.uint8)
    begin = -memory.ctypes.data % LINE
    return memory[begin : begin + size * width].view(kind)


def copied(array: Array) -> Array:
    made = aligned(len(array), array.dtype)
    np.copyto(made, array)
    return made


def _check_file(path: Path, size: int) -> None:
    try:
        found = path.stat().st_size
    except OSError as error:
        raise ArtifactError(f"{path}: cannot read ({error.strerror or error}); build the stack again") from error
    if found != size:
        raise ArtifactError(f"{path}: has {found:,} bytes instead of {size:,}; build the stack again")


def _read(path: Path, table: Array) -> None:
    """Fill an array from a file."""
    try:
        with path.open("rb", buffering=0) as file:
            view = memoryview(table).cast("B")
            while view and (count := file.readinto(view)):
                view = view[count:]
    except OSError as error:
        raise ArtifactError(f"{path}: cannot read ({error.strerror or error}); build the stack again") from error
    if view:
        raise ArtifactError(f"{path}: is shorter than it was when it was opened; build the stack again")
