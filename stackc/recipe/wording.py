"""Phrases of recipe errors: ``0 is below 1``, ``unknown key; did you mean 'bits'?``"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable

_COMPARISON = re.compile(r"must be (>=|>|<=|<) (\S+): ")
_WORDS = {">=": "is below", ">": "is not above", "<=": "is above", "<": "is not below"}


def show(value: object) -> str:
    """A value as TOML would write it, shortened."""
    text = repr(value) if isinstance(value, float) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:56] + " ..."


def unknown_key(key: str, known: Iterable[str]) -> str:
    """The phrase for a key that a table does not have."""
    names = sorted(known)
    near = difflib.get_close_matches(key, names, n=1)
    return "unknown key; " + (f"did you mean '{near[0]}'?" if near else f"known: {', '.join(names) or 'none'}")


def one_of(value: object, allowed: Iterable[object]) -> str:
    """The phrase for a value that is not one of the allowed values."""
    choices = list(allowed)
    near = difflib.get_close_matches(str(value), [str(choice) for choice in choices], n=1)
    hint = f"; did you mean {show(near[0])}?" if near else ""
    return f"{show(value)} is not one of {', '.join(show(choice) for choice in choices)}{hint}"


def reason(error: Exception, field: str, value: object) -> str:
    """The problem that an attrs validator found, without the field's name, which is already in the path."""
    text = str(error.args[0] if error.args else error)
    comparison = _COMPARISON.search(text)
    if comparison:
        return f"{show(value)} {_WORDS[comparison[1]]} {comparison[2]}"
    if text.startswith(f"'{field}' must be in ") and len(error.args) > 2:
        return one_of(value, error.args[2])
    if text.startswith(f"'{field}' must match regex ") and len(error.args) > 2:
        return f"{show(value)} does not have the form {getattr(error.args[2], 'pattern', error.args[2])}"
    for prefix in (f"'{field}' ", f"{field}: ", f"{field} "):
        text = text.removeprefix(prefix)
    return text if show(value) in text else f"{text} (found {show(value)})"
