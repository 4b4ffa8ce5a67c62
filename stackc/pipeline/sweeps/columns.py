"""The columns of a sweep's table, for CSV, Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from stackc.pipeline.sweeps.expand import short_names, written_value

Column = tuple[str, str]
"""Heading and format."""

FIGURES: dict[str, Column] = {
    "bits_per_byte": ("bits/byte", ".4f"),
    "unigram_bits_per_byte": ("unigram bits/byte", ".4f"),
    "bytes_per_token": ("bytes/token", ".3f"),
    "parameters": ("parameters", ",d"),
    "train_operations": ("training operations", ".3e"),
    "top_train_operations": ("of the top model", ".3e"),
    "operations_per_byte": ("operations/byte", ",.0f"),
    "softmax_operations_per_byte": ("of softmax", ",.0f"),
    "below_operations_per_byte": ("of levels below", ",.0f"),
    "bytes_seen": ("bytes seen", ",d"),
    "seconds": ("seconds", ",.1f"),
    "peak_memory_mb": ("peak MB", ",.0f"),
}
"""Headings and formats of the figures of a row, in the order of the table."""

EXACT = ("name", "tokens")
"""Fields of levels that are not columns."""


def are_figures(value: Any) -> bool:
    """Whether it is what a row of a finished run holds as its figures."""
    if not isinstance(value, dict) or not all(_is_shown(name, value.get(name, "")) for name in FIGURES):
        return False
    levels, others = value.get("levels", []), (value.get("versions", {}), value.get("text", {}))
    named = isinstance(levels, list) and all(
        isinstance(level, dict) and isinstance(level.get("name"), str) for level in levels
    )
    return named and all(isinstance(one, dict) for one in others)


def _is_shown(name: str, value: Any) -> bool:
    """Whether the column `name` can show it."""
    kinds = int if FIGURES[name][1].endswith("d") else int | float
    return value is None or (isinstance(value, kinds) and not isinstance(value, bool) and abs(value) < 1e300)


def cells(row: dict[str, Any], axes: Iterable[str], figures: Iterable[str] = tuple(FIGURES)) -> list[str]:
    """A row as people read it. Headings: `headings`.

    Args:
        figures: the names of some of `FIGURES`.
    """
    found = [row["arm"], *(row["values"].get(axis, "") for axis in axes), str(row["seed"])]
    names = list(figures)
    if row["status"] != "done":
        reason = next(iter(row["reason"].splitlines()), "")  # it may be empty
        return [*found, f"{row['status']}: {reason}", *[""] * (len(names) - 1)]
    values = row["figures"]
    return [*found, *("-" if values[name] is None else format(values[name], FIGURES[name][1]) for name in names)]


def headings(axes: Iterable[str], figures: Iterable[str] = tuple(FIGURES)) -> list[str]:
    """The headings of `cells`."""
    return ["arm", *short_names(axes).values(), "seed", *(FIGURES[name][0] for name in figures)]


def csv_table(rows: list[dict[str, Any]], axes: tuple[str, ...]) -> list[list[str]]:
    """Everything of the rows with full precision, the headings first: for other programs."""
    levels = _level_columns(rows)
    names = ["run", "status", "arm", *axes, "seed", *FIGURES, "train_seconds", "split", "text_sha256", "device"]
    versions = sorted({name for row in rows for name in row.get("figures", {}).get("versions", {})})
    table = [
        [*names, *(f"{name}.{field}" for name, field in levels), *(f"version.{one}" for one in versions), "reason"]
    ]
    for row in rows:
        figures = row.get("figures", {})
        by_name = {level["name"]: level for level in figures.get("levels", [])}
        table.append(
            [
                *(_plain(row[key]) for key in ("run", "status", "arm")),
                *(row["values"].get(axis, "") for axis in axes),
                _plain(row["seed"]),
                *(_plain(figures.get(name)) for name in (*FIGURES, "train_seconds", "split")),
                _plain(figures.get("text", {}).get("symbols")),
                _plain(figures.get("device")),
                *(_plain(by_name.get(name, {}).get(field)) for name, field in levels),
                *(_plain(figures.get("versions", {}).get(one)) for one in versions),
                row.get("reason", ""),
            ]
        )
    return table


def _level_columns(rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """(name, field) of all figures of all levels."""
    found: dict[tuple[str, str], None] = {}
    for row in rows:
        for level in row.get("figures", {}).get("levels", []):
            found |= {(level["name"], field): None for field in level if field not in EXACT}
    return sorted(found, key=lambda one: one[0])


def _plain(value: Any) -> str:
    return "" if value is None else written_value(value) if isinstance(value, list | dict) else str(value)
