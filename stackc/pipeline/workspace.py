"""Runs the stages of a build, each once, keyed by everything that decides its bytes.

A stage owns one folder of the stack. While it runs the folder holds `.pending` (its key), so that a killed build can
resume its half-done work; when it is finished the folder holds `stage.json` (key, and the SHA-256 and size of every
part) and `.pending` is removed. A folder with another key is emptied: its content belonged to another recipe.

Keys and not times decide what is reused: they are the same after a copy to another machine, and a changed recipe
rebuilds only the stages whose bytes it affects.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import attrs

from stackc.api.errors import ArtifactError
from stackc.api.files import kept_in, sha256_file, write_atomically
from stackc.api.models import Progress
from stackc.api.streams import write_all
from stackc.pipeline.display import Display
from stackc.pipeline.logs import adopt
from stackc.pipeline.ownership import LOCK, MARK, PENDING, check_ours, check_stage, foreign
from stackc.pipeline.stage_store import StageStore, link_files
from stackc.stack.manifest import MANIFEST

Parts = dict[str, dict[str, Any]]
"""sha256 and bytes of each file, by its path in the stack."""

WORTH_SAYING_SECONDS = 1.0
"""A shared stage that took less is not mentioned."""

Work = Callable[[Path, Progress], None]
"""Fills a stage's folder."""


@attrs.frozen(kw_only=True)
class Done:
    """A finished stage: its key, its parts by their path in the stack, and a record of the machine that ran it."""

    key: str
    parts: Parts
    record: dict[str, Any]

    @property
    def content(self) -> dict[str, str]:
        """SHA-256 of every part, which enters the keys of later stages."""
        return {path: part["sha256"] for path, part in self.parts.items()}


