"""The table of a sweep on a terminal."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from stackc.api.messages import amount, literal, wide
from stackc.pipeline.sweeps.columns import cells, headings
from stackc.pipeline.sweeps.folder import SweepFolder

SHOWN = (
    "bits_per_byte", "unigram_bits_per_byte", "bytes_per_token", "parameters", "train_operations",
    "operations_per_byte", "seconds", "peak_memory_mb",
)  # fmt: skip
"""Figures that a terminal has room for; the files have all of them."""


def print_sweep(folder: Path, console: Console | None = None) -> None:
    """Print the table of a sweep's folder, and the runs that failed."""
    console, place = wide(console), SweepFolder(folder)
    rows, axes = place.rows(), place.axes
    table = Table(box=None, pad_edge=False)
    for number, heading in enumerate(headings(axes, SHOWN)):
        text = literal(heading.replace(" ", "\n").replace("/", "/\n"))
        left = number <= len(axes)
        table.add_column(text, justify="left" if left else "right", vertical="bottom", no_wrap=not left)
    for row in rows:
        if row["status"] == "done":
            table.add_row(*map(literal, cells(row, axes, SHOWN)))
    console.print(table)
    failed = [row for row in rows if row["status"] != "done"]
    for row in failed:
        console.print(literal(f"{row['label']}, seed {row['seed']}: {row['status']}, {row['reason']}"), soft_wrap=True)
    told = f"{folder}: {amount(len(rows), 'run')}, {len(failed)} not done; all figures: table.jsonl, .csv, .md, .tex"
    console.print(literal(told), soft_wrap=True)
