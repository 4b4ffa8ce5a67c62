"""The tables of the model: as they are before anything was read, primed, in files, and in working copies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from stackc.api import ArtifactError, Int64, Symbols, read_tensors, write_atomically, write_tensors
from stackc_mixing.codes import codes_of
from stackc_mixing.config import Mixing
from stackc_mixing.layout import (
    FRESH_CELL,
    LENGTHS,
    MEMORY,
    POINTS,
    SCORE_BITS,
    SEEN_BITS,
    SLOT,
)  # fmt: skip
from stackc_mixing.tables import HISTORIES, SPAN, SQUASH, STRETCH

FIRST_WEIGHT = {"few": 20000, "six": 14000}
"""Without rich slots, the weight of every input, over 2^16: all count alike before anything is known."""

SECOND = 65536
"""The weights of all answers together, before anything is known."""

LINE = 64
"""Bytes of a line of the cache. A slot is in one line; numpy aligns to 16 bytes only."""

LARGE = ("rich", "lean")
"""Tables with a file each, `NAME.slots`: the array as it is, little-endian."""

FILE = "mixing.safetensors"
"""All other tables, the window and the number of bits seen."""

Array = npt.NDArray[Any]


KINDS = {
    "rich": np.uint32,
    "lean": np.uint8,
    "maps": np.uint32,
    "scores": np.int32,
    "weights": np.int32,
    "second": np.int32,
    "apm_1": np.uint16,
    "apm_2": np.uint16,
    "zero": np.uint32,
    "hits": np.uint32,
    "matches": np.int32,
    "places": np.int32,
    "guesses": np.uint16,
}
"""The types of the tables, in the order in which the kernels take them, which say what they hold. A model has some of
them. `rich` and `lean` end with an empty slot; an entry of `places` says where what followed a
hash stands, 0: nowhere."""


def shapes(config: Mixing, alphabet: int) -> dict[str, tuple[np.dtype[Any], int]]:
    """The type and the length of every table."""
    lengths = config.tables(alphabet)
    return {name: (np.dtype(kind), lengths[name][1]) for name, kind in KINDS.items() if name in lengths}


def small_tables(config: Mixing, alphabet: int) -> dict[str, Array]:
    """All tables but the large ones, before anything was read."""
    row = SQUASH[np.minimum(np.arange(POINTS) * (2 * SPAN + 1) // (POINTS - 1), 2 * SPAN)].astype(np.uint16)
    hits = np.zeros((LENGTHS, 2), np.uint32)
    # A match that is m symbols long fails in one case of m + 3.
    hits[:, 0] = (1 << 22) // (np.arange(LENGTHS) + 3)
    hits[:, 1] = 0x3FFFFF - hits[:, 0]
    patterns: dict[str, Any] = {
        "maps": HISTORIES.start << np.uint32(10),
        "scores": STRETCH[HISTORIES.start >> 10] * (HISTORIES.seen > 0) << SCORE_BITS,
        "weights": FIRST_WEIGHT[config.contexts] if config.lean else config.shape.first_weight,
        "second": [SECOND // len(config.shape.sets) * (i < len(config.shape.sets)) for i in range(4)],
        "apm_1": row,
        "apm_2": row,
        "zero": FRESH_CELL,
        "hits": hits.reshape(-1) << np.uint32(10),
        "matches": STRETCH[hits.reshape(-1) >> 10] << SCORE_BITS,
        "places": 0,
        "guesses": 0,
    }
    lengths = config.tables(alphabet)
    return {
        # Not `numpy.resize`, which makes a list of as many arrays: that took a tenth of a second of every start.
        name: np.tile(np.asarray(pattern, KINDS[name]), lengths[name][1] // np.size(pattern))
        for name, pattern in patterns.items()
        if name in lengths
    }


def empty_slots(name: str, table: Array) -> None:
    """Fill a large table with slots that have seen nothing."""
    table[:] = FRESH_CELL if name == "rich" else 0
    table[::SLOT] = 0


@attrs.frozen(kw_only=True, eq=False)
class Primed:
    """A primed state, shared by all working copies and never changed.

    Attributes:
        tables: what the model knows, by name. A large table is the file that it is read from, into each working copy
            and again for each run: memory holds it once a working copy, not once more. None: empty slots.
        window: uint8 or uint16[w], the end of the training text.
        seen: bits that it has learned from.
    """

    tables: dict[str, Array | Path | None]
    window: Symbols
    seen: int

    @classmethod
    def nothing(cls, config: Mixing, alphabet: int) -> Primed:
        """The state before anything was read."""
        tables = dict.fromkeys(config.tables(alphabet)) | small_tables(config, alphabet)
        return cls(tables=tables, window=np.zeros(0, symbols_dtype(alphabet)), seen=0)

    def save(self, folder: Path) -> None:
        """Write a state whose tables are in memory. One that has read nothing has no tables: a few hundred bytes."""
        tensors: dict[str, Array] = {"window": self.window, "seen": np.array([self.seen], np.int64)}
        for name, table in self.tables.items():
            if name not in LARGE and self.seen:
                assert isinstance(table, np.ndarray)
                tensors[name] = table
            elif isinstance(table, np.ndarray) and self.seen:
                with write_atomically(folder / f"{name}.slots") as file:
                    file.write(table.view(np.uint8).data)
        write_tensors(folder / FILE, tensors)  # last: it says that all are there

    @classmethod
    def load(cls, folder: Path, config: Mixing, alphabet: int) -> Primed:
        """Open a state. Raises `ArtifactError` where a table's type or size is not that of the configuration."""
        path = folder / FILE
        tensors = read_tensors(path)
        window, seen = tensors.get("window"), tensors.get("seen")
        if window is None or window.dtype != symbols_dtype(alphabet) or window.ndim != 1 or len(window) > config.window:
            raise ArtifactError(
                f"{path}: window is not a text of at most {config.window:,} symbols; build the stack again"
            )
        if seen is None or seen.dtype != np.int64 or seen.shape != (1,) or not 0 <= int(seen[0]) < 1 << 62:
            raise ArtifactError(f"{path}: seen is not a number of bits; build the stack again")
        if not seen[0]:
            return cls.nothing(config, alphabet)
        tables: dict[str, Array | Path | None] = {}
        for name, (kind, size) in shapes(config, alphabet).items():
            if name in LARGE:
                tables[name] = _file(folder / f"{name}.slots", kind.itemsize * size)
                continue
            table = tensors.get(name)
            if table is None or table.dtype != kind or table.shape != (size,):
                raise ArtifactError(f"{path}: {name} is not {kind}[{size:,}]; build the stack again")
            tables[name] = table
        return cls(tables=tables, window=np.array(window), seen=int(seen[0]))


