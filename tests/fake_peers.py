"""Peers that misbehave, one way each; workers import them by name."""

from __future__ import annotations

import os
import time
from pathlib import Path


class Bytes:
    """Every byte a token: a peer with known answers."""

    vocabulary: int | None = 256

    def prepare(self, data: bytes) -> bytes:
        return data

    def encode(self, prepared: bytes) -> list[int]:
        return list(prepared)

    def size(self, encoded: list[int]) -> int:
        return len(encoded)

    def decode(self, encoded: list[int]) -> bytes:
        return bytes(encoded)

    def restore(self, decoded: bytes) -> bytes:
        return decoded


class Trained(Bytes):
    def __init__(self, folder: str) -> None:
        self.vocabulary = int((Path(folder) / "vocabulary").read_text())


class Lossy(Bytes):
    def decode(self, encoded: list[int]) -> bytes:
        return bytes(encoded).lower()


class Chatty(Bytes):
    """Prints where the answers go."""

    def encode(self, prepared: bytes) -> list[int]:
        print("tokenizing…", flush=True)
        os.write(1, b'{"ok": "wrong"}\n')
        return list(prepared)


class Unopened(Bytes):
    def __init__(self) -> None:
        raise OSError("no model\nin this folder")


class Panicking(Bytes):
    """What pyo3 raises is no Exception."""

    def encode(self, prepared: bytes) -> list[int]:
        if len(prepared) > 1000:
            raise BaseException("thread panicked")
        return list(prepared)


class Crashing(Bytes):
    def decode(self, encoded: list[int]) -> bytes:
        os.write(2, b"free(): invalid pointer\n")
        os.abort()


class Hanging(Bytes):
    def encode(self, prepared: bytes) -> list[int]:
        time.sleep(60 if len(prepared) > 1000 else 0)
        return list(prepared)


def train(texts: list[str], vocabulary: int, variant: str | None, folder: Path) -> None:
    (folder / "vocabulary").write_text(str(vocabulary))
    (folder / "texts").write_text(repr(texts))


def refuse(texts: list[str], vocabulary: int, variant: str | None, folder: Path) -> None:
    (folder / "half").write_text("half")
    raise ValueError(f"{vocabulary} is too many")
