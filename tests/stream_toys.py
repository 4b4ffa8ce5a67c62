"""A text, and a raw file that takes and gives little at a time, for tests of streams."""

from __future__ import annotations

import io
from typing import Any

from recipes_of_tests import TEXT

DATA = (TEXT * 60).encode()


PIPE = 4096
"""Bytes that the pipes of these tests hold."""


class Sparing(io.RawIOBase):
    """Takes and gives a few bytes at a time, as a raw file may; now and then none."""

    def __init__(self, data: bytes = b"") -> None:
        self.data, self.at = bytearray(data), 0

    def write(self, data: Any) -> int:
        piece = bytes(data)[:7]
        self.data += piece
        return len(piece)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self.data[self.at : self.at + min(5, len(buffer))]
        buffer[: len(piece)] = piece
        self.at += len(piece)
        return len(piece)
