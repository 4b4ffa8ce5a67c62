"""Fingerprints of corpora that builds remember, so that a large corpus is not read only to see that it is the same.

A line of the file is the state of a split's files (names, sizes, times, inodes) with how they are read, as a hash, and
the fingerprint of what was read. As git does it, files that may still have changed within the resolution of their
times are not remembered, and a time set back by hand is noticed by the time of the inode itself, which cannot be set.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import attrs

from stackc.api.readers import changed_while_read
from stackc.parts.checked import GuardedReader
from stackc.recipe.sections import Chosen

NAME = ".stackc-fingerprints"
"""Of the file, in the folder that holds the stacks."""

SETTLED_NS = 2_000_000_000
"""A file that was changed less than this before it was looked at may change again without a new time (on FAT, 2 s)."""

MOST_BYTES = 1 << 20
"""A larger file is started over."""


@attrs.frozen(kw_only=True)
class State:
    """The state of a split's files before they were read.

    Attributes:
        sha256: of names, sizes, times and inodes, and of all that decides how they are read.
        settled: whether a change after it would be seen.
    """

    sha256: str
    settled: bool


def state_of(reader: Chosen, split: str, files: list[Path] | None) -> State | None:
    """The state of a split's files; None if it has no files, or if one was removed."""
    now = time.time_ns()
    try:
        found = [(str(path.absolute()), path.stat()) for path in files or ()]
    except OSError:
        return None
    if not found:
        return None
    # The device is left out: a network file system may have another number after the next start of the machine.
    rows = [[name, one.st_size, one.st_mtime_ns, one.st_ctime_ns, one.st_ino] for name, one in found]
    material = {"reader": reader.key(), "version": reader.part.version, "split": split, "files": rows}
    last = max(max(one.st_mtime_ns, one.st_ctime_ns) for _, one in found)
    return State(
        sha256=hashlib.sha256(json.dumps(material, sort_keys=True).encode()).hexdigest(),
        settled=last + SETTLED_NS <= now,
    )


def is_same(before: State | None, after: State | None) -> bool:
    """Whether files are as they were."""
    return (before and before.sha256) == (after and after.sha256)


def fingerprint(remembered: Remembered, chosen: Chosen, reader: GuardedReader, split: str) -> str:
    """The fingerprint of a split: remembered, or the reader's.

    Raises:
        CorpusError: see `Reader.documents`; files that change meanwhile.
    """
    state = state_of(chosen, split, reader.files(split))
    found = remembered.find(state)
    if found is None:
        found = reader.fingerprint(split)
        if not is_same(state, state_of(chosen, split, reader.files(split))):
            raise changed_while_read(split)
        remembered.keep(state, found)
    return found


class Remembered:
    """The file of fingerprints. If it cannot be read or written, nothing is remembered, and nothing fails.

    Args:
        path: the file; None: nothing is remembered.
        recheck: the remembered fingerprints are not used, but written again.
    """

    def __init__(self, path: Path | None, recheck: bool = False) -> None:
        self._path, self._recheck = path, recheck

    def find(self, state: State | None) -> str | None:
        """The fingerprint of files in this state, if one is remembered."""
        if state is None or self._path is None or self._recheck:
            return None
        with contextlib.suppress(OSError), self._opened(os.O_RDONLY, fcntl.LOCK_SH) as file:
            for line in reversed(file.read(2 * MOST_BYTES).splitlines()):  # the last word on a state counts
                with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
                    entry = json.loads(line)
                    if entry["state"] == state.sha256 and isinstance(entry["fingerprint"], str):
                        return entry["fingerprint"] or None
        return None

    def keep(self, state: State | None, fingerprint: str) -> None:
        """Remember the fingerprint of files that were in this state before and after they were read."""
        if state is None or self._path is None or not state.settled:
            return
        line = json.dumps({"state": state.sha256, "fingerprint": fingerprint}).encode() + b"\n"
        with contextlib.suppress(OSError), self._opened(os.O_RDWR | os.O_CREAT | os.O_APPEND, fcntl.LOCK_EX) as file:
            if os.fstat(file.fileno()).st_size > MOST_BYTES:
                file.truncate(0)
            file.write(b"\n" + line)  # after a line that a killed process left unfinished

    def forget(self, state: State | None) -> None:
        """Remember no fingerprint of files in this state."""
        if state is not None:
            self.keep(attrs.evolve(state, settled=True), "")

    @contextlib.contextmanager
    def _opened(self, flags: int, lock: int) -> Iterator[IO[bytes]]:
        """The file, locked. Raises `OSError` if it is another user's: then it may say anything."""
        assert self._path is not None
        flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with open(os.open(self._path, flags, 0o600), "r+b" if flags & os.O_RDWR else "rb", buffering=0) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
                raise OSError("not a file of ours alone")
            fcntl.flock(file, lock)
            yield file