def stage_key(material: dict[str, Any]) -> str:
    """SHA-256 of a stage's own configuration, its plugins' versions and the content of its inputs."""
    text = json.dumps(material, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


class FolderBusyError(ArtifactError):
    """Another build is running in the folder."""


class Workspace:
    """The folder of a stack that is being built, held by one build at a time.

    Args:
        shared: where stages are run that other stacks may need too, and found if they have run them; None: every stage
            is run in the stack's own folder.
    """

    def __init__(self, folder: Path, display: Display, shared: StageStore | None = None) -> None:
        self.folder = folder
        self.display = display
        self.shared = shared
        self.done: dict[str, Done] = {}

    def run(self, name: str, material: dict[str, Any], work: Work, record: dict[str, Any] | None = None) -> Done:
        """Run a stage, resume it, or reuse its result.

        Args:
            name: its folder, relative to the stack's, e.g. "M1/frozen".
            material: data for JSON; everything that decides the stage's bytes.
            work: fills the folder; files of an earlier, killed run with the same key still exist.
            record: stored next to the parts, never hashed: the device, threads and software build that ran it.

        Raises:
            ArtifactError: the folder cannot be written, or the disk is full. The next build resumes the stage.
        """
        key = stage_key({"stage": name, **material})
        record = {} if record is None else record
        done = self._finished(self.folder, name, key)
        if done is not None:
            self.display.reused(name)
        elif self.shared is None:
            with kept_in(self.folder / name):
                check_stage(self.folder, self.folder / name)
                # A rebuilt stage no longer fits the rest of the stack, which is complete again with its next manifest.
                (self.folder / MANIFEST).unlink(missing_ok=True)
                done = self._made(self.folder, name, key, work, record)
        else:
            done = self._shared(self.shared, name, key, work, record)
        self.done[name] = done
        return done

    def _made(
        self, base: Path, name: str, key: str, work: Work, record: dict[str, Any], logs: Path | None = None
    ) -> Done:
        """Run or resume a stage in its folder below `base`."""
        folder = base / name
        resumed = self._prepare(base, folder, key)
        with self.display.stage(name, resumed, logs) as progress:
            work(folder, progress)
        return self._finish(base, folder, key, record)

    def _shared(self, store: StageStore, name: str, key: str, work: Work, record: dict[str, Any]) -> Done:
        """Run or resume a stage in the store, unless another stack has run it, and link it into the stack's folder."""
        with store.held(key, name, self.display.line) as entry, kept_in(entry):
            logs = entry / "logs"
            done = self._finished(entry, name, key)
            if done is None:
                with store.measured(key):
                    done = self._made(entry, name, key, work, record, logs)
            elif (made := store.made(key)) is not None and made.seconds >= WORTH_SAYING_SECONDS:
                self.display.line(f"          {name}: made for another stack in {made.seconds:.0f} s, shared")
            with kept_in(self.folder / name):
                (self.folder / MANIFEST).unlink(missing_ok=True)
                self._prepare(self.folder, self.folder / name, key, resume=False)
                link_files(entry, self.folder, list(done.parts))
                self._mark(self.folder / name, done)
                if self.display.logs is not None:
                    adopt(logs, self.display.logs, name)
        return done

    def _finished(self, base: Path, name: str, key: str) -> Done | None:
        try:
            record = json.loads((base / name / MARK).read_text())
            if record["key"] != key:
                return None
            for path, part in record["parts"].items():
                size = (base / path).stat().st_size
                if size != part["bytes"] or sha256_file(base / path) != part["sha256"]:
                    self.display.line(f"{base / path}: changed since it was written; its stage is run again")
                    return None
        except (OSError, ValueError, KeyError, TypeError, ArtifactError):
            return None
        return Done(key=key, parts=record["parts"], record=record.get("record", {}))

    def _prepare(self, base: Path, folder: Path, key: str, resume: bool = True) -> bool:
        """Make the folder of a stage that begins; returns whether an unfinished stage is resumed."""
        pending = folder / PENDING
        if resume and pending.exists() and pending.read_text() == key:
            return True
        clear(base, folder)
        folder.mkdir(parents=True)
        with write_atomically(pending) as file:
            file.write(key.encode())
        return False

    def _finish(self, base: Path, folder: Path, key: str, record: dict[str, Any]) -> Done:
        files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
        parts = {
            path.relative_to(base).as_posix(): {"sha256": sha256_file(path), "bytes": path.stat().st_size}
            for path in files
            if path != folder / MARK
        }
        done = Done(key=key, parts=parts, record=record)
        self._mark(folder, done)
        return done

    @staticmethod
    def _mark(folder: Path, done: Done) -> None:
        """Write that a stage is finished."""
        with write_atomically(folder / MARK) as file:
            file.write(json.dumps(attrs.asdict(done), indent=1, sort_keys=True).encode())
        (folder / PENDING).unlink(missing_ok=True)


def clear(stack: Path, folder: Path) -> None:
    """Remove a stage's folder with all that is in it, if a stage wrote it.

    Raises:
        ArtifactError: it holds something else.
    """
    check_stage(stack, folder)
    if not folder.exists():
        return
    with kept_in(folder):
        # The marks are removed last, and their key first: if this is killed, the rest of the folder is still recognised
        # as a build's, and is not resumed.
        if (folder / PENDING).is_file():
            with (folder / PENDING).open("r+b") as file:  # in place: the disk may be full
                file.write(b"0" * 64)
        for path in folder.iterdir():
            if path.name in (MARK, PENDING):
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        shutil.rmtree(folder)


@contextlib.contextmanager
def held(folder: Path, stages: Iterable[str] = ()) -> Iterator[None]:
    """Lock the folder for one build.

    The system releases the lock when the process ends, however it ends; a file that only exists would block the next
    build after a kill.

    Args:
        stages: folders of the stages that the build may run.

    Raises:
        ArtifactError: another build, which is named, holds the lock; the folder cannot be written, or holds a file that
            no build wrote in the place of a stage.
    """
    lock = folder / LOCK
    with kept_in(folder):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor, new = _opened_lock(lock)
    with open(descriptor, "r+b", buffering=0) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = (file.read().decode(errors="replace").split() or ["unknown"])[-1]
            raise FolderBusyError(
                f"{folder}: another build (process {holder}) is running here; wait for it to end"
            ) from error
        try:
            check_ours(folder, stages)
        except ArtifactError:
            if new:
                lock.unlink(missing_ok=True)
            raise
        with kept_in(folder):
            file.truncate(0)
            file.seek(0)
            write_all(file, f"stackc build {os.getpid()}\n".encode())
        yield


def _opened_lock(lock: Path) -> tuple[int, bool]:
    """The opened lock, and whether it was created. Links are not followed, and opening a pipe does not wait."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with contextlib.suppress(FileExistsError):
        return os.open(lock, flags | os.O_CREAT | os.O_EXCL, 0o666), True
    try:
        return os.open(lock, flags), False
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK, errno.EISDIR, errno.ENXIO):  # a link, a folder, a socket
            raise foreign(lock) from error
        raise
