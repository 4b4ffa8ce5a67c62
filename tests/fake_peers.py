"""Peers with known answers, and peers that misbehave, one way each; workers import them by name."""

from __future__ import annotations

import os
import subprocess
import sys
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

    def listed(self, encoded: list[int]) -> list[int]:
        return encoded

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


class Remembering(Bytes):
    """Needs 0.2 seconds for a long text that it has not seen."""

    _seen: bytes | None = None

    def encode(self, prepared: bytes) -> list[int]:
        if len(prepared) > 1000 and prepared != self._seen:
            time.sleep(0.2)
            self._seen = prepared
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


class Idle(Bytes):
    """Waits, and uses no processor."""

    def encode(self, prepared: bytes) -> list[int]:
        time.sleep(0.5 if len(prepared) > 1000 else 0)
        return list(prepared)


class Spawning(Bytes):
    """Works in a subprocess: half a second of processor time to decode."""

    def decode(self, encoded: list[int]) -> bytes:
        if len(encoded) > 1000:
            work = "import time\nwhile time.process_time() < 0.5: pass"
            subprocess.run([sys.executable, "-c", work], check=True)
        return bytes(encoded)


class Slow(Bytes):
    def __init__(self, variant: str) -> None:
        assert variant == "x"


class Headed:
    """A compressor that only adds a head of ten bytes, and ten more to what it was told to reach."""

    vocabulary: int | None = None
    _reach: int | None = None

    def reach(self, size: int) -> None:
        self._reach = size

    def prepare(self, data: bytes) -> bytes:
        return data

    def encode(self, prepared: bytes) -> bytes:
        return bytes(20 if len(prepared) == self._reach else 10) + prepared

    def size(self, encoded: bytes) -> int:
        return len(encoded)

    def listed(self, encoded: bytes) -> bytes:
        return encoded

    def decode(self, encoded: bytes) -> bytes:
        return encoded[20:] if len(encoded) - 20 == self._reach else encoded[10:]

    def restore(self, decoded: bytes) -> bytes:
        return decoded


class Unprimed(Headed):
    def reach(self, size: int) -> None:
        raise ValueError("too large for my memory")


class Forgetful(Headed):
    """Loses the head of what was primed."""

    def decode(self, encoded: bytes) -> bytes:
        return encoded[10:]


def train(texts: list[str], vocabulary: int, variant: str | None, folder: Path) -> None:
    (folder / "vocabulary").write_text(str(vocabulary))
    (folder / "texts").write_text(repr(texts))


def refuse(texts: list[str], vocabulary: int, variant: str | None, folder: Path) -> None:
    (folder / "half").write_text("half")
    raise ValueError(f"{vocabulary} is too many")
