"""Whether a plugin changed while its `bits_version` did not: what ``stackc plugins check`` saw is compared with what it
sees now.

The record of a part is a file in the user's cache folder. It belongs to one version of the package and one
`bits_version`; deleting it loses the comparison and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from stackc.api.errors import StackcError
from stackc.api.files import read_json, write_atomically
from stackc.api.names import expanded
from stackc.parts.part import Part


def notice(part: Part, bits: str | None) -> str:
    """A line if the part is not what it was at its first check under this `bits_version`; "" if it is, or if unknown.

    Args:
        part: a third party's; the bits of stackc's own are recorded in its tests.
        bits: SHA-256 of the tokens that it wrote of a fixed text; None if it wrote none.
    """
    if part.distribution in ("", "stackc"):
        return ""
    now = {"version": part.version, "bits_version": part.bits_version, "code": code_of(part), "bits": bits}
    path = _path(part)
    before = _read(path)
    said = _compared(before, now, part) if before.get("bits_version") == part.bits_version else ""
    if any(before.get(key) != now[key] for key in ("version", "bits_version")):
        _write(path, now)
    return said


def code_of(part: Part) -> str:
    """SHA-256 of the files of the part's package that are loaded: the module, those inside it, and ``module_*``."""
    top = part.config.__module__.partition(".")[0]
    digest = hashlib.sha256()
    for name in sorted(name for name in sys.modules if name == top or name.startswith((f"{top}.", f"{top}_"))):
        file = getattr(sys.modules[name], "__file__", None)
        if file and Path(file).is_file():
            digest.update(f"{name}\0".encode() + hashlib.sha256(Path(file).read_bytes()).digest())
    return digest.hexdigest()


def _compared(before: dict[str, Any], now: dict[str, Any], part: Part) -> str:
    since = f"since {part.distribution} {before.get('version')} was first checked"
    still = f"bits_version is still {part.bits_version}"
    if None not in (before.get("bits"), now["bits"]) and before["bits"] != now["bits"]:
        return f"NOTICE: it writes other bits than before ({since}), and {still}: raise it, or stacks of others break"
    if before.get("code") != now["code"]:
        same = "the small recipe gives the same bits" if now["bits"] is not None else "no bits were compared"
        return f"NOTICE: its code changed ({since}), and {still}; {same}: raise it if any input gives other bits"
    return ""


def _path(part: Part) -> Path:
    cache = expanded(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    return cache / "stackc" / "checked" / f"{part.distribution}-{part.kind}-{part.name}.json"


def _read(path: Path) -> dict[str, Any]:
    try:
        return read_json(path, "record") if path.is_file() else {}
    except StackcError:  # damaged: it is written again
        return {}


def _write(path: Path, record: dict[str, Any]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with write_atomically(path) as file:
            file.write(json.dumps(record, indent=1).encode())
    except (OSError, StackcError):  # a home that cannot be written: there is no notice next time
        return
