"""Files and folders that are not complete yet, under temporary names next to their final ones.

Nobody can guess such a name, and it fits whatever the final one is. Who writes one holds a lock on it: what is not held
was left by a process that was killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from stackc.api.errors import ArtifactError

PARTIAL = re.compile(r"\.stackc-[0-9a-f]{32}\.partial")
"""The names."""

NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
"""How a file is opened that must not be there."""

_TRIES = 100

_cleared: set[str] = set()
"""Folders that this process looked through."""


@contextlib.contextmanager
def partial(folder: Path, make: Callable[[Path], int]) -> Iterator[tuple[int, Path]]:
    """Something new in `folder`, opened and held, and its name; removed at the end if it still has that name.

    Args:
        make: makes and opens it; fails if there is something of that name.
    """
    for _ in range(_TRIES):
        name = folder / f".stackc-{os.urandom(16).hex()}.partial"
        descriptor = -1
        try:
            descriptor = make(name)
            if _hold(descriptor) and os.path.lexists(name):  # else another process has just cleared it away
                yield descriptor, name
                return
        finally:
            if descriptor >= 0:
                os.close(descriptor)
            _remove(name)
    raise ArtifactError(f"{folder}: temporary files are removed here as soon as they are made; find out by what")


def clear_partials(folder: Path) -> None:
    """Remove what processes that were killed left half-written in `folder`; what is held stays."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for name in [Path(entry.path) for entry in entries if PARTIAL.fullmatch(entry.name)]:
            with contextlib.suppress(OSError):
                descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    _remove(name)
                finally:
                    os.close(descriptor)


def clear_once(folder: Path) -> None:
    """`clear_partials`, once in a process: it lists the folder."""
    where = os.path.abspath(folder)
    if where not in _cleared:
        _cleared.add(where)
        clear_partials(folder)


def _hold(descriptor: int) -> bool:
    """Lock it for as long as it is open. False: another process holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks: nothing there is taken for a leftover
        pass
    return True


def _remove(name: Path) -> None:
    if name.is_dir() and not name.is_symlink():
        shutil.rmtree(name, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            name.unlink()
