"""The page of a sweep: its table, the differences of its arms, and its plots."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stackc.api.errors import StackcError
from stackc.pipeline.sweeps.columns import FIGURES, cells, headings
from stackc.pipeline.sweeps.folder import SweepFolder
from stackc.report.compare import compare
from stackc.report.comparison_page import TextTable, tables_page
from stackc.report.comparison_tables import tables_of
from stackc.report.curves import curves_of
from stackc.report.entrants import entrants_of
from stackc.report.plots import Plot
from stackc.report.table import best_of

NOTE = (
    "Bits per byte of the top model on held-out text. Operations include those of softmax and of the levels below that "
    "must run, which are also given apart. Seconds and memory are those of the processes that finished its stages."
)


def sweep_page(folder: Path) -> tuple[str, list[Plot], list[str]]:
    """The page, its plots, and a line for everything that was left out.

    Raises:
        StackcError: no run is finished.
    """
    place = SweepFolder(folder)
    left_out: list[str] = []
    rows, axes = place.rows(), place.axes
    entrants = entrants_of([folder])
    plots = curves_of(entrants)
    tables = [
        TextTable(
            title="Runs", headings=tuple(headings(axes)), rows=tuple(tuple(cells(row, axes)) for row in rows),
            note=NOTE, best=_best(rows, len(axes)),
        )
    ]  # fmt: skip
    try:
        found = compare(folder, by="arm" if len({one.arm for one in entrants}) > 1 else "setting")
        tables += tables_of(found)
        left_out += found.left_out
    except StackcError as error:
        left_out.append(f"no differences: {error}")
    left_out += _unfinished(rows)
    return tables_page(f"stackc sweep: {place.name}", tables, plots, entrants, left_out), plots, left_out


def _best(rows: list[dict[str, Any]], axes: int) -> tuple[str | None, ...]:
    """For each column of `cells` its best figure; none at all if the runs were measured on different texts."""
    done = [row["figures"] for row in rows if row["status"] == "done"]
    if len({(text.get("symbols"), text.get("bounds")) for one in done if (text := one.get("text", {}))}) > 1:
        return ()
    found = best_of(done, [(heading, name, form) for name, (heading, form) in FIGURES.items()])
    return (*(None,) * (axes + 2), *(found.get(name) for name in FIGURES))


def _unfinished(rows: list[dict[str, object]]) -> Iterator[str]:
    for row in rows:
        if row["status"] != "done":
            yield f"{row['label']}, seed {row['seed']}: {row['status']}, {row['reason']}"
