"""A sweep's file: a base recipe, overrides for all runs, axes, arms and seeds, read from TOML.

Overrides are addressed as after ``--set``. Their keys are written in quotes or as dotted keys of TOML. A key in quotes
with a dot in it is a whole address: its value is taken as it is, and a table replaces a table. Otherwise tables lead to
the first value that is not a table.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import attrs
from attrs.validators import optional

from stackc.api.errors import RecipeError
from stackc.api.fields import speed
from stackc.api.names import expanded
from stackc.recipe.load import nearest_recipe, read_toml, shipped_recipes
from stackc.recipe.overrides import BUDGETS
from stackc.recipe.structure import Problems, join, table
from stackc.recipe.tables import MAX_SEED, check_name
from stackc.recipe.wording import show

MAX_SEEDS = 1000

MAX_POINTS = 10_000
"""Combinations of values in one table of axes, at most: each is a whole recipe, which is resolved and checked before
anything runs."""

Address = tuple[str, Any]
"""A key as after ``--set``, and a value."""


def _check_label(_instance: Any, _field: Any, value: str) -> None:
    """Arms are named in tables, in messages, and after ``--baseline``."""
    if not value.strip() or not value.isprintable() or len(value) > 64 or value != value.strip():
        raise ValueError("a name of 1 to 64 visible characters")


@attrs.frozen(kw_only=True)
class Axes:
    """What a sweep and an arm both may have.

    Attributes:
        base: the recipe that is changed.
        seeds: a number of seeds, starting at 1, or the seeds; None: the recipe's own.
        set: overrides.
        grid: axes, lists of values: all combinations are run.
        zip: axes that advance together: lists of one length.
    """

    base: str | None = speed(None, help="the recipe that is changed: a file, relative to this one, or a shipped recipe")
    seeds: int | tuple[int, ...] | None = speed(None, help="how many seeds, the first is 1, or a list of seeds")
    set: dict[str, Any] = attrs.field(factory=dict)
    grid: dict[str, Any] | None = attrs.field(default=None)
    zip: dict[str, Any] | None = attrs.field(default=None)

    @property
    def varies(self) -> bool:
        """Whether it has its own axes, perhaps none: ``grid = {}``."""
        return self.grid is not None or self.zip is not None


@attrs.frozen(kw_only=True)
class ArmTable(Axes):
    """``[[arm]]``: its `grid`, `zip`, `seeds` and `base` replace the sweep's, its `set` comes after the sweep's."""

    name: str = speed(check=_check_label, help="the arm's name in the table")


@attrs.frozen(kw_only=True)
class SweepTable(Axes):
    """The whole file."""

    name: str | None = speed(None, check=optional(check_name), help="the sweep's name; it is built in runs/NAME")
    arm: tuple[dict[str, Any], ...] = ()


@attrs.frozen(kw_only=True)
class Arm:
    """One arm, with what it has from the sweep.

    Attributes:
        name: in the table.
        path: in the sweep's file, for messages; empty for a sweep without arms.
        base: the recipe's file.
        set: its overrides in their order, the sweep's first.
        points: the values of its axes, one entry per combination; a single empty one without axes.
        seeds: None: the recipe's own.
        places: where in the file each address is written.
    """

    name: str
    path: str
    base: Path
    set: tuple[Address, ...]
    points: tuple[tuple[Address, ...], ...]
    seeds: tuple[int, ...] | None
    places: dict[str, str]


@attrs.frozen(kw_only=True)
class SweepFile:
    """A sweep's file as data.

    Attributes:
        path: the file.
        name: the sweep's name.
        arms: at least one, unless something is wrong.
        axes: the addresses of all axes, in the order of the file.
    """

    path: Path
    name: str
    arms: tuple[Arm, ...]
    axes: tuple[str, ...]


def read_sweep(path: Path, problems: Problems) -> SweepFile | None:
    """Read a sweep's file; everything wrong with the file itself is added to `problems`.

    Returns:
        None if nothing more can be checked.

    Raises:
        RecipeError: the file cannot be read, or is not TOML.
    """
    if not path.is_file():
        raise RecipeError(str(path), ["no such sweep file" if not path.is_dir() else "is a folder, not a sweep file"])
    data = read_toml(path)
    whole = _table(SweepTable, data, "", problems)
    if whole is None:
        return None
    arms: list[Arm] = []
    names: dict[str, str] = {}
    for number, entry in enumerate(whole.arm, 1):
        where = f"arm.{number}"
        own = _table(ArmTable, entry, where, problems)
        if own is None:
            continue
        first = names.setdefault(own.name, where)
        if first != where:
            problems.add(join(where, "name"), f"{show(own.name)} is already the name of {first}")
        arms += [made] if (made := _arm(path, whole, own, where, problems)) else []
    if not whole.arm:
        arms += [made] if (made := _arm(path, whole, None, "", problems)) else []
    axes = tuple(dict.fromkeys(address for arm in arms for point in arm.points for address, _ in point))
    return SweepFile(path=path, name=whole.name or _name_of(path), arms=tuple(arms), axes=axes)


Made = TypeVar("Made", SweepTable, ArmTable)


def _table(cls: type[Made], data: Mapping[str, Any], where: str, problems: Problems) -> Made | None:
    """A table; after a problem, its valid fields alone, so that these are still checked."""
    made = table(cls, data, where, problems)
    if made is not None:
        return made
    known = attrs.fields_dict(cls)
    right = {}
    for key, value in data.items():
        found = Problems()
        table(cls, {"name": "name", key: value}, "", found)
        if key in known and not found.lines:
            right[key] = value
    return table(cls, right, "", Problems())


def _name_of(path: Path) -> str:
    """A name made of the file's."""
    stem = "".join(char if char.isascii() and (char.isalnum() or char in "._-") else "-" for char in path.stem)
    return (stem if stem[:1].isalpha() else f"sweep-{stem}")[:64]


