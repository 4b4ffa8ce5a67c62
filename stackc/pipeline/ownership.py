"""Decides which files in a stack's folder a build wrote. Files of others are never removed, replaced or appended to.

A build owns a stage's folder if the folder's mark says so: until the stage is finished everything in the folder, then
the parts that the mark lists. The manifest, the lock and the logs are recognised by their content and not by their
name, because other programs use these names too.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from stackc.api.errors import ArtifactError
from stackc.api.files import read_json
from stackc.api.partial import PARTIAL
from stackc.stack.manifest import MANIFEST, is_manifest

MARK, PENDING, LOCK = "stage.json", ".pending", ".lock"

LOCKED = re.compile(rb"stackc build \d{1,20}\n")
"""The content of a build's lock."""

_KEY = re.compile(r"[0-9a-f]{64}")
_METRICS = re.compile(rb'\{"time": [-0-9.e]+, "stage": ".*')
"""The beginning of a line of metrics.jsonl."""


def foreign(path: Path) -> ArtifactError:
    """The error for a file or folder that no build wrote."""
    return ArtifactError(f"{path}: no build wrote this; move it, or give the stack another --out")


def check_ours(folder: Path, stages: Iterable[str]) -> None:
    """Refuse a folder in which a build would change a file that no build wrote. Changes nothing.

    Args:
        folder: the stack's folder.
        stages: folders of the stages that the build may run, relative to it.

    Raises:
        ArtifactError: names the first such file or folder.
    """
    manifest, lock, metrics = folder / MANIFEST, folder / LOCK, folder / "logs" / "metrics.jsonl"
    if os.path.lexists(manifest) and not is_manifest(manifest):
        raise foreign(manifest)
    stages = list(stages)
    for stage in stages:
        for place in (folder / stage, *(folder / stage).parents):
            if place == folder:
                break
            if os.path.lexists(place) and not place.is_dir():
                raise foreign(place)
        check_stage(folder, folder / stage, deep=False)
    if os.path.lexists(metrics.parent) and not metrics.parent.is_dir():
        raise foreign(metrics.parent)
    if os.path.lexists(metrics) and not _begins(metrics, _METRICS):
        raise foreign(metrics)
    # Older builds wrote only a number, as other programs do too.
    begun = any(_is_pending(folder / stage) or _parts(folder / stage) is not None for stage in stages)
    if os.path.lexists(lock) and not _begins(lock, LOCKED) and not (begun and _begins(lock, re.compile(rb"\d{1,20}"))):
        raise foreign(lock)


def check_stage(stack: Path, folder: Path, deep: bool = True) -> None:
    """Refuse a stage's folder that holds a file that no build wrote.

    Args:
        stack: the stack's folder.
        deep: check every file of a finished stage; False: the mark is enough.

    Raises:
        ArtifactError: names the folder or the file.
    """
    if not os.path.lexists(folder):
        return
    if folder.is_symlink() or not folder.is_dir():
        raise foreign(folder)
    # A build that was killed at the start of a stage leaves an empty folder, or the mark under its temporary name.
    if _is_pending(folder) or all(PARTIAL.fullmatch(path.name) for path in folder.iterdir()):
        return
    parts = _parts(folder)
    if parts is None:
        raise foreign(next(path for path in sorted(folder.iterdir()) if not PARTIAL.fullmatch(path.name)))
    for path in folder.rglob("*") if deep else ():
        name = path.relative_to(stack).as_posix()
        real_folder = path.is_dir() and not path.is_symlink()
        if not (real_folder or name in parts or path.name in (MARK, PENDING) or PARTIAL.fullmatch(path.name)):
            raise foreign(path)


def _is_pending(folder: Path) -> bool:
    """Whether a build started the stage and did not finish it: the mark holds its key."""
    return _begins(folder / PENDING, re.compile(rb"[0-9a-f]{64}"), empty=False) and _parts(folder) is None


def _parts(folder: Path) -> dict[str, Any] | None:
    """The parts that the mark of a finished stage lists; None without such a mark."""
    if not _is_plain(folder / MARK):
        return None
    try:
        record = read_json(folder / MARK, "mark of a stage")
    except ArtifactError:
        return None
    key, parts = record.get("key"), record.get("parts")
    return parts if isinstance(key, str) and _KEY.fullmatch(key) and isinstance(parts, dict) else None


def _begins(path: Path, pattern: re.Pattern[bytes], empty: bool = True) -> bool:
    """Whether a regular file, not a link, begins with a line of this form; `empty`: the result for an empty file."""
    if not _is_plain(path):
        return False
    try:
        with path.open("rb") as file:
            line = file.readline(1 << 10)
    except OSError:
        return False
    return bool(pattern.fullmatch(line.removesuffix(b"\n")) or pattern.fullmatch(line)) if line else empty


def _is_plain(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False
