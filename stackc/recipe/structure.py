"""Turns a table into an attrs class, and reports every problem with its path.

A function per type, strict (a boolean is not a number, text is not a list), that collects all problems: cattrs and
validators on instances stop at the first one that fails, and a recipe is to be corrected in one pass.
"""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import attrs

from stackc.api.errors import PluginError, StackcError
from stackc.recipe.wording import one_of, reason, show, unknown_key

Made = TypeVar("Made")

_NOUNS = {bool: "true or false", int: "a whole number", float: "a number", str: "text", Path: "text"}


class Wrong(Exception):
    """A value of the wrong form: (path below the value, problem) for each problem."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        super().__init__(problems)
        self.problems = problems


class Problems:
    """Collects ``path: problem`` lines in the order of the recipe."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, path: str, text: str) -> None:
        line = f"{path}: {text}" if path else text
        if line not in self.lines:
            self.lines.append(line)

    def unknown(self, path: str, key: str, known: Iterable[str]) -> None:
        """Report a key that a table does not have, with the nearest key that it has."""
        self.add(join(path, key), unknown_key(key, known))


def join(path: str, key: str) -> str:
    """The path of `key` in the table at `path`."""
    return f"{path}{key}" if key.startswith("[") or not path else f"{path}.{key}" if key else path


def table(cls: type[Made], data: object, path: str, problems: Problems, also: Iterable[str] = ()) -> Made | None:
    """An instance of the attrs class `cls` from a table, or None with every problem reported.

    Args:
        also: keys that the table may have besides the fields; the caller has removed them, and they are suggested for a
            misspelt key.
    """
    try:
        made: Made = _structure_attrs(data, cls, tuple(also))
    except Wrong as error:
        for below, text in error.problems:
            problems.add(join(path, below), text)
        return None
    return made


def _structure_attrs(data: Any, cls: Any, also: tuple[str, ...] = ()) -> Any:
    if not isinstance(data, Mapping):
        raise Wrong([("", f"expected a table, found {show(data)}")])
    fields = attrs.fields_dict(cls)
    hints = _hints(cls)
    wrong: list[tuple[str, str]] = []
    values = {}
    for key, value in data.items():
        if key not in fields:
            wrong.append((key, unknown_key(key, [*fields, *also])))
            continue
        try:
            values[key] = _structure(value, hints[key])
            _validate(fields[key], values[key])
        except Wrong as error:
            wrong += [(join(key, below), text) for below, text in error.problems]
    for name, field in fields.items():
        if name not in data and field.default is attrs.NOTHING:
            wrong.append((name, f"missing; {field.metadata.get('help', 'it has no default')}"))
    if wrong:
        raise Wrong(wrong)
    try:
        return cls(**values)
    except (ValueError, TypeError, StackcError) as error:  # a check over several fields
        raise Wrong([("", str(error))]) from error


def _validate(field: attrs.Attribute[Any], value: Any) -> None:
    """Run the field's own validator without an instance."""
    if field.validator is None:
        return
    try:
        field.validator(None, field, value)
    except (ValueError, TypeError) as error:
        raise Wrong([("", reason(error, field.name, value))]) from error
    except AttributeError:
        return  # it reads other fields: it runs again when the instance is made


def _hints(cls: type[Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(cls)
    except NameError as error:
        raise PluginError(f"{cls.__module__}.{cls.__name__}: a field's type cannot be read ({error})") from error


def _expected(value: Any, noun: str) -> Wrong:
    return Wrong([("", f"expected {noun}, found {show(value)}")])


def _plain_type(value: Any, cls: Any) -> Any:
    fits = isinstance(value, int | float) if cls is float else isinstance(value, cls)
    if not fits or (isinstance(value, bool) and cls is not bool):
        raise _expected(value, _NOUNS[cls])
    if cls is float and not math.isfinite(value):
        raise _expected(value, "a finite number")
    return cls(value)


def _path(value: Any, _cls: Any) -> Path:
    if not isinstance(value, str):
        raise _expected(value, "text")
    return Path(value)


def _literal(value: Any, cls: Any) -> Any:
    allowed = get_args(cls)
    for choice in allowed:
        if value == choice and type(value) is type(choice):
            return choice
    raise Wrong([("", one_of(value, allowed))])


def _union(value: Any, cls: Any) -> Any:
    members = [member for member in get_args(cls) if member is not types.NoneType]
    if value is None and len(members) < len(get_args(cls)):
        return None
    failures = []
    for member in members:
        try:
            return _structure(value, member)
        except Wrong as error:
            failures.append(error)
    inner = [failure for failure in failures if any(below for below, _ in failure.problems)]
    if len(failures) == 1 or inner:  # the failure inside a value is the most specific
        raise (inner or failures)[0]
    raise _expected(value, " or ".join(_noun(member) for member in members))


def _sequence(value: Any, cls: Any) -> Any:
    if not isinstance(value, list | tuple):
        raise _expected(value, _noun(cls))
    origin, args = get_origin(cls), get_args(cls)
    if origin is tuple and args[-1:] != (...,):
        if len(value) != len(args):
            raise _expected(value, f"a list of {len(args)}")
        types_ = list(args)
    else:
        types_ = [args[0] if args else Any] * len(value)
    made = _all((f"[{number}]", item, types_[number]) for number, item in enumerate(value))
    return tuple(made) if origin is tuple else made


def _mapping(value: Any, cls: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise _expected(value, "a table")
    _, of = get_args(cls) or (str, Any)
    return dict(zip(value, _all((key, item, of) for key, item in value.items()), strict=True))


def _all(items: Iterable[tuple[str, Any, Any]]) -> list[Any]:
    """Every value of (path, value, type). Raises `Wrong` with the problems of all."""
    made, wrong = [], []
    for path, value, cls in items:
        try:
            made.append(_structure(value, cls))
        except Wrong as error:
            wrong += [(join(path, below), text) for below, text in error.problems]
    if wrong:
        raise Wrong(wrong)
    return made


def _noun(cls: Any) -> str:
    if get_origin(cls) in (tuple, list):
        args = get_args(cls)
        return f"a list of {_noun(args[0]).removeprefix('a ')}" if args else "a list"
    return "a table" if attrs.has(cls) else _NOUNS.get(cls, getattr(cls, "__name__", str(cls)))


_HOOKS: dict[Any, Callable[[Any, Any], Any]] = {
    **dict.fromkeys((bool, int, float, str), _plain_type),
    **dict.fromkeys((Union, types.UnionType), _union),
    **dict.fromkeys((tuple, list, Sequence), _sequence),
    **dict.fromkeys((dict, Mapping), _mapping),
    Path: _path,
    Literal: _literal,
    Any: lambda value, cls: value,
}


def _structure(value: Any, cls: Any) -> Any:
    """A value as an instance of a field's type."""
    cls = getattr(cls, "__supertype__", cls)  # of a NewType
    hook = _structure_attrs if attrs.has(cls) else _HOOKS.get(get_origin(cls) or cls)
    if hook is None:
        raise PluginError(f"a field of type {_noun(cls)}: no value in a recipe has this type")
    return hook(value, cls)
