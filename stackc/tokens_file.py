"""Tokens in files that other programs read: .npy, .bin (little-endian unsigned) or .txt (one a line)."""

from __future__ import annotations

import io
import tokenize
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stackc.errors import ArtifactError, StackcError
from stackc.files import write_atomically
from stackc.store import symbol_dtype

SUFFIXES = (".npy", ".bin", ".txt")

_UNREADABLE = (
    OSError, ValueError, OverflowError, SyntaxError, TypeError, EOFError, UserWarning, tokenize.TokenError,
)  # fmt: skip
"""What numpy raises for files that are no arrays: it reads their headers as Python."""


def write_tokens(path: Path, tokens: npt.NDArray[Any], alphabet: int) -> None:
    """Write tokens in the form that the file's suffix says.

    Args:
        path: ends in .npy, .bin or .txt.
        tokens: integers below `alphabet`.
        alphabet: decides the width of .npy and .bin: 1, 2 or 4 bytes a token.
    """
    check_suffix(path)
    values = tokens.astype(symbol_dtype(alphabet))
    buffer = io.BytesIO()
    if path.suffix == ".npy":
        np.save(buffer, values, allow_pickle=False)
    elif path.suffix == ".bin":
        buffer.write(values.tobytes())
    else:
        buffer.write("".join(f"{token}\n" for token in values.tolist()).encode())
    with write_atomically(path) as file:
        file.write(buffer.getbuffer())


def read_tokens(path: Path, alphabet: int) -> npt.NDArray[np.int64]:
    """Read tokens that `write_tokens` (or anyone) wrote.

    Raises:
        ArtifactError: no such file, or one that does not hold tokens of this alphabet.
    """
    check_suffix(path)
    try:
        if path.suffix == ".npy":
            values = _read_npy(path)
        elif path.suffix == ".bin":
            data, width = path.read_bytes(), symbol_dtype(alphabet).itemsize
            if len(data) % width:
                raise ValueError(f"{len(data)} bytes are no whole number of {width}-byte tokens")
            values = np.frombuffer(data, symbol_dtype(alphabet))
        else:
            values = np.array([int(line) for line in path.read_text().split()], np.int64)
    except (
        OSError,
        ValueError,
        OverflowError,
        SyntaxError,
        TypeError,
        EOFError,
        UserWarning,
        tokenize.TokenError,
    ) as error:
        raise ArtifactError(f"{path}: cannot read tokens ({error})") from error
    if values.ndim != 1 or values.dtype.kind not in "iu":
        raise ArtifactError(f"{path}: shape {values.shape} and type {values.dtype}; tokens are a row of integers")
    outside = values[(values < 0) | (values >= alphabet)]
    if len(outside):
        raise ArtifactError(f"{path}: token {outside[0]} is outside the level's alphabet of {alphabet}; wrong --level?")
    tokens: npt.NDArray[np.int64] = values.astype(np.int64)
    return tokens


def _read_npy(path: Path) -> npt.NDArray[Any]:
    """The array of a .npy file. One that claims more than the file holds is an error before it is allocated."""
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a header that Python 2 might have written is no header
            shape, _, dtype = read(file)
        if len(shape) != 1 or dtype.kind not in "iu":
            raise ArtifactError(f"{path}: shape {shape} and type {dtype}; tokens are a row of integers")
        left = path.stat().st_size - file.tell()
        if shape[0] * dtype.itemsize != left:
            raise ValueError(f"{left} bytes for {shape[0]} numbers of {dtype}")
        return np.fromfile(file, dtype, shape[0])


def check_suffix(path: Path) -> None:
    """Raise `StackcError` unless tokens can be kept in a file of this name."""
    if path.suffix not in SUFFIXES:
        raise StackcError(f"{path}: tokens are kept as .npy, .bin or .txt; name the file so")
