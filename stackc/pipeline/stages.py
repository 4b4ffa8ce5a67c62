"""Stages: units of a build that are done once, keyed by all that decides their bytes.

A stage owns one folder of the stack. While it runs the folder holds `.pending` (its key), so that a killed build
finds its half-done work again; when it is done the folder holds `stage.json` (key, and the SHA-256 and size of
every part) and `.pending` is gone. A folder with another key is emptied: its content belonged to another recipe.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs

from stackc.errors import ArtifactError
from stackc.files import kept_in, sha256_file, write_atomically
from stackc.parts import Progress
from stackc.pipeline.display import Display
from stackc.streams import write_all

Parts = dict[str, dict[str, Any]]
"""Of each file, by its path in the stack: sha256 and bytes."""


@attrs.frozen(kw_only=True)
class Done:
    """A finished stage: its key, its parts by their path in the stack, and where it was done."""

    key: str
    parts: Parts
    record: dict[str, Any]

    @property
    def content(self) -> dict[str, str]:
        """SHA-256 of every part: what a later stage's key is made of."""
        return {path: part["sha256"] for path, part in self.parts.items()}


def stage_key(material: dict[str, Any]) -> str:
    """SHA-256 of a stage's own configuration, its plugins' versions and the content of its inputs."""
    text = json.dumps(material, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


class Workspace:
    """The folder of a stack that is being built, held by one build at a time."""

    def __init__(self, folder: Path, display: Display) -> None:
        self.folder = folder
        self.display = display
        self.done: dict[str, Done] = {}

    def run(
        self,
        name: str,
        material: dict[str, Any],
        work: Callable[[Path, Progress], None],
        record: dict[str, Any] | None = None,
    ) -> Done:
        """Do a stage, go on with it, or reuse it.

        Args:
            name: its folder, relative to the stack's, e.g. "M1/frozen".
            material: JSON-able; all that decides the stage's bytes.
            work: fills the folder; files of an earlier, killed run with the same key are still there.
            record: kept beside the parts, never hashed: the device, threads and build that did it.

        Raises:
            ArtifactError: the folder cannot be written, or the disk is full. What is there is gone on with next time.
        """
        key = stage_key({"stage": name, **material})
        folder = self.folder / name
        done = self._finished(folder, key)
        if done is not None:
            self.display.reused(name)
        else:
            with kept_in(folder):
                # What is rebuilt no longer fits the rest of the stack: it is whole again with its manifest.
                (self.folder / "manifest.json").unlink(missing_ok=True)
                resumed = self._prepare(folder, key)
                with self.display.stage(name, resumed) as progress:
                    work(folder, progress)
                done = self._finish(folder, key, {} if record is None else record)
        self.done[name] = done
        return done

    def _finished(self, folder: Path, key: str) -> Done | None:
        try:
            record = json.loads((folder / "stage.json").read_text())
            if record["key"] != key:
                return None
            for path, part in record["parts"].items():
                size = (self.folder / path).stat().st_size
                if size != part["bytes"] or sha256_file(self.folder / path) != part["sha256"]:
                    self.display.line(f"{self.folder / path}: not what was written; its stage is done again")
                    return None
        except (OSError, ValueError, KeyError, TypeError, ArtifactError):
            return None
        return Done(key=key, parts=record["parts"], record=record.get("record", {}))

    def _prepare(self, folder: Path, key: str) -> bool:
        pending = folder / ".pending"
        if pending.exists() and pending.read_text() == key:
            return True
        clear(folder)
        folder.mkdir(parents=True)
        with write_atomically(pending) as file:
            file.write(key.encode())
        return False

    def _finish(self, folder: Path, key: str, record: dict[str, Any]) -> Done:
        files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
        parts = {
            path.relative_to(self.folder).as_posix(): {"sha256": sha256_file(path), "bytes": path.stat().st_size}
            for path in files
            if path != folder / "stage.json"
        }
        with write_atomically(folder / "stage.json") as file:
            file.write(json.dumps({"key": key, "parts": parts, "record": record}, indent=1, sort_keys=True).encode())
        (folder / ".pending").unlink(missing_ok=True)
        return Done(key=key, parts=parts, record=record)


def clear(folder: Path) -> None:
    """Remove a stage's folder with all that is in it, if a stage wrote it.

    Raises:
        ArtifactError: it holds something else.
    """
    if not folder.exists():
        return
    ours = folder.is_dir() and any((folder / mark).is_file() for mark in (".pending", "stage.json"))
    # A build that was killed as it began a stage leaves an empty folder, or the mark under its temporary name.
    if not ours and (not folder.is_dir() or any(path.name != "..pending.partial" for path in folder.iterdir())):
        raise ArtifactError(f"{folder}: holds files that no build wrote; move them, or give the stack another --out")
    with kept_in(folder):
        shutil.rmtree(folder)


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the folder for one build; released when the process ends, however it ends.

    Raises:
        ArtifactError: another build holds it, which is named; it cannot be written.
    """
    with kept_in(folder):
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / ".lock").open("ab+", buffering=0)
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().decode(errors="replace").strip() or "unknown"
            raise ArtifactError(f"{folder}: another build (process {holder}) is at work here; wait for it") from error
        with kept_in(folder):
            file.truncate(0)
            write_all(file, str(os.getpid()).encode())
        yield
