"""Files that are either whole or absent: written to a temporary name, then renamed."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import attrs
import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from stackc.api.errors import ArtifactError, StackcError
from stackc.api.partial import NEW, clear_once, partial
from stackc.api.streams import Whole, binary_input, binary_output, is_output, read_up_to

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


@attrs.define
class Inherited:
    """The owner and rights that an output takes over from the files that it is made from. No moment gives it more
    rights than they have.

    Attributes:
        sources: their status.
        whole: the output is the one source in another form and gets its owner, group and mode, as gzip does it; False:
            it gets the rights of a new file, as far as every source has them.
        modified: the time that it gets, nanoseconds since 1970; None: that of writing.
    """

    sources: tuple[os.stat_result, ...]
    whole: bool = False
    modified: int | None = None

    @property
    def first_mode(self) -> int:
        """The mode to make the file with, before the umask."""
        mode = 0o600 if self.whole else 0o666
        for source in self.sources:
            mode &= source.st_mode
        return mode

    def give(self, descriptor: int) -> None:
        """Give it all, as far as the system lets. Rights of an owner or a group that cannot be kept are cut."""
        for source in self.sources:
            if self.whole:
                _give_owner(descriptor, source)
            made = os.fstat(descriptor)
            mode = stat.S_IMODE(source.st_mode if self.whole else made.st_mode)
            if made.st_uid != source.st_uid:
                mode &= ~(stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX)
            if made.st_gid != source.st_gid:
                # Members of the old group are others now, and others may be members of the new one.
                both = (source.st_mode >> 3) & source.st_mode & 0o7
                mode &= ~stat.S_ISGID & (0o7700 | both << 3 | both)
            if mode != stat.S_IMODE(made.st_mode):
                with contextlib.suppress(OSError):
                    os.fchmod(descriptor, mode)
        if self.modified is not None:
            with contextlib.suppress(OSError, OverflowError):
                os.utime(descriptor, ns=(self.modified, self.modified))


def _give_owner(descriptor: int, source: os.stat_result) -> None:
    """Owner and group of `source`: root may give a file away, others give it to a group of theirs."""
    made = os.fstat(descriptor)
    if (made.st_uid, made.st_gid) == (source.st_uid, source.st_gid):
        return
    for owner in (source.st_uid, -1):
        with contextlib.suppress(OSError):
            os.fchown(descriptor, owner, source.st_gid)
            return


def no_wider(*sources: Path | None) -> Inherited:
    """For an output made from these files; what is not there, or is a pipe or a stream, has no rights to hand on."""
    found = []
    for source in sources:
        with contextlib.suppress(OSError):
            if source is not None and source.is_file():
                found.append(source.stat())
    return Inherited(tuple(found))


@contextlib.contextmanager
def write_atomically(path: Path, inherited: Inherited | None = None) -> Iterator[IO[bytes]]:
    """Open a temporary neighbour of `path` for writing; it takes the name `path` when the block ends well.

    On an error, Ctrl-C included, the temporary file is removed and `path` is as it was. Of several processes that
    write to one path each writes all of its own file, and the last to end has the name. A special file
    (`is_special`) is written to directly.

    Args:
        inherited: what the file takes over from others; may be changed until the block ends. None: nothing.

    Raises:
        ArtifactError: the folder cannot be written, or the disk is full. Errors of anything else in the block, such
            as reading, pass as they are; so does that of a pipe that nobody reads on.
    """
    if is_special(path):
        if is_output(path):
            with binary_output() as standard:  # not opened again: whoever writes after us writes after what we wrote
                yield standard
            return
        with naming(path):
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)  # a stream may be a file with content
        with _Output(descriptor, path, closefd=True) as raw, io.BufferedWriter(Whole(raw)) as file:
            yield file
        return
    clear_once(path.parent)
    mode = 0o666 if inherited is None else inherited.first_mode

    def make(name: Path) -> int:
        with naming(path):
            return os.open(name, NEW, mode)

    with partial(path.parent, make) as (descriptor, name):
        with io.BufferedWriter(_Output(descriptor, path, closefd=False)) as output:
            yield output
        with naming(path):
            if inherited is not None:
                inherited.give(descriptor)
            os.fsync(descriptor)
            os.replace(name, path)


@contextlib.contextmanager
def make_folder_atomically(path: Path) -> Iterator[Path]:
    """A temporary neighbour of the folder `path` to fill; it takes the name `path` when the block ends well.

    Raises:
        ArtifactError: it cannot be made, or something of that name is there by then.
    """

    with partial_folder(path.parent, path) as name:
        yield name
        with naming(path):
            os.rename(name, path)


@contextlib.contextmanager
def partial_folder(parent: Path, path: Path | None = None) -> Iterator[Path]:
    """A folder in `parent` that is there while the block runs; what a killed process left there is removed first.

    Args:
        path: what it is made for, in messages; None: `parent`.

    Raises:
        ArtifactError: it cannot be made.
    """

    def make(name: Path) -> int:
        with naming(path or parent):
            name.mkdir()
            return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)

    clear_once(parent)
    with partial(parent, make) as (_, name):
        yield name


class _Output(io.FileIO):
    """A file that is written, whose own errors name the output: the rest of what goes wrong meanwhile is not its."""

    def __init__(self, descriptor: int, path: Path, closefd: bool) -> None:
        super().__init__(descriptor, "wb", closefd=closefd)
        self._path = path

    def write(self, data: Any, /) -> Any:
        with naming(self._path):
            return super().write(data)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        with naming(self._path):
            return super().seek(offset, whence)

    def truncate(self, size: int | None = None, /) -> int:
        with naming(self._path):
            return super().truncate(size)

    def close(self) -> None:
        with naming(self._path):
            super().close()


class naming:
    """Around the system's work on the output `path`: an error of it is one line that names it.

    Raises:
        ArtifactError: in place of an operating-system error, but of a pipe that nobody reads on.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, where: object) -> None:
        if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
            raise storage_error(self._path, error) from error


