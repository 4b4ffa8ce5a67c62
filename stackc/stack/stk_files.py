"""Compressing and decompressing files by name, following the conventions of gzip.

Nothing is overwritten unless forced (`stackc.stack.outputs`); the output has the source's time and permissions and
appears under its name only when it is complete. Unlike gzip, the source is kept. A name of None represents standard
input or output.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from stackc.api.errors import ArtifactError, ContainerError, StackcError
from stackc.api.files import Inherited, is_special, reading, temporary
from stackc.api.streams import binary_input, read_some
from stackc.archive.decoder import check_blocks, decompress_blocks, decompress_range
from stackc.archive.format import BLOCK_HEADER_SIZE, Header, Report
from stackc.archive.reader import Index
from stackc.archive.salvage import Salvaged, salvage
from stackc.archive.writer import Written
from stackc.stack.finding import IN_FILE, Known, Warn, carried, located, open_codec, stack_folder, warned
from stackc.stack.outputs import check_target, open_output, output_path
from stackc.stack.packed import check_pack
from stackc.stack.stack import Stack

SUFFIX = ".stk"


def quiet(done: object) -> None:
    """A `Report` and a `Warn` that do nothing."""


def compress(
    source: str | Path,
    out: str | Path | None = None,
    *,
    stack: str | Path | Stack | None = None,
    block_size: int | None = None,
    verify: bool = True,
    embed_stack: bool = False,
    force: bool = False,
) -> Path:
    """Compress a file; for streams see `Stack.compress`.

    Args:
        source: any file; it is kept.
        out: the `.stk` file; None: next to the source.
        stack: a stack, its folder or pack, or the name of one that is built in; None: `general-3`, which learns from
            each file alone.
        block_size: source bytes in a block, 1 .. 2^20, or 2^26 if the top model codes bit by bit; None: 2^16, or 2^22
            with such a model.
        verify: decode the output and compare, before it is kept.
        embed_stack: put the stack into the file, which then decodes wherever stackc is; 2^24 bytes at most.
        force: overwrite.

    Returns:
        The `.stk` file.

    Raises:
        StackcError: a file that cannot be read or written, or an output that exists already; no such stack.
    """
    path = Path(source)
    name = compressed_name(path, None if out is None else output_path(out)) or path
    opened = stack if isinstance(stack, Stack) else Stack(stack_folder(stack))
    embedded = opened.embeddable() if embed_stack else None
    compress_file(path, name, opened, force=force, verify=verify, block_size=block_size, embedded=embedded)
    return name


def decompress(
    source: str | Path,
    out: str | Path | None = None,
    *,
    stack: str | Path | Stack | None = None,
    span: tuple[int | None, int | None] | None = None,
    force: bool = False,
) -> Path:
    """Decompress a `.stk` file.

    Args:
        source: the `.stk` file.
        out: the output; None: the source's name without ``.stk``.
        stack: the stack that wrote it; None: the one in the file, or found by its hash in the folders of STACKC_PATH
            and in ``runs``.
        span: (start, end): only these bytes of the original; None for start or end: from the beginning, to the end.
        force: overwrite.

    Raises:
        ContainerError: damage, with the block; no such stack; a model that predicts differently on this machine.
    """
    path = Path(source)
    name = decompressed_name(path, None if out is None else output_path(out)) or path
    opened = Stack(stack) if isinstance(stack, str | Path) else stack
    decompress_file(path, name, opened, span=span, force=force)
    return name


def compressed_name(path: Path | None, out: Path | None) -> Path | None:
    """The output of compressing `path`: `out`, a file in `out` if that is a folder, or a file next to `path`.

    Raises:
        StackcError: `path` is a folder.
    """
    if path is not None and path.is_dir():  # also "/" and ".", which have no name to add a suffix to
        raise StackcError(f"{path}: is a folder; stackc compresses files")
    if out is None:
        return None if path is None else path.with_name(path.name + SUFFIX)
    return out / (path.name + SUFFIX) if path is not None and out.is_dir() else out


def decompressed_name(path: Path | None, out: Path | None) -> Path | None:
    """The output of decompressing `path`. Raises `StackcError` if its name does not imply one."""
    if path is None or (out is not None and not out.is_dir()):
        return out
    if path.suffix != SUFFIX or path.name == SUFFIX:
        raise StackcError(f"{path}: its name does not end in {SUFFIX}; name the output with -o")
    return (path.parent if out is None else out) / path.name.removesuffix(SUFFIX)


def compress_file(
    path: Path | None,
    out: Path | None,
    stack: Stack,
    *,
    force: bool = False,
    verify: bool = True,
    block_size: int | None = None,
    embedded: bytes | None = None,
    report: Report = quiet,
) -> Written:
    """Compress one file.

    Args:
        path: any file; None: standard input.
        out: the `.stk` file; None: standard output.
        force: overwrite `out`.
        verify, block_size, embedded, report: see `stackc.archive.writer.compress`.

    Raises:
        StackcError: a file that cannot be read or written, exists already, or changed while it was read.
    """
    with _transfer(path, out, force, stack) as (source, target, inherited):
        before = os.fstat(source.fileno()) if path is not None else None
        regular = before is not None and stat.S_ISREG(before.st_mode)
        modified = inherited.modified = before.st_mtime_ns if before and regular else None
        written = stack.compress(
            source, target, block_size=block_size, verify=verify, modified=modified, embedded=embedded, report=report
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
        out: the output; None: standard output.
        stack: the stack that wrote it; None: found by the hash in the header (`stackc.stack.finding`).
        span: (start, end) of the original's bytes; only the blocks that hold them are read.
        force: overwrite `out`.
        warn: receives a line for each damaged copy of the stack that was skipped.

    Raises:
        StackcError: damage, with the block; no such stack; an output that exists already.
    """
    opener = functools.partial(open_codec, given=stack, warn=_of(path, warn))
    with _transfer(path, out, force, stack) as (source, target, inherited):
        if span is None:
            inherited.modified = decompress_blocks(source, target, opener, report).modified
        else:
            if not source.seekable():
                raise StackcError(f"{path or 'standard input'}: a range needs a file on disk, not a pipe")
            decompress_range(source, target, opener, *span, report)


