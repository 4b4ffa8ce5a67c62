"""``--set KEY=VALUE``: changes to a recipe's data before it is structured."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Sequence
from typing import Any

import attrs

from stackc.recipe.structure import Problems
from stackc.recipe.wording import show

BUDGETS = ("steps", "symbols", "operations")
"""Keys of a ``train`` table of which one says how long to train: setting one replaces the others."""


@attrs.frozen
class Override:
    """One parsed ``KEY=VALUE``: the keys of its path and the value.

    Attributes:
        text: what messages about it call it.
    """

    text: str
    keys: tuple[str, ...]
    value: Any


def parse_override(text: str, problems: Problems) -> Override | None:
    """Parse an override such as ``level.1.windowing.bits=12``.

    The value is TOML (``12``, ``0.5``, ``true``, ``"text"``, ``["a", "b"]``, ``{backend = "unigram"}``); a value that
    is not TOML is treated as text, so that ``corpus.train=data/*.txt`` needs no quotes.
    """
    path, equals, written = text.partition("=")
    keys = tuple(key.strip() for key in path.split("."))
    if not equals or not all(keys):
        problems.add(f"--set {text}", "write KEY=VALUE, such as level.1.windowing.bits=12")
        return None
    written = written.strip()
    try:
        parsed = tomllib.loads(f"value = {written}")
    except tomllib.TOMLDecodeError as error:
        if written[:1] in ("[", "{", '"', "'"):
            problems.add(f"--set {text}", f"the value is not valid TOML: {error}")
            return None
        parsed = {"value": written}
    return Override(f"--set {text}", keys, parsed["value"] if len(parsed) == 1 else written)


def apply_override(data: dict[str, Any], override: Override, problems: Problems) -> None:
    """Set the value in `data`. Missing tables are created: structuring reports those that a recipe does not have."""
    place: Any = data
    for depth, key in enumerate(override.keys[:-1]):
        where = ".".join(override.keys[: depth + 1])
        following = _item(place, key, where, problems) if isinstance(place, list) else place.setdefault(key, {})
        if following is None:
            return
        if not isinstance(following, dict | list):
            problems.add(override.text, f"{where} is {show(following)}, not a table")
            return
        place = following
    last = override.keys[-1]
    if isinstance(place, dict):
        if last in BUDGETS and override.keys[-2:-1] == ("train",):
            for other in BUDGETS:
                place.pop(other, None)
        place[last] = copy.deepcopy(override.value)  # a later override may change it here, and not for other recipes
        return
    number = _number(place, last, ".".join(override.keys), problems)
    if number is not None:
        place[number] = copy.deepcopy(override.value)


def _item(items: list[Any], key: str, where: str, problems: Problems) -> Any:
    number = _number(items, key, where, problems)
    return None if number is None else items[number]


def _number(items: Sequence[Any], key: str, where: str, problems: Problems) -> int | None:
    """The index in `items` that `key` names, by number starting at 1 or by the item's name."""
    if key.isascii() and key.isdigit() and 1 <= int(key) <= len(items):
        return int(key) - 1
    names = [item.get("name", f"M{at}") if isinstance(item, dict) else None for at, item in enumerate(items, 1)]
    if key in names:
        return names.index(key)
    known = ", ".join(f"{at} or {name}" if isinstance(name, str) else str(at) for at, name in enumerate(names, 1))
    problems.add(where, f"there is no such entry; known: {known or 'none'}")
    return None
