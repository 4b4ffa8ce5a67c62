"""The stack as an entrant: whatever route its levels take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from stackc.stack.stack import Stack


class StackCodec:
    """A level of a stack, through `Stack.encode` and `Stack.decode`."""

    def __init__(self, folder: str, level: str | None, threads: int) -> None:
        self._stack = Stack(Path(folder))
        self._stack.runtime = attrs.evolve(self._stack.runtime, threads=threads)  # levels are opened later
        self._level = level
        self.vocabulary: int | None = self._stack.token_alphabet(level)

    def prepare(self, data: bytes) -> bytes:
        return data

    def encode(self, prepared: bytes) -> npt.NDArray[np.unsignedinteger[Any]]:
        return self._stack.encode(prepared, self._level)

    def size(self, encoded: npt.NDArray[np.unsignedinteger[Any]]) -> int:
        return len(encoded)

    def decode(self, encoded: npt.NDArray[np.unsignedinteger[Any]]) -> bytes:
        return self._stack.decode(encoded, self._level)

    def restore(self, decoded: bytes) -> bytes:
        return decoded