def salvage_file(
    path: Path | None,
    out: Path,
    stack: Stack | None = None,
    *,
    force: bool = False,
    report: Report = quiet,
    warn: Warn = warned,
) -> Salvaged:
    """Recover the undamaged blocks of a file; missing bytes are zeros in `out`.

    Args:
        stack: needed if the header is damaged; None: found as in `decompress_file`.
    """
    if is_special(out):
        raise StackcError(f"{out}: not a regular file, and --salvage must seek in its output; name a file with -o")
    fallback = stack.codec if stack is not None else None
    opener = functools.partial(open_codec, given=stack, warn=_of(path, warn))
    with _transfer(path, out, force, stack) as (source, target, inherited):
        found = salvage(_on_disk(path, source), target, opener, fallback, report, lambda pack: carried(pack).codec)
        inherited.modified = found.modified
    return found


def verify_file(
    path: Path | None,
    stack: Stack | None = None,
    *,
    quick: bool = False,
    report: Report = quiet,
    warn: Warn = warned,
    known: Known | None = None,
) -> None:
    """Check a file: all its checksums and, unless `quick`, that it decodes to bytes of the original's SHA-256.

    A stack in the file is checked as well, whichever stack decodes it.

    Raises:
        StackcError: damage, with the block; no such stack (not if `quick`).
    """
    with _source(path) as source:
        if quick:
            _check_carried(check_blocks(source, report))
        else:
            opener = functools.partial(open_codec, given=stack, warn=_of(path, warn), known=known)
            _check_carried(decompress_blocks(source, _Nowhere(), opener, report))


def _of(path: Path | None, warn: Warn) -> Warn:
    """`warn`, with the file's name before what is said of the stack in it."""
    return lambda text: warn(f"{_name(path)}: {text}" if text.startswith(IN_FILE) else text)


def _check_carried(header: Header) -> None:
    """Raise `StackcError` if the stack in the file is damaged, or is not the one that the header names."""
    if header.embedded is None:
        return
    if header.damage:  # another copy of it has decoded the file
        raise ContainerError(f"{header.damage}; all else of the file decodes to its original")
    try:
        found = check_pack(header.embedded, IN_FILE).sha256
    except ArtifactError as error:
        raise ContainerError(str(error)) from error
    if found != header.stack.hex():
        raise ContainerError(f"the stack in it is {found[:16]}…, but it was written with {header.stack.hex()[:16]}…")


