"""Symbol stores: the documents of one split at one level, on disk and memory-mapped.

    store.json           format, alphabet, counts, SHA-256 of the two files below
    symbols.bin          the symbols of all documents, concatenated, little-endian unsigned integers
    index.safetensors    offsets int64[D + 1] (symbols), source_bytes int64[D] (original bytes)

A store is written chunk by chunk (a chunk is several whole documents). Finished chunks survive a kill, so that
encoding resumes after the last one; the store appears under its final names only when it is complete.

Why the chunks are joined in the end, instead of staying shards: trainers and kernels then read one flat, mapped buffer.
"""

from __future__ import annotations

import array
import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from stackc.api.arrays import Int64, Symbols, release
from stackc.api.errors import ArtifactError
from stackc.api.files import (
    read_json,
    read_tensors,
    reading,
    sha256_file,
    storage_error,
    tensor,
    write_atomically,
    write_tensors,
)
from stackc.api.limits import MAX_ALPHABET
from stackc.api.models import Text
from stackc.api.offsets import are_offsets, offsets_of
from stackc.parts.symbols import symbol_dtype

FORMAT = 1
CHUNK_SYMBOLS = 1 << 22
FILES = ("symbols.bin", "index.safetensors")


@attrs.frozen(kw_only=True)
class Chunk:
    """Some whole documents: symbols, concatenated; offsets int64[D + 1], starting at 0; source bytes int64[D]."""

    symbols: Symbols
    offsets: Int64
    source_bytes: Int64


