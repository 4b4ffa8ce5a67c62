"""Stages that several stacks share, by their keys: each is run once, and every stack that needs it gets it as links.

    <folder>/<key>/<stage>/      a stage's folder, as in a stack
    <folder>/<key>/logs/         its learning curve
    <folder>/<key>/made.json     seconds and peak memory of the process that finished it
    <folder>/<key>/.lock         held by the process that runs it

A key decides the bytes of its stage, so it does not matter which stack ran it. A stage that was killed is half done in
the store, and whichever stack needs it next resumes it. Processes wait for each other's stages; none holds more than
one, so none waits forever.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import resource
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import attrs

from stackc.api.errors import ArtifactError
from stackc.api.files import kept_in, read_json, write_atomically

MADE, LOCK = "made.json", ".lock"

PATIENCE_SECONDS, POLL_SECONDS = 2.0, 0.02
"""Waiting for less than this is not mentioned."""

KEY_CHARACTERS = 32
"""Of a key, in names of folders: 128 bits."""


@attrs.frozen(kw_only=True)
class Made:
    """What making a stage took, in the process that finished it.

    Attributes:
        seconds: of time; what an earlier, killed process had done is not included.
        peak_memory: bytes.
    """

    seconds: float
    peak_memory: int


@attrs.frozen
class StageStore:
    """The store in a folder."""

    folder: Path

    def entry(self, key: str) -> Path:
        """The folder of a stage's key."""
        return self.folder / key[:KEY_CHARACTERS]

    @contextlib.contextmanager
    def held(self, key: str, waiting: str, say: Any) -> Iterator[Path]:
        """Hold the entry of a key, waiting for another process that does; yields its folder.

        Args:
            waiting: what is waited for, for the message.
            say: receives a line if the process waits.

        Raises:
            ArtifactError: the folder cannot be written.
        """
        entry = self.entry(key)
        with kept_in(self.folder):
            entry.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(entry / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        with open(descriptor, "r+b", buffering=0) as lock:
            if not _locked(lock):
                say(f"          {waiting}: another process runs this stage; waiting for it")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield entry

    @contextlib.contextmanager
    def measured(self, key: str) -> Iterator[None]:
        """Around making a stage: record what it took."""
        begun = time.monotonic()
        _reset_peak()
        yield
        made = Made(seconds=round(time.monotonic() - begun, 3), peak_memory=_peak())
        with write_atomically(self.entry(key) / MADE) as file:
            file.write(json.dumps(attrs.asdict(made)).encode())

    def made(self, key: str) -> Made | None:
        """What making a stage took; None if that is unknown."""
        try:
            found = read_json(self.entry(key) / MADE, "record")
            return Made(seconds=float(found["seconds"]), peak_memory=int(found["peak_memory"]))
        except (ArtifactError, KeyError, TypeError, ValueError):
            return None


def _locked(lock: IO[bytes]) -> bool:
    """Whether the lock could be had soon."""
    for _ in range(round(PATIENCE_SECONDS / POLL_SECONDS)):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(POLL_SECONDS)
        else:
            return True
    return False


def link_files(source: Path, target: Path, names: list[str]) -> None:
    """Give files of `source` the same names below `target`: as links, or as copies on another file system."""
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source / name, target / name)
        except OSError:
            shutil.copyfile(source / name, target / name)


def _reset_peak() -> None:
    """Begin measuring peak memory now, if the system can (Linux); otherwise it is that of the whole process."""
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def _peak() -> int:
    """Peak memory of this process, in bytes."""
    with contextlib.suppress(OSError, ValueError), open("/proc/self/status") as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak << 10
