"""What commands may write over. One rule: never an input, and what is there already only with ``--force``.

Devices, pipes and streams such as ``/dev/null`` and ``/dev/stdout`` are written to, not replaced: they may be there. A
stream that leads to a file which is read is refused as that file is.
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
    """Refuse a file that a command must not write, before it does anything.

    Args:
        out: what would be written.
        inputs: what the command reads: files, and folders of stacks, which stand for their parts; None is passed over.
        force: whether what is there may be replaced.

    Raises:
        StackcError: `out` is one of the inputs; it is a folder; it is there already, and not `force`.
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
    """As `check_output`, before any work; None stands for standard output, which must be open and no terminal."""
    if out is not None:
        check_output(out, *inputs, force=force)
    else:
        check_binary_output(force)


@contextlib.contextmanager
def open_output(out: Path | None, force: bool, inherited: Inherited | None = None) -> Iterator[IO[bytes]]:
    """What a command writes bytes to: `write_atomically`, or standard output where `out` is None.

    Args:
        force: to a terminal too.
        inherited: what a file takes over from others, see `write_atomically`.
    """
    with binary_output(force) if out is None else write_atomically(out, inherited) as file:
        yield file


def check_distinct(outputs: Iterable[Path | None], sources: Iterable[Path | None] = ()) -> None:
    """Refuse outputs of one command of which one would replace another, or a file that is still to be read.

    Args:
        outputs: files; None, devices and pipes are passed over.
        sources: all that the command reads.

    Raises:
        StackcError: two names that mean one file, as far as the system tells.
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
    """What two names of one file have in common: the file itself, or its name in its folder."""
    with contextlib.suppress(OSError):
        found = path.stat()
        yield found.st_dev, found.st_ino
    with contextlib.suppress(OSError):
        folder = path.parent.stat()
        yield folder.st_dev, folder.st_ino, path.name


def output_path(out: str | Path) -> Path:
    """The path of an output as it was given.

    Raises:
        StackcError: it ends in a slash, so that it means a folder, and there is none.
    """
    text = os.fspath(out)
    if text.endswith(os.sep) and not os.path.isdir(text):
        raise StackcError(f"{text}: no such folder; make it first, or leave the slash out to name a file")
    return Path(text)


def check_output_folder(out: Path, *inputs: Path, force: bool) -> None:
    """The same for a folder that several files are written into; an empty one may be there.

    Raises:
        ArtifactError: `out` cannot be written into.
        StackcError: `out` is one of the inputs; it, or what it would be made in, is a file; there is something in it,
            and not `force`.
    """
    if any(_same(out, one) for one in inputs):
        raise StackcError(f"{out}: the output would replace its own source; name another with -o")
    check_folder(out)
    if not force and out.is_dir() and any(out.iterdir()):
        raise StackcError(f"{out}: exists already, with files in it; --force overwrites those of the same names")


def check_folder(out: Path, *beside: Path) -> None:
    """Refuse a folder that cannot be made, or that is there and cannot be written into. Makes nothing.

    Args:
        out: the folder.
        beside: files that will be written too.

    Raises:
        ArtifactError: the system refuses it.
        StackcError: it, or what it would be made in, is a file or one of `beside`.
    """
    try:
        out.is_dir()  # raises where the name is too long or the way there is closed
        place = next(one for one in (out, *out.parents) if one in beside or os.path.lexists(one))
        if place in beside or not place.is_dir():
            raise StackcError(f"{place}: is a file; name a folder")
        if not os.access(place, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise storage_error(out, error) from error


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # one of them is not there
        return False


def _parts(folder: Path) -> Iterator[Path]:
    """The manifest of the stack in a folder and the files that it names."""
    yield folder / MANIFEST
    try:
        parts = read_json(folder / MANIFEST, "manifest").get("parts")
    except ArtifactError:
        return
    if isinstance(parts, dict):
        yield from (folder / name for name in parts)
