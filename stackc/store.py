"""Symbol stores: the documents of one split at one level, on disk and memory-mapped.

    store.json           format, alphabet, counts, SHA-256 of the two files below
    symbols.bin          every document's symbols end to end, little-endian unsigned integers
    index.safetensors    offsets int64[D + 1] (symbols), source_bytes int64[D] (original bytes)

A store is written chunk by chunk (a chunk is a run of whole documents). Finished chunks survive a kill, so
that encoding goes on where it was; the store appears under its final names only when it is whole.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from stackc.errors import ArtifactError
from stackc.files import read_tensors, sha256_file, write_atomically, write_tensors
from stackc.parts import Symbols, Text

FORMAT = 1
CHUNK_SYMBOLS = 1 << 22


def symbol_dtype(alphabet: int) -> np.dtype[Any]:
    """The smallest little-endian unsigned type that holds every symbol of the alphabet."""
    return np.dtype("<u1" if alphabet <= 1 << 8 else "<u2" if alphabet <= 1 << 16 else "<u4")


def outside(values: Symbols, alphabet: int) -> int | None:
    """A value that is no symbol of the alphabet, None where there is none. Reads nothing where the type says so."""
    if not len(values) or (values.dtype.kind == "u" and np.iinfo(values.dtype).max < alphabet):
        return None
    if values.dtype.kind != "u" and int(values.min()) < 0:
        return int(values.min())
    largest = int(values.max())
    return largest if largest >= alphabet else None


@attrs.frozen(kw_only=True)
class Chunk:
    """A run of whole documents: flat symbols, offsets int64[D + 1] from 0, source bytes int64[D]."""

    symbols: Symbols
    offsets: npt.NDArray[np.int64]
    source_bytes: npt.NDArray[np.int64]


class Store:
    """A finished store, opened for reading. `symbols` is memory-mapped, never loaded whole."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            info = json.loads((folder / "store.json").read_text())
            if info["format"] > FORMAT:
                raise ArtifactError(f"{folder}: a store of format {info['format']}; this stackc reads up to {FORMAT}")
            self.alphabet: int = info["alphabet"]
            self.sha256: dict[str, str] = info["sha256"]
            count: int = info["symbols"]
            dtype = symbol_dtype(self.alphabet)
            if (folder / "symbols.bin").stat().st_size != count * dtype.itemsize:
                raise ArtifactError(f"{folder}/symbols.bin: not {count} symbols long; build the stack again")
            # An empty file cannot be mapped.
            self.symbols: Symbols = (
                np.memmap(folder / "symbols.bin", dtype=dtype, mode="r") if count else np.empty(0, dtype)
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArtifactError(f"{folder}: not a readable symbol store ({error}); build the stack again") from error
        index = read_tensors(folder / "index.safetensors")
        self.offsets: npt.NDArray[np.int64] = index["offsets"]
        self.source_bytes: npt.NDArray[np.int64] = index["source_bytes"]

    def text(self) -> Text:
        """All of it, as parts are handed it."""
        return Text(symbols=self.symbols, offsets=self.offsets, source_bytes=int(self.source_bytes.sum()))

    def chunks(self) -> Iterator[Chunk]:
        """Runs of whole documents of about `CHUNK_SYMBOLS` symbols; the same runs on every call."""
        first = 0
        while first < len(self.source_bytes):
            enough = np.searchsorted(self.offsets, self.offsets[first] + CHUNK_SYMBOLS, side="left")
            last = min(max(int(enough), first + 1), len(self.source_bytes))
            start, end = self.offsets[first], self.offsets[last]
            yield Chunk(
                symbols=self.symbols[start:end],
                offsets=self.offsets[first : last + 1] - start,
                source_bytes=self.source_bytes[first:last],
            )
            first = last

    def counts(self) -> npt.NDArray[np.int64]:
        """How often each symbol occurs: int64[A]."""
        total = np.zeros(self.alphabet, np.int64)
        for chunk in self.chunks():
            total += np.bincount(chunk.symbols, minlength=self.alphabet)
        return total


class StoreWriter:
    """Writes a store chunk by chunk into `folder`; chunk numbers already there are skipped by the caller."""

    def __init__(self, folder: Path, alphabet: int) -> None:
        self.folder = folder
        self.alphabet = alphabet
        self._pieces = folder / "chunks"
        self._pieces.mkdir(parents=True, exist_ok=True)

    def has(self, number: int) -> bool:
        """Whether chunk `number` was finished by an earlier run."""
        return self._piece(number).exists()

    def add(self, number: int, chunk: Chunk) -> None:
        """Write chunk `number`, whole or not at all."""
        symbols = chunk.symbols.astype(symbol_dtype(self.alphabet))
        lengths = np.diff(chunk.offsets)
        write_tensors(self._piece(number), {"symbols": symbols, "lengths": lengths, "source_bytes": chunk.source_bytes})

    def finish(self, count: int) -> None:
        """Join chunks 0 .. count - 1 into the store and remove them."""
        lengths = [np.empty(0, np.int64)]
        source_bytes = [np.empty(0, np.int64)]
        path = self.folder / "symbols.bin"
        with write_atomically(path) as file:
            for number in range(count):
                piece = read_tensors(self._piece(number))
                file.write(piece["symbols"].tobytes())
                lengths.append(piece["lengths"])
                source_bytes.append(piece["source_bytes"])
        sizes = np.concatenate(lengths)
        index = self.folder / "index.safetensors"
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
        write_tensors(index, {"offsets": offsets, "source_bytes": np.concatenate(source_bytes)})
        info = {
            "format": FORMAT,
            "alphabet": self.alphabet,
            "documents": len(sizes),
            "symbols": int(sizes.sum()),
            "source_bytes": int(np.concatenate(source_bytes).sum()),
            "sha256": {"symbols.bin": sha256_file(path), "index.safetensors": sha256_file(index)},
        }
        with write_atomically(self.folder / "store.json") as file:
            file.write(json.dumps(info, indent=1, sort_keys=True).encode())
        shutil.rmtree(self._pieces)

    def _piece(self, number: int) -> Path:
        return self._pieces / f"{number:06d}.safetensors"


def documents_to_chunks(documents: Iterable[bytes]) -> Iterator[Chunk]:
    """Gather byte documents into chunks of about `CHUNK_SYMBOLS` symbols, streaming."""
    held: list[bytes] = []
    size = 0
    for document in documents:
        held.append(document)
        size += len(document)
        if size >= CHUNK_SYMBOLS:
            yield bytes_chunk(held)
            held, size = [], 0
    if held:
        yield bytes_chunk(held)


def bytes_chunk(documents: list[bytes]) -> Chunk:
    """Byte documents as one chunk over the alphabet 256."""
    lengths = np.array([len(document) for document in documents], np.int64)
    return Chunk(
        symbols=np.frombuffer(b"".join(documents), np.uint8),
        offsets=np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]),
        source_bytes=lengths,
    )
