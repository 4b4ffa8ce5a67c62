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


def _open(name: str, file: IO[bytes], mode: str = "rb", **options: Any) -> Any:
    if "r" in mode:
        return _Buffered(_Unpacked(file, PACKINGS[name], max(_WINDOWS)), 1 << 20)
    return _USUAL[name](file, mode=mode, **options)


class _Buffered(io.BufferedReader):
    """A class of Python's, since `datasets` sets attributes of the files that it reads."""


class _Unpacked(io.RawIOBase):
    """The content of a compressed file. A place further back is reached by reading from the beginning again."""

    def __init__(self, file: IO[bytes], packing: str, zst_window: int) -> None:
        self._file, self._packing, self._window = file, packing, zst_window
        self._rewind()

    def _rewind(self) -> None:
        name = str(getattr(self._file, "name", "") or getattr(self._file, "path", "a file"))
        self._pieces = unpacked(self._file, self._packing, name, self._window)
        self._piece, self._at = memoryview(b""), 0

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
        self._at += size
        return size

    def seekable(self) -> bool:
        return self._file.seekable()

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        waste = bytearray(1 << 16)
        if whence == io.SEEK_END:
            while self.readinto(waste):
                pass
        target = max(0, offset + (0 if whence == io.SEEK_SET else self._at))
        if target < self._at:
            self._file.seek(0)
            self._rewind()
        while self._at < target and self.readinto(memoryview(waste)[: target - self._at]):
            pass
        return self._at
