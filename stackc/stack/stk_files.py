"""Compressing and decompressing files by name, with gzip's manners.

The source is kept, nothing is overwritten unless forced (`stackc.stack.outputs`), the output has the source's time and
permissions and appears under its name only when it is whole. A name of None stands for standard input or output.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from stackc.api.errors import ContainerError, StackcError
from stackc.api.files import Inherited, is_special, temporary
from stackc.api.streams import binary_input, read_some
from stackc.archive.decoder import check_blocks, decompress_blocks, decompress_range
from stackc.archive.format import BLOCK_HEADER_SIZE, FORMAT, Header, Report
from stackc.archive.reader import Index
from stackc.archive.salvage import Salvaged, salvage
from stackc.archive.writer import BLOCK_SIZE, Written
from stackc.stack.finding import Warn, find_stack, open_codec, warned
from stackc.stack.outputs import check_target, open_output, output_path
from stackc.stack.stack import Stack

SUFFIX = ".stk"


def quiet(done: object) -> None:
    """A `Report` that shows nothing, and a `Warn` that tells nobody."""


def compress(
    source: str | Path,
    out: str | Path | None = None,
    *,
    stack: str | Path | Stack,
    block_size: int = 1 << 16,
    verify: bool = True,
    force: bool = False,
) -> Path:
    """Compress a file; `Stack.compress` does streams.

    Args:
        source: any file; it is kept.
        out: the `.stk` file; None: beside the source.
        stack: a stack's folder, or the stack.
        block_size: source bytes in a block, 1 .. 2^20.
        verify: decode what was made and compare, before it is kept.
        force: overwrite.

    Returns:
        The `.stk` file.

    Raises:
        StackcError: a file that cannot be read or written, or exists already; no such stack.
    """
    path = Path(source)
    name = compressed_name(path, None if out is None else output_path(out)) or path
    opened = Stack(stack) if isinstance(stack, str | Path) else stack
    compress_file(path, name, opened, force=force, verify=verify, block_size=block_size)
    return name


def decompress(
    source: str | Path,
    out: str | Path | None = None,
    *,
    stack: str | Path | Stack | None = None,
    span: tuple[int | None, int | None] | None = None,
    force: bool = False,
) -> Path:
    """Give back the original of a `.stk` file.

    Args:
        source: the `.stk` file.
        out: where to; None: its name without ``.stk``.
        stack: the one that wrote it; None: found by its hash in the folders of STACKC_PATH and in ``runs``.
        span: (start, end): only these bytes of the original; None in it: from the beginning, to the end.
        force: overwrite.

    Raises:
        ContainerError: damage, by block; no such stack; a model that answers otherwise on this machine.
    """
    path = Path(source)
    name = decompressed_name(path, None if out is None else output_path(out)) or path
    opened = Stack(stack) if isinstance(stack, str | Path) else stack
    decompress_file(path, name, opened, span=span, force=force)
    return name


def compressed_name(path: Path | None, out: Path | None) -> Path | None:
    """Where `path` is compressed to: `out`, inside `out` where that is a folder, or beside `path`.

    Raises:
        StackcError: `path` is a folder.
    """
    if path is not None and path.is_dir():  # also "/" and ".", whose names cannot be added to
        raise StackcError(f"{path}: is a folder; stackc compresses files")
    if out is None:
        return None if path is None else path.with_name(path.name + SUFFIX)
    return out / (path.name + SUFFIX) if path is not None and out.is_dir() else out


def decompressed_name(path: Path | None, out: Path | None) -> Path | None:
    """Where `path` is decompressed to. Raises `StackcError` where its name says nothing about that."""
    if path is None or (out is not None and not out.is_dir()):
        return out
    if path.suffix != SUFFIX or path.name == SUFFIX:
        raise StackcError(f"{path}: its name does not end in {SUFFIX}; say where to write with -o")
    return (path.parent if out is None else out) / path.name.removesuffix(SUFFIX)


def compress_file(
    path: Path | None,
    out: Path | None,
    stack: Stack,
    *,
    force: bool = False,
    verify: bool = True,
    block_size: int = BLOCK_SIZE,
    report: Report = quiet,
) -> Written:
    """Compress one file.

    Args:
        path: any file; None: standard input.
        out: the `.stk` file; None: standard output.
        force: overwrite `out`.
        verify, block_size, report: see `stackc.archive.writer.compress`.

    Raises:
        StackcError: it cannot be read or written, exists already, or changed while it was read.
    """
    with _source(path) as source:
        inherited = _inherited(path, source)
        with _target(out, force, path, stack, inherited) as target:
            before = os.fstat(source.fileno()) if path is not None else None
            regular = before is not None and stat.S_ISREG(before.st_mode)
            modified = inherited.modified = before.st_mtime_ns if before and regular else None
            written = stack.compress(
                source, target, block_size=block_size, verify=verify, modified=modified, report=report
            )
            if before and regular and _changed(before, os.fstat(source.fileno()), written.size):
                raise StackcError(f"{path}: changed while it was read; nothing was kept, compress it again")
    return written


def decompress_file(
    path: Path | None,
    out: Path | None,
    stack: Stack | None = None,
    *,
    span: tuple[int | None, int | None] | None = None,
    force: bool = False,
    report: Report = quiet,
    warn: Warn = warned,
) -> None:
    """Decompress one file, or a range of it.

    Args:
        path: a `.stk` file; None: standard input.
        out: where to; None: standard output.
        stack: the one that wrote it; None: found by the hash in the header (`stackc.stack.finding`).
        span: (start, end) of the original's bytes; only the blocks that hold them are read.
        force: overwrite `out`.
        warn: told of damaged copies of the stack that were passed over.

    Raises:
        StackcError: damage, by block; no such stack; the file exists already.
    """

    def opener(header: Header) -> Any:
        return open_codec(header, stack, warn)

    with _named(path), _source(path) as source:
        inherited = _inherited(path, source)
        with _target(out, force, path, stack, inherited) as target:
            if span is None:
                inherited.modified = decompress_blocks(source, target, opener, report).modified
            else:
                decompress_range(_seekable(path, source), target, opener, *span, report)


def salvage_file(
    path: Path | None,
    out: Path,
    stack: Stack | None = None,
    *,
    force: bool = False,
    report: Report = quiet,
    warn: Warn = warned,
) -> Salvaged:
    """Recover what is left of a damaged file; missing bytes are zeros in `out`.

    Args:
        stack: needed where the header is damaged; None: found as in `decompress_file`.
    """
    if is_special(out):
        raise StackcError(f"{out}: not a file, and --salvage puts blocks where they stood; name one with -o")
    fallback = stack.codec if stack is not None else None
    with _named(path), _source(path) as source:
        inherited = _inherited(path, source)
        with _target(out, force, path, stack, inherited) as target:
            file = _on_disk(path, source)
            found = salvage(file, target, lambda header: open_codec(header, stack, warn), fallback, report)
            inherited.modified = found.modified
    return found


def verify_file(
    path: Path | None,
    stack: Stack | None = None,
    *,
    quick: bool = False,
    report: Report = quiet,
    warn: Warn = warned,
) -> None:
    """Check a file: all its checksums, and, unless `quick`, that it decodes to the original, by its SHA-256.

    Raises:
        StackcError: damage, by block; no such stack (not where quick).
    """
    with _named(path), _source(path) as source:
        if quick:
            check_blocks(source, report)
        else:
            decompress_blocks(source, _Nowhere(), lambda header: open_codec(header, stack, warn), report)


def describe_file(path: Path) -> dict[str, Any]:
    """What a file says of itself, as data that JSON can hold; nothing is decoded."""
    with _named(path), _source(path) as source:
        index = Index(source)
        header, trailer = index.header, index.trailer
        lengths = np.full(trailer.blocks, header.block_size, np.int64)
        if trailer.blocks:
            lengths[-1] = trailer.size - (trailer.blocks - 1) * header.block_size
        sizes = np.diff(index.positions) - BLOCK_HEADER_SIZE
        try:
            stack: str | None = str(find_stack(header, warn=quiet).folder)
        except StackcError:
            stack = None
        return {
            "format": FORMAT,
            "size": trailer.size,
            "written": source.seek(0, os.SEEK_END),
            "sha256": trailer.sha256.hex(),
            "modified_ns": header.modified,
            "block_size": header.block_size,
            "blocks": trailer.blocks,
            "raw_blocks": int((sizes == lengths).sum()),
            "payload_bytes": int(sizes.sum()),
            "stack_sha256": header.stack.hex(),
            "stack": stack,
            "portability": header.portability,
            "host": header.host,
            "coder_version": header.coder,
            "file_id": header.file_id.hex(),
        }


def original_size(path: Path | None) -> int | None:
    """The original's bytes, for progress: None where the file does not tell, as a pipe or a damaged one."""
    if path is None or not path.is_file():
        return None
    try:
        with path.open("rb") as source:
            return Index(source).trailer.size
    except (ContainerError, OSError):
        return None