def storage_error(path: Path, error: OSError) -> ArtifactError:
    """One line for an operating-system error on `path`, with what to do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ArtifactError(f"{path}: no space left on the disk; free some and run the command again to continue")
    return ArtifactError(f"{path}: cannot write ({error.strerror or error}); check the folder and its permissions")


@contextlib.contextmanager
def reading(name: object, kind: type[StackcError] = StackcError) -> Iterator[None]:
    """Around reading the file `name`: an error of the system is one line that names it, of this kind of error."""
    try:
        yield
    except OSError as error:
        raise kind(f"{name}: cannot read ({error.strerror or error})") from error


@contextlib.contextmanager
def temporary() -> Iterator[None]:
    """Around work in the folder for temporary files: what the system refuses there is one line that names it.

    Raises:
        ArtifactError: in place of an operating-system error.
    """
    try:
        yield
    except OSError as error:
        place = tempfile.tempdir or os.environ.get("TMPDIR") or "/tmp"
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        why = "no space left on the disk" if full else f"cannot write ({error.strerror or error})"
        raise ArtifactError(f"{place}: {why}; temporary files go there, or where TMPDIR says") from error


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder that is there while the block runs.

    Raises:
        ArtifactError: it cannot be made. Errors of the block pass as they are.
    """
    with temporary():
        folder = tempfile.TemporaryDirectory(prefix="stackc-")
    with folder as name:
        yield Path(name)


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
        where = Path(error.filename) if isinstance(error.filename, str) else folder
        if error.errno in (errno.EACCES, errno.EPERM) and not where.is_relative_to(folder):  # what the block reads
            raise ArtifactError(f"{where}: {error.strerror or error}; check its permissions") from error
        raise storage_error(where, error) from error


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
            return json_object(file.read(MAX_JSON + 1))
    except (OSError, ValueError, RecursionError) as error:
        raise ArtifactError(f"{path}: not a readable {what} ({error}); build the stack again") from error


def json_object(text: bytes) -> dict[str, Any]:
    """The object that JSON text from anywhere holds. Raises `ValueError` or `RecursionError` if it does not."""
    if len(text) > MAX_JSON:
        raise ValueError(f"more than {MAX_JSON} bytes")
    data = json.loads(text.decode())
    if not isinstance(data, dict):
        raise ValueError("no JSON object")
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
    with (
        reading(path or "standard input"),
        contextlib.nullcontext(binary_input()) if path is None else path.open("rb") as file,
    ):
        while piece := read_up_to(file, size):
            yield piece


class Counted:
    """Pieces that are counted as they pass: `size` is the bytes of all so far."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces, self.size = pieces, 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self.size += len(piece)
            yield piece


HASHED = 1 << 23
"""Bytes hashed at once: after each piece a thread waits while others import modules, as long as so many bytes take."""


def sha256_file(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's content."""
    digest = hashlib.sha256()
    with reading(path, ArtifactError), path.open("rb", buffering=0) as file:
        view = memoryview(bytearray(min(HASHED, max(1 << 16, os.fstat(file.fileno()).st_size))))
        while count := file.readinto(view):
            digest.update(view[:count])
    return digest.hexdigest()
