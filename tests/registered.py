"""Parts of the installed plugins, made for tests."""

from __future__ import annotations

from typing import Any

from stackc.api import Windowing
from stackc.parts.part import Source
from stackc.parts.registry import registry


def windowing(kind: str, **fields: Any) -> Windowing:
    part = registry().get("windowing", kind)
    made: Windowing = part.factory(part.config(**fields))
    return made


def coder(kind: str) -> dict[str, Any]:
    """The coder and its flags, as arguments of `LevelSpec`."""
    part = registry().get("coder", kind)
    config = part.config()
    return {"coder": part.factory(config), "flags": config}


def source(name: str, load: Any) -> Source:
    """A plugin as if it were installed; `load` returns its module, or raises."""
    return Source(plugin=name, distribution=f"dist-{name}", version="1.2", load=load)
