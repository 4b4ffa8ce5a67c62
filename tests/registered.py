"""Parts of the installed plugins, made for tests."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from stackc.api import Windowing
from stackc.parts.registry import registry


def windowing(kind: str, **fields: Any) -> Windowing:
    part = registry().get("windowing", kind)
    made: Windowing = part.factory(part.config(**fields))
    return made


@functools.cache
def coder(kind: str, folder: Path | None = None) -> Any:
    part = registry().get("coder", kind)
    return part.factory(part.config())
