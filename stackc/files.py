"""Files that are either whole or absent: written to a temporary name, then renamed."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from stackc.errors import ArtifactError, StackcError
from stackc.streams import binary_input, read_up_to, special

Tensors = dict[str, npt.NDArray[Any]]


def is_special(path: Path) -> bool:
    """Whether `path` is a device, a pipe or an open stream (``/dev/stdout``), which cannot be replaced by a file."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    # Streams are links to whatever they were opened on, perhaps a file.
    folder = os.path.realpath(path.parent)
    stream = path.is_symlink() and (folder == "/dev" or folder.startswith("/proc/"))
    return stream or stat.S_ISCHR(mode) or stat.S_ISFIFO(mode)


@contextlib.contextmanager
def write_atomically(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary neighbour of `path` for writing; it takes the name `path` when the block ends well.

    On an error, Ctrl-C included, the temporary file is removed and `path` is as it was. What `is_special` is written
    to straight away.

    Raises:
        ArtifactError: the folder cannot be written, or the disk is full.
    """
    if is_special(path):
        try:
            with special(path) as file:
                yield file
        except BrokenPipeError:  # whoever read has what it wanted
            raise
        except OSError as error:
            raise storage_error(path, error) from error
        return
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise storage_error(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def storage_error(path: Path, error: OSError) -> ArtifactError:
    """One line for an operating-system error on `path`, with what to do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ArtifactError(f"{path}: no room left on the disk; free some and run the command again to go on")
    return ArtifactError(f"{path}: cannot write ({error.strerror or error}); check the folder and its permissions")


_REFUSALS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG)


@contextlib.contextmanager
def kept_in(folder: Path) -> Iterator[None]:
    """Say in one line where the disk refuses what the block keeps in `folder`, and what to do.

    Raises:
        ArtifactError: in place of such an operating-system error; others are left as they are.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _REFUSALS:
            raise
        raise storage_error(Path(error.filename) if isinstance(error.filename, str) else folder, error) from error


def write_tensors(path: Path, tensors: Tensors, **metadata: str) -> None:
    """Write named arrays as safetensors, atomically. The same arrays give the same bytes."""
    data = save({name: np.ascontiguousarray(array) for name, array in tensors.items()}, metadata or None)
    with write_atomically(path) as file:
        file.write(data)


def read_tensors(path: Path) -> Tensors:
    """Read the arrays of a safetensors file.

    Raises:
        ArtifactError: it is missing or damaged.
    """
    try:
        tensors: Tensors = load_file(path)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ArtifactError(f"{path}: not a readable safetensors file ({error}); build the stack again") from error
    return tensors


def tensor(tensors: Tensors, name: str, dtype: npt.DTypeLike, rank: int, where: Path) -> npt.NDArray[Any]:
    """One array of a file, of exactly this type and rank. Raises `ArtifactError` for anything else."""
    array = tensors.get(name)
    if array is None or array.dtype != np.dtype(dtype) or array.ndim != rank:
        found = "nothing" if array is None else f"{array.dtype} of rank {array.ndim}"
        raise ArtifactError(
            f"{where}: {name} is {found}, expected {np.dtype(dtype)} of rank {rank}; build the stack again"
        )
    return array


MAX_JSON = 1 << 24
"""Bytes of a JSON file, at most: a manifest of thousands of parts has a hundredth of that."""


def read_json(path: Path, what: str) -> dict[str, Any]:
    """The object in a JSON file. It may come from anywhere: its size and depth are bounded.

    Args:
        what: for the message, e.g. "manifest".

    Raises:
        ArtifactError: unreadable, no JSON, or no object.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MAX_JSON + 1)
        if len(text) > MAX_JSON:
            raise ValueError(f"more than {MAX_JSON} bytes")
        data = json.loads(text.decode())
    except (OSError, ValueError, RecursionError) as error:
        raise ArtifactError(f"{path}: not a readable {what} ({error}); build the stack again") from error
    if not isinstance(data, dict):
        raise ArtifactError(f"{path}: not a readable {what} (no JSON object); build the stack again")
    return data


def read_bytes(path: Path | None) -> bytes:
    """A file's content, or that of standard input.

    Raises:
        StackcError: it cannot be read.
    """
    return b"".join(read_pieces(path))


def read_pieces(path: Path | None, size: int = 1 << 24) -> Iterator[bytes]:
    """A file's content in pieces of `size` bytes; None: that of standard input.

    Raises:
        StackcError: it cannot be read.
    """
    try:
        with contextlib.nullcontext(binary_input()) if path is None else path.open("rb") as file:
            while piece := read_up_to(file, size):
                yield piece
    except OSError as error:
        raise StackcError(f"{path or 'standard input'}: cannot read ({error.strerror or error})") from error


def sha256_file(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's content."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ArtifactError(f"{path}: cannot read ({error.strerror or error})") from error