# --------------------------------------------------------------------------------------------------
# Streams


@contextlib.contextmanager
def _named(path: Path | None) -> Iterator[None]:
    """Put the file's name before what is wrong with it."""
    try:
        yield
    except ContainerError as error:
        named = ContainerError(f"{path or 'standard input'}: {error}")
        named.block = error.block
        raise named from error


class _Readable:
    """A binary file whose read errors say which file it was."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file, self._name = file, name

    def read(self, count: int = -1) -> bytes:
        try:
            return read_some(self._file, count)
        except OSError as error:
            raise StackcError(f"{self._name}: cannot read ({error.strerror or error})") from error

    def seek(self, offset: int, whence: int = 0) -> int:
        try:
            return self._file.seek(offset, whence)
        except OSError as error:
            raise StackcError(f"{self._name}: cannot read ({error.strerror or error})") from error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@contextlib.contextmanager
def _source(path: Path | None) -> Iterator[Any]:
    if path is None:
        yield _Readable(binary_input(), "standard input")
        return
    try:
        file = path.open("rb")
    except OSError as error:
        raise StackcError(f"{path}: cannot read ({error.strerror or error})") from error
    with file:
        yield _Readable(file, str(path))


@contextlib.contextmanager
def _target(
    out: Path | None, force: bool, source: Path | None, stack: Stack | None, inherited: Inherited
) -> Iterator[IO[bytes]]:
    check_target(out, source, stack.folder if stack is not None else None, force=force)
    with open_output(out, force, inherited) as file:
        yield file


def _inherited(path: Path | None, source: Any) -> Inherited:
    """What the output takes over from its source; nothing of standard input."""
    return Inherited(() if path is None else (os.fstat(source.fileno()),), whole=path is not None)


def _changed(before: os.stat_result, after: os.stat_result, read: int) -> bool:
    """Whether a source changed while `read` bytes of it were read. The size of one without blocks may mean nothing, as
    in /proc and /sys."""
    virtual = not before.st_blocks and not after.st_blocks
    same = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
    return not same or (read != after.st_size and not virtual)


def _seekable(path: Path | None, source: Any) -> Any:
    if not source.seekable():
        raise StackcError(f"{path or 'standard input'}: a range needs a file on disk, not a pipe")
    return source


def _on_disk(path: Path | None, source: Any) -> Any:
    """The source itself where it can be mapped, else a copy of it in a temporary file."""
    if path is not None and stat.S_ISREG(os.fstat(source.fileno()).st_mode) and source.seek(0, os.SEEK_END):
        return source
    with temporary():
        copy = tempfile.TemporaryFile()  # noqa: SIM115  closed with the process's last reference
        shutil.copyfileobj(source, copy)
        copy.flush()
    return copy


class _Nowhere(io.BytesIO):
    """Takes bytes and forgets them."""

    def write(self, data: Any) -> int:
        return len(data)
