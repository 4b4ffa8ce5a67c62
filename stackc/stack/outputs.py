"""Which files commands may overwrite. One rule: never an input, and an existing file only with ``--force``.

Devices, pipes and streams such as ``/dev/null`` and ``/dev/stdout`` are written to, not replaced, so they may exist. A
stream that leads to an input file is refused like the file itself.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from stackc.api.errors import ArtifactError, StackcError
from stackc.api.files import Inherited, is_special, read_json, storage_error, write_atomically
from stackc.api.streams import binary_output, check_binary_output, moved
from stackc.stack.manifest import MANIFEST


def check_output(out: Path, *inputs: Path | None, force: bool) -> None:
    """Refuse an output that a command must not write, before it does anything.

    Args:
        out: the output.
        inputs: the files that the command reads; the folder of a stack represents its parts; None is ignored.
        force: whether an existing file may be replaced.

    Raises:
        StackcError: `out` is one of the inputs; it is a folder; it exists already, without `force`.
    """
    special, file = is_special(out), moved(out)
    if special and not file.is_file():
        return
    try:
        if out.is_dir():
            raise StackcError(f"{out}: is a folder; name a file")
    except OSError as error:  # a name that is too long, say
        raise storage_error(out, error) from error
    for one in inputs:
        if one is not None and one.is_dir():
            if any(_same(file, part) for part in _parts(one)):
                raise StackcError(f"{out}: the output would replace a part of the stack {one}; name another with -o")
        elif one is not None and _same(file, one):
            raise StackcError(f"{out}: the output would replace its own source; name another with -o")
    if not force and not special and os.path.lexists(out):
        raise StackcError(f"{out}: exists already; --force overwrites it")


def check_target(out: Path | None, *inputs: Path | None, force: bool) -> None:
    """Same as `check_output`; None represents standard output, which must be open and not a terminal."""
    if out is not None:
        check_output(out, *inputs, force=force)
    else:
        check_binary_output(force)


@contextlib.contextmanager
def open_output(out: Path | None, force: bool, inherited: Inherited | None = None) -> Iterator[IO[bytes]]:
    """The binary output of a command: `write_atomically`, or standard output if `out` is None.

    Args:
        force: write to a terminal too.
        inherited: the rights and times that a file takes from its sources, see `write_atomically`.
    """
    with binary_output(force) if out is None else write_atomically(out, inherited) as file:
        yield file


def check_distinct(outputs: Iterable[Path | None], sources: Iterable[Path | None] = ()) -> None:
    """Refuse outputs of one command if one would replace another, or a file that is still to be read.

    Args:
        outputs: files; None, devices and pipes are ignored.
        sources: all files that the command reads.

    Raises:
        StackcError: two names of one file, as far as the system can tell.
    """
    read = {key: one for one in sources if one is not None for key in _identities(one)}
    taken: dict[tuple[object, ...], Path] = {}
    for out in outputs:
        if out is None or (is_special(out) and not out.is_file()):
            continue
        for key in _identities(out):
            if key in read:
                raise StackcError(f"{out}: the output would replace {read[key]}, which is read; name another with -o")
            if key in taken:
                which = f"{taken[key]} and {out}" if taken[key] != out else f"{out}, twice"
                raise StackcError(f"{which}: outputs of one command would replace each other; run it for each")
        taken |= dict.fromkeys(_identities(out), out)


def _identities(path: Path) -> Iterator[tuple[object, ...]]:
    """Keys that two names of one file share: the file itself, or its name in its folder."""
    with contextlib.suppress(OSError):
        found = path.stat()
        yield found.st_dev, found.st_ino
    with contextlib.suppress(OSError):
        folder = path.parent.stat()
        yield folder.st_dev, folder.st_ino, path.name


def output_path(out: str | Path) -> Path:
    """The path of an output as it was given.

    Raises:
        StackcError: it ends in a slash, which means a folder, and there is no such folder.
    """
    text = os.fspath(out)
    if text.endswith(os.sep) and not os.path.isdir(text):
        raise StackcError(f"{text}: no such folder; create it first, or omit the slash to name a file")
    return Path(text)


def check_output_folder(out: Path, *inputs: Path, force: bool) -> None:
    """Same as `check_output` for a folder that several files are written into; an empty folder may exist.

    Raises:
        ArtifactError: `out` is not writable.
        StackcError: `out` is one of the inputs; it, or a parent, is a file; it is not empty, without `force`.
    """
    if any(_same(out, one) for one in inputs):
        raise StackcError(f"{out}: the output would replace its own source; name another with -o")
    check_folder(out)
    if not force and out.is_dir() and any(out.iterdir()):
        raise StackcError(f"{out}: exists already, with files in it; --force overwrites files of the same names")


def check_folder(out: Path, *files: Path) -> None:
    """Refuse a folder that cannot be created, or that exists and is not writable. Creates nothing.

    Args:
        out: the folder.
        files: files that will be written too.

    Raises:
        ArtifactError: the system refuses it.
        StackcError: it, or a parent, is a file or one of `files`.
    """
    try:
        out.is_dir()  # raises if the name is too long or a parent is not accessible
        place = next(one for one in (out, *out.parents) if one in files or os.path.lexists(one))
        if place in files or not place.is_dir():
            raise StackcError(f"{place}: is a file; name a folder")
        if not os.access(place, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise storage_error(out, error) from error


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # one of them does not exist
        return False


def _parts(folder: Path) -> Iterator[Path]:
    """The manifest of the stack in a folder and the files that it lists."""
    yield folder / MANIFEST
    try:
        parts = read_json(folder / MANIFEST, "manifest").get("parts")
    except ArtifactError:
        return
    if isinstance(parts, dict):
        yield from (folder / name for name in parts)
