"""Turns one table into one attrs class, and reports everything wrong with it, each with its path.

Plain code and not a library such as cattrs: types are strict here (a boolean is not a number, text is not a list), all
problems are collected and not only the first, and a recipe needs no more types than `_structure` knows.
"""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import attrs

from stackc.api.errors import PluginError, StackcError
from stackc.recipe.wording import one_of, reason, show, unknown_key

Made = TypeVar("Made")

_NOUNS = {bool: "true or false", int: "a whole number", float: "a number", str: "text", Path: "text"}


class Wrong(Exception):
    """A value that does not fit: (path below the value, what is wrong) for each problem."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        super().__init__(problems)
        self.problems = problems


class Problems:
    """Collects ``path: what is wrong`` lines in the order of the recipe."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, path: str, text: str) -> None:
        line = f"{path}: {text}" if path else text
        if line not in self.lines:
            self.lines.append(line)


def join(path: str, key: str) -> str:
    """The path of `key` in the table at `path`."""
    return f"{path}{key}" if key.startswith("[") or not path else f"{path}.{key}" if key else path


def table(cls: type[Made], data: object, path: str, problems: Problems, also: Iterable[str] = ()) -> Made | None:
    """An instance of the attrs class `cls` from a table, or None with every problem reported.

    Args:
        also: keys that the table has besides the fields; they were taken out, and are offered where one is misspelt.
    """
    try:
        made: Made = _structure_attrs(data, cls, tuple(also))
    except Wrong as error:
        for below, text in error.problems:
            problems.add(join(path, below), text)
        return None
    return made


def _structure(value: Any, cls: Any) -> Any:
    """The value as type `cls`. Strict: a boolean is not a number, text is not a list."""
    if cls in _NOUNS:
        return _plain_type(value, cls)
    origin = get_origin(cls) or cls
    if origin is Literal:
        return _literal(value, cls)
    if origin in (Union, types.UnionType):
        return _union(value, cls)
    if origin in (tuple, list):
        return _sequence(value, cls)
    if origin is dict:
        if not isinstance(value, Mapping):
            raise _expected(value, "a table")
        type_ = (get_args(cls) or (str, Any))[1]
        return dict(zip(value, _all((key, item, type_) for key, item in value.items()), strict=True))
    if attrs.has(cls):
        return _structure_attrs(value, cls)
    if cls is Any:
        return value
    raise PluginError(
        f"a configuration with a field of type {cls}: recipes hold text, numbers, true or false, and lists "
        "and tables of them"
    )


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
        return  # it looks at other fields: it runs again when the instance is made


def _hints(cls: type[Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(cls)
    except NameError as error:
        raise PluginError(f"{cls.__module__}.{cls.__name__}: a field's type cannot be read ({error})") from error


def _expected(value: Any, noun: str) -> Wrong:
    return Wrong([("", f"expected {noun}, found {show(value)}")])


def _plain_type(value: Any, cls: Any) -> Any:
    fits = isinstance(value, {float: int | float, Path: str}.get(cls, cls))
    if not fits or (isinstance(value, bool) and cls is not bool):
        raise _expected(value, _NOUNS[cls])
    if cls is float and not math.isfinite(value):
        raise _expected(value, "a finite number")
    return cls(value)


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
    if len(failures) == 1 or inner:  # the one that got furthest tells most
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
    made = _all((f"[{number}]", item, type_) for number, (item, type_) in enumerate(zip(value, types_, strict=True)))
    return tuple(made) if origin is tuple else made


def _all(items: Iterable[tuple[str, Any, Any]]) -> list[Any]:
    """The values of (path, value, type), or `Wrong` with the problems of all of them."""
    made, wrong = [], []
    for path, value, type_ in items:
        try:
            made.append(_structure(value, type_))
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
