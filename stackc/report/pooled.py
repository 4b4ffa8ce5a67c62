"""Which stacks are the seeds of one row: those with one label and one recipe, each of them once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs

from stackc.api.errors import StackcError
from stackc.report.entrants import Entrant, written_field
from stackc.report.facts import labels_of


def told_apart(entrants: list[Entrant]) -> list[Entrant]:
    """The same stacks. Arms of one name whose recipes differ from sweep to sweep are followed by their sweep's folder.

    Raises:
        StackcError: a run that is there twice.
    """
    _check_runs(entrants)
    clashing = {one.arm for group in _by_setting(entrants).values() if _differ(group) for one in group}
    sources = list(dict.fromkeys(one.source for one in entrants if one.arm in clashing))

    def named(name: str, source: Path) -> str:
        return labels_of([name] * len(sources), sources)[sources.index(source)]

    return [
        attrs.evolve(one, arm=named(one.arm, one.source), setting=named(one.setting, one.source))
        if one.arm in clashing
        else one
        for one in entrants
    ]


def check_pools(entrants: list[Entrant]) -> None:
    """Refuse a label that stacks of several recipes share, or two with one seed: neither are seeds of one row."""
    for setting, group in _by_setting(entrants).items():
        known = [one for one in group if one.fields is not None]
        for one in known[1:]:
            if field := _first_difference(known[0].fields or {}, one.fields or {}):
                values = " and ".join(written_field(two.fields or {}, field) for two in (known[0], one))
                raise StackcError(
                    f"{setting!r} is the label of different stacks, {known[0].folder} and {one.folder}: {field} is "
                    f"{values}; give their arms different names"
                )
        seeds: dict[int, Entrant] = {}
        for one in group:
            if (other := seeds.setdefault(one.seed, one)) is not one:
                raise StackcError(
                    f"{setting!r}: {other.folder} and {one.folder} have the same recipe and seed {one.seed}; "
                    "name one of them"
                )


def _check_runs(entrants: list[Entrant]) -> None:
    """Refuse a run that is there twice: it would count as two seeds, or be compared with itself."""
    seen: dict[str | Path, Entrant] = {}
    for one in entrants:
        keys: list[str | Path] = [one.folder.resolve(), *([one.run] if one.run else [])]
        for key in keys:
            if (other := seen.setdefault(key, one)) is not one:
                raise StackcError(
                    f"{one.folder}: this run is in {other.source} too, and would count twice; name one of them, or "
                    "single stacks"
                )


def _by_setting(entrants: list[Entrant]) -> dict[str, list[Entrant]]:
    found: dict[str, list[Entrant]] = {}
    for one in entrants:
        found.setdefault(one.setting, []).append(one)
    return found


def _differ(group: list[Entrant]) -> bool:
    """Whether stacks of one label come from several sweeps, and are not known to be of one recipe and one text."""
    known: dict[Path, Any] = {}
    for one in group:
        if known.get(one.source) is None:
            known[one.source] = None if one.fields is None else (one.fields, one.text)
    recipes = list(known.values())
    return len(recipes) > 1 and (None in recipes or any(recipe != recipes[0] for recipe in recipes))


def _first_difference(own: dict[str, Any], other: dict[str, Any]) -> str | None:
    return next((key for key in {**own, **other} if own.get(key, "-") != other.get(key, "-")), None)