class Store:
    """A finished store, opened for reading. `symbols` is memory-mapped, never loaded completely."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        info = _info(folder / "store.json")
        self.alphabet: int = info["alphabet"]
        self.sha256: dict[str, str] = info["sha256"]
        self.symbols = self._map(info["symbols"])
        self.offsets, self.source_bytes = self._index(info["symbols"])

    def _map(self, count: int) -> Symbols:
        """The symbols, memory-mapped; an empty file cannot be mapped."""
        path, dtype = self.folder / FILES[0], symbol_dtype(self.alphabet)
        with reading(path, ArtifactError):
            if path.stat().st_size != count * dtype.itemsize:
                raise ArtifactError(f"{path}: does not hold {count} symbols; build the stack again")
            return np.memmap(path, dtype=dtype, mode="r") if count else np.empty(0, dtype)

    def _index(self, count: int) -> tuple[Int64, Int64]:
        """Offsets and source bytes, which divide `count` symbols into documents."""
        path = self.folder / FILES[1]
        arrays = read_tensors(path)
        offsets = tensor(arrays, "offsets", np.int64, 1, path)
        source_bytes = tensor(arrays, "source_bytes", np.int64, 1, path)
        inside = len(offsets) == len(source_bytes) + 1 and are_offsets(offsets, count)
        most = (1 << 62) // max(1, len(source_bytes))
        if not inside or (len(source_bytes) and not 0 <= int(source_bytes.min()) <= int(source_bytes.max()) <= most):
            raise ArtifactError(f"{path}: invalid index for {count} symbols; build the stack again")
        return offsets, source_bytes

    @property
    def content(self) -> str:
        """A hash of the symbols and the bounds of documents."""
        return self.sha256[FILES[0]] + self.sha256[FILES[1]]

    def text(self) -> Text:
        """The whole store, in the form that parts receive."""
        return Text(symbols=self.symbols, offsets=self.offsets, source_bytes=int(self.source_bytes.sum()))

    def chunks(self) -> Iterator[Chunk]:
        """Chunks of whole documents, each of about `CHUNK_SYMBOLS` symbols; the same chunks on every call."""
        for first, last in self.bounds():
            yield self.chunk(first, last)
            release(self.symbols)

    def bounds(self) -> Iterator[tuple[int, int]]:
        """First and last + 1 document of every chunk."""
        first = 0
        while first < len(self.source_bytes):
            enough = np.searchsorted(self.offsets, self.offsets[first] + CHUNK_SYMBOLS, side="left")
            last = min(max(int(enough), first + 1), len(self.source_bytes))
            yield first, last
            first = last

    def chunk(self, first: int, last: int) -> Chunk:
        """Documents first .. last - 1."""
        start, end = self.offsets[first], self.offsets[last]
        return Chunk(
            symbols=self.symbols[start:end],
            offsets=self.offsets[first : last + 1] - start,
            source_bytes=self.source_bytes[first:last],
        )

    def counts(self) -> Int64:
        """How often each symbol occurs: int64[A]. Raises `ArtifactError` at a symbol outside the alphabet."""
        total = np.zeros(self.alphabet, np.int64)
        for chunk in self.chunks():
            if len(chunk.symbols) and int(chunk.symbols.max()) >= self.alphabet:
                raise ArtifactError(
                    f"{self.folder}: symbol {int(chunk.symbols.max())} is outside its alphabet of {self.alphabet}"
                )
            total += np.bincount(chunk.symbols, minlength=self.alphabet)
        return total


def _info(path: Path) -> dict[str, Any]:
    """The content of ``store.json``, after checking the type of every value."""
    info = read_json(path, "symbol store")
    version, alphabet, hashes = info.get("format"), info.get("alphabet"), info.get("sha256")
    if type(version) is not int or version > FORMAT:
        raise ArtifactError(f"{path}: a store of format {version!r:.40}; this stackc reads up to {FORMAT}")
    sizes = type(alphabet) is int and 1 <= alphabet <= MAX_ALPHABET and type(info.get("symbols")) is int
    if not (sizes and isinstance(hashes, dict) and all(isinstance(hashes.get(name), str) for name in FILES)):
        raise ArtifactError(f"{path}: not a readable symbol store; build the stack again")
    return info


class StoreWriter:
    """Writes a store chunk by chunk into `folder`; the caller skips chunks that exist already."""

    def __init__(self, folder: Path, alphabet: int) -> None:
        self.folder = folder
        self.alphabet = alphabet
        self._pieces = folder / "chunks"
        self._pieces.mkdir(parents=True, exist_ok=True)

    def has(self, number: int) -> bool:
        """Whether chunk `number` was finished by an earlier build."""
        return self._piece(number).exists()

    def add(self, number: int, chunk: Chunk) -> None:
        """Write chunk `number`, completely or not at all."""
        self.write(f"{number:06d}", chunk)

    def write(self, name: str, chunk: Chunk) -> None:
        """Write a chunk to a file of this name; `keep` gives it its number."""
        symbols = chunk.symbols.astype(symbol_dtype(self.alphabet))
        lengths = np.diff(chunk.offsets)
        path = self._pieces / f"{name}.safetensors"
        write_tensors(path, {"symbols": symbols, "lengths": lengths, "source_bytes": chunk.source_bytes})

    def keep(self, number: int, name: str) -> None:
        """Make the file that `write` wrote chunk `number`."""
        try:
            (self._pieces / f"{name}.safetensors").replace(self._piece(number))
        except OSError as error:
            raise storage_error(self._pieces, error) from error

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
        _describe(self.folder, self.alphabet, np.concatenate(lengths), np.concatenate(source_bytes), sha256_file(path))
        shutil.rmtree(self._pieces)

    def _piece(self, number: int) -> Path:
        return self._pieces / f"{number:06d}.safetensors"


class BytesWriter:
    """Writes the store of bytes in `folder` as its documents come, in a `with` block; all of it, or nothing.

    Hashed while it is written: a large store is not read again for that.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lengths = array.array("q")
        self._digest = hashlib.sha256()

    def __enter__(self) -> BytesWriter:
        self._whole = contextlib.ExitStack()
        self._file = self._whole.enter_context(write_atomically(self.folder / FILES[0]))
        return self

    def add(self, documents: list[bytes]) -> None:
        """Append whole documents."""
        data = b"".join(documents)
        self._digest.update(data)
        self._file.write(data)
        self._lengths.extend(map(len, documents))

    def __exit__(self, *raised: Any) -> None:
        self._whole.__exit__(*raised)
        if raised[0] is None:
            lengths = np.array(self._lengths, np.int64)
            _describe(self.folder, 256, lengths, lengths, self._digest.hexdigest())


def _describe(folder: Path, alphabet: int, sizes: Int64, source_bytes: Int64, sha256: str) -> None:
    """Write what a store is complete with: the index of its documents, and ``store.json``."""
    index = folder / FILES[1]
    write_tensors(index, {"offsets": offsets_of(sizes), "source_bytes": source_bytes})
    info = {
        "format": FORMAT,
        "alphabet": alphabet,
        "documents": len(sizes),
        "symbols": int(sizes.sum()),
        "source_bytes": int(source_bytes.sum()),
        "sha256": {FILES[0]: sha256, FILES[1]: sha256_file(index)},
    }
    with write_atomically(folder / "store.json") as file:
        file.write(json.dumps(info, indent=1, sort_keys=True).encode())


def bytes_chunk(documents: list[bytes]) -> Chunk:
    """Byte documents as one chunk over the alphabet 256."""
    lengths = np.array([len(document) for document in documents], np.int64)
    return Chunk(
        symbols=np.frombuffer(b"".join(documents), np.uint8),
        offsets=offsets_of(lengths),
        source_bytes=lengths,
    )
