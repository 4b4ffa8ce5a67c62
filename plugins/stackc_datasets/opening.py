"""Compressed files as the library `datasets` opens them: with the unpacking of all readers in place of its own.

Its own ends where a stream of .xz or .bz2 is damaged or followed by padding, and after the first frame of a .zst, and
says nothing.
"""

from __future__ import annotations

import contextlib
import functools
import io
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from fsspec import compression

from stackc.api import unpacked

PACKINGS = {"gzip": ".gz", "xz": ".xz", "bz2": ".bz2", "zstd": ".zst"}
"""What fsspec, through which the library opens all files, calls what it unpacks."""


_LOCK = threading.Lock()
_USUAL: dict[str, Any] = {}
_WINDOWS: list[int] = []
"""One for every reader that is at work: they may end in any order."""


@contextlib.contextmanager
def unpacking(zst_window: int) -> Iterator[None]:
    """While the block runs, whatever fsspec opens for reading is unpacked by `stackc.api.unpacked`."""
    with _LOCK:
        if not _WINDOWS:
            _USUAL.update(compression.compr)
            compression.compr.update({name: functools.partial(_open, name) for name in PACKINGS})
        _WINDOWS.append(zst_window)
    try:
        yield
    finally:
        with _LOCK:
            _WINDOWS.remove(zst_window)
            if not _WINDOWS:
                for name in PACKINGS:
                    compression.compr.pop(name)
                compression.compr.update(_USUAL)
                _USUAL.clear()


def check_packed(file: str, zst_window: int) -> None:
    """Raise `CorpusError` if a local file is compressed, as its suffix says, and damaged.

    A parser would meet wrongly unpacked data before the checksum is compared, and blame the text.
    """
    packing = Path(file).suffix.lower()
    if packing in PACKINGS.values():
        with open(file, "rb") as raw:
            for _ in unpacked(raw, packing, file, zst_window):
                pass


def _open(name: str, file: IO[bytes], mode: str = "rb", **options: Any) -> Any:
    if "r" in mode:
        return _Buffered(_Unpacked(file, PACKINGS[name], max(_WINDOWS)), 1 << 20)
    return _USUAL[name](file, mode=mode, **options)


class _Buffered(io.BufferedReader):
    """A class of Python's, since `datasets` sets attributes of the files that it reads."""


class _Unpacked(io.RawIOBase):
    """The content of a compressed file, from beginning to end."""

    def __init__(self, file: IO[bytes], packing: str, zst_window: int) -> None:
        name = str(getattr(file, "name", "") or getattr(file, "path", "a file"))
        self._pieces = unpacked(file, packing, name, zst_window)
        self._piece = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._piece:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._piece = memoryview(piece)
        size = min(len(buffer), len(self._piece))
        buffer[:size] = self._piece[:size]
        self._piece = self._piece[size:]
        return size
