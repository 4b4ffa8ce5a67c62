"""Tokens in files that other programs read: .npy, .bin (little-endian unsigned) or .txt (one per line).

A path of None means standard input or output, in the format of a .bin.
"""

from __future__ import annotations

import contextlib
import io
import os
import tokenize
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from stackc.api.errors import ArtifactError, StackcError
from stackc.api.files import Inherited, is_special
from stackc.api.messages import amount
from stackc.api.streams import binary_input, read_up_to, write_all
from stackc.parts.symbols import symbol_dtype
from stackc.stack.outputs import open_output

SUFFIXES = (".npy", ".bin", ".txt")

PIECE_TOKENS = 1 << 22
"""Tokens to read at once."""

_UNREADABLE = (
    OSError, ValueError, OverflowError, SyntaxError, TypeError, EOFError, Warning, tokenize.TokenError,
)  # fmt: skip
"""Exceptions of numpy for files that are not arrays: it parses their headers as Python."""


def write_tokens(
    path: Path | None,
    pieces: Iterable[npt.NDArray[Any]],
    alphabet: int,
    inherited: Inherited | None = None,
    *,
    force: bool = False,
) -> int:
    """Write tokens, given in pieces, in the format of the file's suffix; returns their number.

    Args:
        path: ends in .npy, .bin or .txt; None: standard output.
        pieces: integers below `alphabet`.
        alphabet: decides the width of tokens in .npy and .bin: 1, 2 or 4 bytes.
        force: allow output to a terminal.
        inherited: see `write_atomically`.
    """
    suffix = check_suffix(path)
    if suffix == ".npy" and path is not None and is_special(path):
        raise StackcError(f"{path}: a .npy starts with its length, which is known only at the end; name a .bin or .txt")
    kind, count = symbol_dtype(alphabet), 0
    with open_output(path, force, inherited) as file:
        if suffix == ".npy":
            file.write(_npy_header(kind, 0))
        for piece in pieces:
            count += len(piece)
            if suffix == ".txt":
                file.write("".join(f"{token}\n" for token in piece.tolist()).encode())
            else:
                write_all(file, np.ascontiguousarray(piece, kind).data)
        if suffix == ".npy":  # the count is known only now, and the header has a fixed size
            file.seek(0)
            file.write(_npy_header(kind, count))
    return count


def _npy_header(kind: np.dtype[Any], count: int) -> bytes:
    """128 bytes for any count, as numpy writes them: it pads headers so that they can be overwritten."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": kind.str, "fortran_order": False, "shape": (count,)})
    return header.getvalue()


def read_tokens(path: Path | None, alphabet: int) -> Iterator[npt.NDArray[np.integer]]:
    """Read tokens, from `write_tokens` or any other program, in pieces.

    Args:
        path: ends in .npy, .bin or .txt; None: standard input.

    Raises:
        ArtifactError: the file is missing or does not hold tokens of this alphabet.
    """
    suffix, name = check_suffix(path), str(path or "standard input")
    try:
        with contextlib.nullcontext(binary_input()) if path is None else path.open("rb") as file:
            for piece in _READERS[suffix](file, symbol_dtype(alphabet)):
                yield _checked(name, piece, alphabet)
    except _UNREADABLE as error:
        raise ArtifactError(f"{name}: cannot read tokens ({error})") from error


def _npy(file: IO[bytes], _kind: np.dtype[Any]) -> Iterator[npt.NDArray[Any]]:
    """Read, not memory-mapped: the pages of a mapped file would count as this program's memory."""
    version = np.lib.format.read_magic(file)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a header in the format of Python 2 is an error
        shape, _, kind = header(file)
    if len(shape) != 1 or kind.kind not in "iu":
        raise ValueError(f"shape {shape} and type {kind}; tokens are a one-dimensional array of integers")
    left = os.fstat(file.fileno()).st_size - file.tell()
    if shape[0] * kind.itemsize != left:
        raise ValueError(f"{amount(left, 'byte')} for {amount(shape[0], 'number')} of {kind}")
    yield from _raw(file, kind)


def _raw(file: IO[bytes], kind: np.dtype[Any]) -> Iterator[npt.NDArray[Any]]:
    while data := read_up_to(file, PIECE_TOKENS * kind.itemsize):
        if len(data) % kind.itemsize:
            raise ValueError(
                f"{amount(len(data), 'byte')} at its end: not a whole number of {kind.itemsize}-byte tokens"
            )
        yield np.frombuffer(data, kind)


def _text(file: IO[bytes], _kind: np.dtype[Any]) -> Iterator[npt.NDArray[Any]]:
    while lines := file.readlines(4 * PIECE_TOKENS):
        words = [word for line in lines for word in line.split()]
        strange = next((word for word in words if len(word) > 18 or not word.removeprefix(b"-").isdigit()), None)
        if strange is not None:
            raise ValueError(
                f"{strange[:20].decode(errors='replace')!r} is not a token; a .txt holds one number per line"
            )
        yield np.array([int(word) for word in words], np.int64)


_READERS = {".npy": _npy, ".bin": _raw, ".txt": _text}


def _checked(name: str, values: npt.NDArray[Any], alphabet: int) -> npt.NDArray[np.integer]:
    outside = values[(values < 0) | (values >= alphabet)]
    if len(outside):
        raise ArtifactError(f"{name}: token {outside[0]} is outside the level's alphabet of {alphabet}; wrong --level?")
    return values


def check_suffix(path: Path | None) -> str:
    """The format of a file of this name. Raises `StackcError` if it is not one of `SUFFIXES`."""
    if path is None:
        return ".bin"
    if path.suffix not in SUFFIXES:
        raise StackcError(f"{path}: tokens are stored as .npy, .bin or .txt; use one of these suffixes")
    return path.suffix
