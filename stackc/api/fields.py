"""Fields of configuration classes: bit-affecting or speed-only, and checked one by one.

A configuration class is a frozen, keyword-only attrs class. Each field is one of

- `bits(...)`: changing it changes what is written; it enters the hash of its stage;
- `speed(...)`: changes only how fast; it never enters a hash;
- `globs(...)`: names files. It never enters a hash either: the content of the files does, by `Reader.fingerprint`.

A part that has been released gains a field by ``added=True``. While such a field has its default, stage keys and
manifests leave it out, and so does a stack's SHA-256: old recipes build the same stacks. Its default therefore always
stays what the part did before it had the field.

Checks are attrs validators (`attrs.validators.ge`, `in_`, ...); the recipe runs each field's alone, so that
all of a recipe's errors are reported at once.
"""

from __future__ import annotations

import glob
from collections.abc import Collection
from pathlib import Path
from typing import Any, TypeVar

import attrs

from stackc.api.names import expanded

SPEED_ONLY = "stackc.speed_only"
GLOBS = "stackc.globs"
ADDED = "stackc.added"

Config = TypeVar("Config")


def bits(default: Any = attrs.NOTHING, *, check: Any = None, help: str, added: bool = False) -> Any:
    """A field that affects bits. `help` says what it is, its unit and its range.

    `added`: the part was released without this field; its default gives the bits of that time, and enters no hash.
    """
    return _field(default, check, added, {"help": help, SPEED_ONLY: False})


def speed(default: Any = attrs.NOTHING, *, check: Any = None, help: str, added: bool = False) -> Any:
    """A field that affects speed alone. `added`: see `bits`."""
    return _field(default, check, added, {"help": help, SPEED_ONLY: True})


def _field(default: Any, check: Any, added: bool, metadata: dict[str, Any]) -> Any:
    if added and (default is attrs.NOTHING or isinstance(default, attrs.Factory)):  # type: ignore[arg-type]
        raise TypeError("a field that was added needs a constant default, the one that leaves the bits as they were")
    return attrs.field(default=default, validator=check, metadata={**metadata, ADDED: True} if added else metadata)


def globs(default: Any = attrs.NOTHING, *, help: str) -> Any:
    """A field of type ``str | tuple[str, ...]``: file names or glob patterns (``*``, ``?``, ``[..]``, ``**``).

    In a recipe they are relative to the recipe's own folder. In the configuration that the part's factory receives they
    are absolute (`based`), so that a reader need not know the recipe's folder.
    """
    return attrs.field(default=default, metadata={"help": help, SPEED_ONLY: True, GLOBS: True})


def based(config: Config, folder: Path, only: Collection[str] | None = None) -> Config:
    """The same configuration with every pattern of its `globs` fields (of `only` these) made absolute from `folder`."""
    changed: dict[str, Any] = {}
    for field in attrs.fields(type(config)):  # type: ignore[arg-type]
        if field.metadata.get(GLOBS, False) and (only is None or field.name in only):
            value = getattr(config, field.name)
            patterns = (value,) if isinstance(value, str) else value
            changed[field.name] = tuple(_absolute(pattern, folder) for pattern in patterns)
    return attrs.evolve(config, **changed) if changed else config  # type: ignore[misc]


def _absolute(pattern: str, folder: Path) -> str:
    path = folder.absolute() / expanded(pattern)
    if path.is_file():  # a name with glob characters in it still names that file
        return glob.escape(str(path))
    if expanded(pattern).is_absolute():
        return str(path)
    return str(Path(glob.escape(str(folder.absolute()))) / pattern)


def is_as_before(field: attrs.Attribute[Any], value: Any) -> bool:
    """Whether a field was added to a released part and has its default: no key and no manifest has it then.

    Not by ``==`` alone: True equals 1 and -0.0 equals 0.0, and neither is written like the other.
    """
    return field.metadata.get(ADDED, False) and value == field.default and repr(value) == repr(field.default)


def hashed(config: Any) -> dict[str, Any]:
    """The bit-affecting fields of a configuration, for a stage's key; without added ones that have their defaults."""
    return {
        field.name: value
        for field in attrs.fields(type(config))
        if not field.metadata.get(SPEED_ONLY, False) and not is_as_before(field, value := getattr(config, field.name))
    }
