"""Temporary folders that last as long as an object that reads from them."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from pathlib import Path

from stackc.api.files import temporary

_made: dict[str, int] = {}
"""Folders that are there, and the process that made each: a forked one must not remove its parent's."""


def lasting_folder(owner: object) -> Path:
    """A new folder that only this user may enter; it is removed with `owner`, or when the process ends.

    A process that is killed leaves it where temporary files are.

    Args:
        owner: any object that weak references work on.

    Raises:
        ArtifactError: it cannot be made.
    """
    with temporary():
        folder = tempfile.mkdtemp(prefix="stackc-")
    _made[folder] = os.getpid()
    weakref.finalize(owner, _remove, folder)
    return Path(folder)


def remove_lasting() -> None:
    """Remove all folders now: for a process that ends without Python's own end."""
    for folder in list(_made):
        _remove(folder)


def _remove(folder: str) -> None:
    if _made.get(folder) == os.getpid():
        del _made[folder]
        shutil.rmtree(folder, ignore_errors=True)