def _arm(path: Path, whole: SweepTable, own: ArmTable | None, where: str, problems: Problems) -> Arm | None:
    """An arm, or the only one of a sweep without arms."""
    parts: list[tuple[str, Axes]] = [("", whole)] + ([(where, own)] if own is not None else [])
    base_where, base = next(((at, part.base) for at, part in reversed(parts) if part.base is not None), ("", None))
    found = None
    if base is None:
        problems.add(join(where, "base"), f"missing; {attrs.fields(Axes).base.metadata['help']}")
    else:
        found = _find_base(path, base, join(base_where, "base"), problems)
    addresses = [
        (join(at, "set"), address) for at, part in parts for address in _addresses(part.set, join(at, "set"), problems)
    ]
    at, axes = next(((at, part) for at, part in reversed(parts) if part.varies), parts[0])
    points = _points(axes, at, problems)
    seeds_at, seeds = next(((at, part.seeds) for at, part in reversed(parts) if part.seeds is not None), ("", None))
    listed = _seeds(seeds, join(seeds_at, "seeds"), problems)
    varied = dict.fromkeys(address for point in points for address, _ in point)
    axis_of = {_setting(address, value): address for point in points for address, value in reversed(point)}
    for place, (address, value) in addresses:
        if address in varied:
            problems.add(f'{place}."{address}"', "is also an axis, which replaces it; remove one")
        elif (axis := axis_of.get(_setting(address, value))) is not None:
            problems.add(f'{place}."{address}"', f"the axis {axis} says how long to train too; remove one")
    for kind, table_ in (("grid", axes.grid), ("zip", axes.zip)):
        for address, values in flat(table_ or {}):
            first = values[0] if isinstance(values, list) and values else None
            if (axis := axis_of.get(_setting(address, first))) not in (None, address):
                problems.add(f'{join(at, kind)}."{address}"', f"{axis} says how long to train too; remove one")
    if listed is not None and "stack.seed" in {*varied, *(address for _, (address, _) in addresses)}:
        problems.add(join(seeds_at, "seeds"), "stack.seed is set too; remove one")
    if found is None:
        return None
    places = {address: f'{place}."{address}"' for place, (address, _) in addresses}
    for kind, table_ in (("grid", axes.grid), ("zip", axes.zip)):
        places |= {address: f'{join(at, kind)}."{address}"' for address, _ in flat(table_ or {})}
    return Arm(
        name=own.name if own is not None else found.stem,
        path=where,
        base=found,
        set=tuple(address for _, address in addresses),
        points=points,
        seeds=listed,
        places=places,
    )


def _find_base(sweep: Path, base: str, where: str, problems: Problems) -> Path | None:
    """The file of a base recipe: relative to the sweep's, or one that ships with stackc."""
    shipped = shipped_recipes()
    here = sweep.parent / expanded(base)
    if here.is_file():
        return here
    if base in shipped:
        return shipped[base]
    near = nearest_recipe(base, sweep.parent, without=sweep)
    hint = f"; did you mean {near}?" if near is not None else "; name a file or a shipped recipe"
    problems.add(where, f"no such recipe: {show(base)}{hint}")
    return None