class Working:
    """A working copy: tables that learn, what is remembered, and scratch memory."""

    def __init__(self, primed: Primed, config: Mixing, alphabet: int) -> None:
        self.primed, self.config = primed, config
        self.tables = together(shapes(config, alphabet))
        self.memory: Int64 = np.zeros(MEMORY, np.int64)
        self.symbols: Symbols = np.zeros(0, primed.window.dtype)
        self._codes: tuple[Array, ...] = ()
        if config.contexts == "six":
            self._codes = attrs.astuple(codes_of(depth_of(alphabet)), recurse=False)
        self._changed, self._new = True, True
        self.restore()

    def restore(self) -> None:
        """Back to the primed state. Raises `ArtifactError` if a file of it cannot be read any more."""
        if self._changed:
            for name, table in self.tables.items():
                primed = self.primed.tables[name]
                if primed is None:
                    # New memory is zeros, which are empty lean slots: what a short text does not touch is never filled.
                    if not (self._new and name == "lean"):
                        empty_slots(name, table)
                elif isinstance(primed, Path):
                    _read(primed, table)
                else:
                    np.copyto(table, primed)
        self._changed = self._new = False
        self.memory[:] = 0
        self.memory[SEEN_BITS] = self.primed.seen

    def arguments(self, symbols: Symbols) -> Any:
        """The first arguments of the kernels, which may then change the tables."""
        self._changed = True
        return (*self._codes, *self.tables.values(), self.memory, self.primed.window, symbols)


def depth_of(alphabet: int) -> int:
    """Decisions of a symbol."""
    return max(1, (alphabet - 1).bit_length())


def symbols_dtype(alphabet: int) -> npt.DTypeLike:
    return np.uint8 if alphabet <= 256 else np.uint16


def together(tables: dict[str, tuple[np.dtype[Any], int]]) -> dict[str, Array]:
    """Arrays of zeros in one piece of memory, each from a line of the cache on.

    In one piece, for numpy asks for large pages for large pieces only. Tables of a few megabytes in memory of their own
    lay in pages of 4 KB, and by the chance of where these were, all took up to a fifth longer.
    """
    begins, size = {}, 0
    for name, (kind, entries) in tables.items():
        begins[name] = size
        size += -(-kind.itemsize * entries // LINE) * LINE
    memory = np.zeros(size + LINE, np.uint8)
    begin = -memory.ctypes.data % LINE
    return {
        name: memory[begin + begins[name] :][: kind.itemsize * entries].view(kind)
        for name, (kind, entries) in tables.items()
    }


def _file(path: Path, size: int) -> Path:
    """The file itself, if it has that size."""
    try:
        found = path.stat().st_size
    except OSError as error:
        raise ArtifactError(f"{path}: cannot read ({error.strerror or error}); build the stack again") from error
    if found != size:
        raise ArtifactError(f"{path}: has {found:,} bytes instead of {size:,}; build the stack again")
    return path


def _read(path: Path, table: Array) -> None:
    """Fill an array from a file."""
    try:
        with path.open("rb", buffering=0) as file:
            view = table.view(np.uint8).data
            while view and (count := file.readinto(view)):
                view = view[count:]
    except OSError as error:
        raise ArtifactError(f"{path}: cannot read ({error.strerror or error}); build the stack again") from error
    if view:
        raise ArtifactError(f"{path}: is shorter than it was when it was opened; build the stack again")
