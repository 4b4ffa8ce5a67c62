"""Whose the files in a stack's folder are: nothing that no build wrote is removed, replaced or added to.

A stage's folder is a build's if its mark says so, and while the stage is not finished so is all that is in it. Of a
finished one the parts that its mark lists are. At the top the manifest, the lock and the logs are known by what is in
them.
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
"""What a build writes into its lock."""

_KEY = re.compile(r"[0-9a-f]{64}")
_METRICS = re.compile(rb'\{"time": [-0-9.e]+, "stage": ".*')
"""How the lines of metrics.jsonl begin."""


def foreign(path: Path) -> ArtifactError:
    """The refusal of a file or folder that is in the way."""
    return ArtifactError(f"{path}: no build wrote this; move it, or give the stack another --out")


def check_ours(folder: Path, stages: Iterable[str]) -> None:
    """Refuse a folder in which a build would remove, replace or add to what no build wrote. Changes nothing.

    Args:
        folder: the stack's.
        stages: folders of the stages that the build may do, relative to it.

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
    # Older builds left a bare number, which other programs do, too.
    begun = any(_marks(folder / stage) for stage in stages)
    if os.path.lexists(lock) and not _begins(lock, LOCKED) and not (begun and _begins(lock, re.compile(rb"\d{1,20}"))):
        raise foreign(lock)


def check_stage(stack: Path, folder: Path, deep: bool = True) -> None:
    """Refuse a stage's folder that could not be removed without what no build wrote.

    Args:
        stack: the folder that it lies in.
        deep: of a finished stage, look at every file; False: the mark is enough.

    Raises:
        ArtifactError: names it, or what is in it.
    """
    if not os.path.lexists(folder):
        return
    if folder.is_symlink() or not folder.is_dir():
        raise foreign(folder)
    # A build that was killed as it began a stage leaves an empty folder, or the mark under its temporary name.
    if _is_pending(folder) or all(PARTIAL.fullmatch(path.name) for path in folder.iterdir()):
        return
    parts = _parts(folder)
    if parts is None:
        raise foreign(next(path for path in sorted(folder.iterdir()) if not PARTIAL.fullmatch(path.name)))
    for path in folder.rglob("*") if deep else ():
        name = path.relative_to(stack).as_posix()
        real_folder = path.is_dir() and not path.is_symlink()
        if (
            not real_folder
            and name not in parts
            and path.name not in (MARK, PENDING)
            and not PARTIAL.fullmatch(path.name)
        ):
            raise foreign(path)


def _marks(folder: Path) -> bool:
    return _is_pending(folder) or _parts(folder) is not None


def _is_pending(folder: Path) -> bool:
    """Whether a build began the stage and did not finish it: the mark holds its key."""
    return _begins(folder / PENDING, re.compile(rb"[0-9a-f]{64}"), empty=False) and _parts(folder) is None


def _parts(folder: Path) -> dict[str, Any] | None:
    """What the mark of a finished stage lists; None where there is no such mark."""
    if not _is_plain(folder / MARK):
        return None
    try:
        record = read_json(folder / MARK, "mark of a stage")
    except ArtifactError:
        return None
    key, parts = record.get("key"), record.get("parts")
    return parts if isinstance(key, str) and _KEY.fullmatch(key) and isinstance(parts, dict) else None


def _begins(path: Path, pattern: re.Pattern[bytes], empty: bool = True) -> bool:
    """Whether a file, and no link, begins with such a line; `empty`: or holds nothing."""
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