def flat(data: Mapping[str, Any], before: tuple[str, ...] = ()) -> Iterator[Address]:
    """Addresses and values of a table of overrides."""
    for key, value in data.items():
        keys = (*before, key)
        if isinstance(value, Mapping) and value and "." not in key:
            yield from flat(value, keys)
        else:
            yield ".".join(keys), value


def _addresses(data: Mapping[str, Any], where: str, problems: Problems) -> list[Address]:
    """Those of a table, without keys that have an empty part; one that is there twice is reported too."""
    found: dict[str, Any] = {}
    settings: dict[str, str] = {}
    for address, value in flat(data):
        here = f'{where}."{address}"'
        other = settings.setdefault(_setting(address, value), address)
        if not all(address.split(".")):
            problems.add(here, "a part of the key is empty")
        elif address in found:  # in quotes and as nested tables
            problems.add(here, "is given twice; remove one")
        elif other != address:
            problems.add(here, f"{other} says how long to train too; remove one")
        else:
            found[address] = value
    return list(found.items())


def _setting(address: str, value: Any) -> str:
    """What an address sets: of the keys that say how long to train each replaces the others, in a whole table too."""
    table_, _, key = address.rpartition(".")
    if key == "train" and isinstance(value, Mapping) and not set(BUDGETS).isdisjoint(value):
        return f"{address}.{BUDGETS[0]}"
    return f"{table_}.{BUDGETS[0]}" if key in BUDGETS and table_.rpartition(".")[2] == "train" else address


def _points(axes: Axes, where: str, problems: Problems) -> tuple[tuple[Address, ...], ...]:
    """All combinations of the grid, each with all entries of the zip; the last axis varies fastest.

    Of too many, the first one alone, whose keys are still checked.
    """
    points: list[tuple[Address, ...]] = [()]
    crossed = list(_lists(axes.grid or {}, join(where, "grid"), problems))
    zipped = list(_lists(axes.zip or {}, join(where, "zip"), problems))
    count = math.prod(len(values) for _, values in crossed) * max((len(values) for _, values in zipped), default=1)
    if count > MAX_POINTS:
        kind = "grid" if crossed else "zip"
        text = f"{count:,} combinations of values, more than {MAX_POINTS:,}; leave out values, or make several sweeps"
        problems.add(join(where, kind), text)
        crossed, zipped = [[(address, values[:1]) for address, values in lists] for lists in (crossed, zipped)]
    for address, values in crossed:
        points = [(*point, (address, value)) for point in points for value in values]
    lengths = {len(values) for _, values in zipped}
    if len(lengths) > 1:
        listed = ", ".join(f"{address} has {len(values)}" for address, values in zipped)
        problems.add(join(where, "zip"), f"axes of different lengths: {listed}")
    elif zipped:
        steps = [tuple((address, values[i]) for address, values in zipped) for i in range(lengths.pop())]
        points = [(*point, *step) for point in points for step in steps]
    both = {address for address, _ in flat(axes.grid or {})} & {address for address, _ in flat(axes.zip or {})}
    for address in sorted(both):
        problems.add(f'{join(where, "zip")}."{address}"', "is an axis of grid too; remove one")
    return tuple(points)


def _lists(data: Mapping[str, Any], where: str, problems: Problems) -> Iterator[tuple[str, list[Any]]]:
    for address, values in _addresses(data, where, problems):
        here = f'{where}."{address}"'
        if not isinstance(values, list):
            problems.add(here, f"expected a list of values, found {show(values)}")
        elif not values:
            problems.add(here, "no values")
        else:
            twice = len(values) - len({json.dumps(value, sort_keys=True, default=str) for value in values})
            if twice and where.endswith("grid"):
                problems.add(here, f"a value is given twice in {show(values)}")
            if twice and twice == len(values) - 1 and where.endswith("zip"):
                problems.add(here, f"has no effect: all its values are {show(values[0])}; put it into set")
            yield address, values


def _seeds(seeds: int | tuple[int, ...] | None, where: str, problems: Problems) -> tuple[int, ...] | None:
    if seeds is None:
        return None
    if isinstance(seeds, int):
        if not 1 <= seeds <= MAX_SEEDS:
            problems.add(where, f"{seeds} seeds; from 1 to {MAX_SEEDS}, or a list of seeds")
            return None
        return tuple(range(1, seeds + 1))
    wrong = [seed for seed in seeds if not 0 <= seed <= MAX_SEED]
    for seed in wrong:
        problems.add(where, f"{seed} is not in 0 .. 2^63 - 1")
    if wrong:
        return None
    if not seeds or len(set(seeds)) < len(seeds):
        problems.add(where, "no seeds" if not seeds else f"a seed is given twice in {show(list(seeds))}")
    return seeds
