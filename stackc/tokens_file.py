"""Tokens in files that other programs read: .npy, .bin (little-endian unsigned) or .txt (one a line)."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from stackc.errors import ArtifactError, StackcError
from stackc.files import write_atomically
from stackc.store import symbol_dtype

SUFFIXES = (".npy", ".bin", ".txt")

PIECE_TOKENS = 1 << 22
"""Tokens read at once."""


def write_tokens(path: Path, pieces: Iterable[npt.NDArray[Any]], alphabet: int) -> int:
    """Write tokens that come in pieces, in the form that the file's suffix says; how many there were.

    Args:
        path: ends in .npy, .bin or .txt.
        pieces: integers below `alphabet`.
        alphabet: decides the width of .npy and .bin: 1, 2 or 4 bytes a token.
    """
    check_suffix(path)
    kind, count = symbol_dtype(alphabet), 0
    with write_atomically(path) as file:
        if path.suffix == ".npy":
            file.write(_npy_header(kind, 0))
        for piece in pieces:
            count += len(piece)
            if path.suffix == ".txt":
                file.write("".join(f"{token}\n" for token in piece.tolist()).encode())
            else:
                file.write(np.ascontiguousarray(piece, kind).data)
        if path.suffix == ".npy":  # room is left in the header for the count, which is known only now
            file.seek(0)
            file.write(_npy_header(kind, count))
    return count


def _npy_header(kind: np.dtype[Any], count: int) -> bytes:
    """128 bytes whatever the count, as numpy writes for arrays of up to 10^20 entries and more."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": kind.str, "fortran_order": False, "shape": (count,)})
    return header.getvalue()


def read_tokens(path: Path, alphabet: int) -> Iterator[npt.NDArray[np.integer]]:
    """Read tokens that `write_tokens` (or anyone) wrote, in pieces.

    Raises:
        ArtifactError: no such file, or one that does not hold tokens of this alphabet.
    """
    check_suffix(path)
    try:
        if path.suffix == ".txt":
            with path.open() as file:
                for piece in _lines(file):
                    yield _checked(path, piece, alphabet)
            return
        values = np.load(path, mmap_mode="r", allow_pickle=False) if path.suffix == ".npy" else _raw(path, alphabet)
    except (OSError, ValueError, OverflowError, EOFError) as error:
        raise ArtifactError(f"{path}: cannot read tokens ({error})") from error
    if not isinstance(values, np.ndarray) or values.ndim != 1 or values.dtype.kind not in "iu":
        found = f"shape {values.shape} and type {values.dtype}" if isinstance(values, np.ndarray) else "an archive"
        raise ArtifactError(f"{path}: {found}; tokens are a row of integers")
    for start in range(0, len(values), PIECE_TOKENS):
        yield _checked(path, np.array(values[start : start + PIECE_TOKENS]), alphabet)


def _raw(path: Path, alphabet: int) -> npt.NDArray[Any]:
    size, kind = path.stat().st_size, symbol_dtype(alphabet)
    if size % kind.itemsize:
        raise ValueError(f"{size} bytes are no whole number of {kind.itemsize}-byte tokens")
    # An empty file cannot be mapped.
    return np.memmap(path, kind, mode="r") if size else np.empty(0, kind)


def _lines(file: IO[str]) -> Iterator[npt.NDArray[np.integer]]:
    while lines := file.readlines(4 * PIECE_TOKENS):
        yield np.array([int(word) for line in lines for word in line.split()], np.int64)


def _checked(path: Path, values: npt.NDArray[Any], alphabet: int) -> npt.NDArray[np.integer]:
    outside = values[(values < 0) | (values >= alphabet)]
    if len(outside):
        raise ArtifactError(f"{path}: token {outside[0]} is outside the level's alphabet of {alphabet}; wrong --level?")
    return values


def check_suffix(path: Path) -> None:
    """Raise `StackcError` unless tokens can be kept in a file of this name."""
    if path.suffix not in SUFFIXES:
        raise StackcError(f"{path}: tokens are kept as .npy, .bin or .txt; name the file so")