def describe_file(path: Path) -> dict[str, Any]:
    """The metadata of a file, as data that JSON can hold; nothing is decoded."""
    with _source(path) as source:
        index = Index(source)
        header, trailer = index.header, index.trailer
        lengths = np.full(trailer.blocks, header.block_size, np.int64)
        if trailer.blocks:
            lengths[-1] = trailer.size - (trailer.blocks - 1) * header.block_size
        sizes = np.diff(index.positions) - BLOCK_HEADER_SIZE
        stack = located(header)
        return {
            "format": header.format,
            "size": trailer.size,
            "written": source.seek(0, os.SEEK_END),
            "sha256": trailer.sha256.hex(),
            "modified_ns": header.modified,
            "block_size": header.block_size,
            "blocks": trailer.blocks,
            "raw_blocks": int((sizes == lengths).sum()),
            "payload_bytes": int(sizes.sum()),
            "stack_sha256": header.stack.hex(),
            "stack": None if stack is None else str(stack),
            "embedded_bytes": None if header.embedded is None else len(header.embedded),
            "embedded_damage": header.damage or None,
            "portability": header.portability,
            "host": header.host,
            "coder_version": header.coder,
            "file_id": header.file_id.hex(),
        }


def original_size(path: Path | None) -> int | None:
    """The size of the original, for progress; None if unknown, as for a pipe or a damaged file."""
    if path is None or not path.is_file():
        return None
    try:
        with path.open("rb") as source:
            return Index(source).trailer.size
    except (ContainerError, OSError):
        return None


# --------------------------------------------------------------------------------------------------
# Streams


class _Readable:
    """A binary file whose read errors name the file."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file, self._name = file, name

    def read(self, count: int = -1) -> bytes:
        with reading(self._name):
            return read_some(self._file, count)

    def seek(self, offset: int, whence: int = 0) -> int:
        with reading(self._name):
            return self._file.seek(offset, whence)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _name(path: Path | None) -> str:
    return str(path or "standard input")


@contextlib.contextmanager
def _source(path: Path | None) -> Iterator[Any]:
    """A file, or standard input, opened for reading. A `ContainerError` of the block is prefixed with its name."""
    name = _name(path)
    with contextlib.ExitStack() as opened:
        if path is None:
            file = binary_input()
        else:
            with reading(path):
                file = opened.enter_context(path.open("rb"))
        try:
            yield _Readable(file, name)
        except ContainerError as error:
            named = ContainerError(f"{name}: {error}")
            named.block = error.block
            raise named from error


@contextlib.contextmanager
def _transfer(
    path: Path | None, out: Path | None, force: bool, stack: Stack | None
) -> Iterator[tuple[Any, IO[bytes], Inherited]]:
    """The source and the target of one command, and what the target inherits: nothing from standard input."""
    with _source(path) as source:
        inherited = Inherited(() if path is None else (os.fstat(source.fileno()),), whole=path is not None)
        check_target(out, path, stack.place if stack is not None else None, force=force)
        with open_output(out, force, inherited) as target:
            yield source, target, inherited


def _changed(before: os.stat_result, after: os.stat_result, read: int) -> bool:
    """Whether a source changed while `read` bytes of it were read.

    The size of a file without blocks is not compared: in /proc and /sys it does not tell how many bytes can be read.
    """
    virtual = not before.st_blocks and not after.st_blocks
    same = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
    return not same or (read != after.st_size and not virtual)


def _on_disk(path: Path | None, source: Any) -> Any:
    """The source itself if it can be mapped into memory, else a copy of it in a temporary file."""
    if path is not None and stat.S_ISREG(os.fstat(source.fileno()).st_mode) and source.seek(0, os.SEEK_END):
        return source
    with temporary():
        copy = tempfile.TemporaryFile()  # noqa: SIM115  closed with the last reference
        shutil.copyfileobj(source, copy)
        copy.flush()
    return copy


class _Nowhere(io.BytesIO):
    """Discards all bytes."""

    def write(self, data: Any) -> int:
        return len(data)
