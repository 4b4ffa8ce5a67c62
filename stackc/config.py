"""Fields of configuration classes: bit-affecting or speed-only, and checked one by one.

A configuration class is a frozen, keyword-only attrs class. Each field is one of

- `bits(...)`: changing it changes what is written; it enters the hash of its stage;
- `speed(...)`: changes only how fast; it never enters a hash.

Checks are attrs validators (`attrs.validators.ge`, `in_`, ...); the recipe runs each field's alone, so that
all of a recipe's errors are reported at once.
"""

from __future__ import annotations

from typing import Any

import attrs

SPEED_ONLY = "stackc.speed_only"


def bits(default: Any = attrs.NOTHING, *, check: Any = None, help: str) -> Any:
    """A field that affects bits. `help` says what it is, its unit and its range."""
    return attrs.field(default=default, validator=check, metadata={"help": help, SPEED_ONLY: False})


def speed(default: Any = attrs.NOTHING, *, check: Any = None, help: str) -> Any:
    """A field that affects speed alone."""
    return attrs.field(default=default, validator=check, metadata={"help": help, SPEED_ONLY: True})


def hashed(config: Any) -> dict[str, Any]:
    """The bit-affecting fields of a configuration, for a stage's key."""
    return {
        field.name: getattr(config, field.name)
        for field in attrs.fields(type(config))
        if not field.metadata.get(SPEED_ONLY, False)
    }
