"""The table of a benchmark."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.table import Table

from stackc.api.messages import amount, literal
from stackc.report.table import wide

WIDE = 116
"""Columns from which the range is printed next to the median, not below it."""

HEADINGS = (
    "bytes/\ntoken", "bits/\nbyte", "encode\nMB/s", "stack\nx", "decode\nMB/s", "stack\nx", "start\ns", "peak\nMB",
)  # fmt: skip

NOTE = (
    "Medians (lowest..highest). MB/s: 10^6 bytes of the file per second. stack x: how many times as fast as that row "
    "the stack is on one thread. bits/byte: a token counts as log2 of the vocabulary; the size of the stack, or of a "
    "trained peer, is not counted. start: from starting Python ({interpreter:.2f} s by itself) to the first tokens. "
    "peak: memory of a process that encodes and decodes the file once."
)


def print_benchmark(figures: dict[str, Any], console: Console | None = None) -> None:
    """Print the figures of `stackc.bench.benchmark`."""
    console = wide(console)
    for line in _heading(figures):
        console.print(literal(line))
    console.print()
    console.print(_table(figures, wide=console.width >= WIDE))
    console.print(literal(NOTE.format(interpreter=figures["interpreter_s"])))
    for row in figures["rows"]:
        for remark in _remarks(row):
            console.print(literal(f"{row['name']}: {remark}"))


def _heading(figures: dict[str, Any]) -> list[str]:
    here, trained = figures["machine"], figures["training"]
    packages = ", ".join(f"{name} {one}" for name, one in here["packages"].items())
    what = f"{figures['level']} of {figures['stack']}" if figures["level"] else figures["stack"]
    lines = [
        f"{what}, vocabulary {figures['vocabulary']:,}, on {figures['file']} ({amount(figures['bytes'], 'byte')}); "
        f"interleaved rounds: {figures['repeats']}",
        f"{here['cpu']}, {amount(here['cores'], 'core')}, {here['system']}, Python {here['python']}, {packages}",
    ]
    if trained is not None:
        lines.append(
            f"tokenizers trained on {trained['bytes'] / 1e6:.1f} MB of the stack's {trained['of'] / 1e6:.1f} MB of "
            "training text"
        )
    return lines


def _table(figures: dict[str, Any], wide: bool) -> Table:
    gap = (0, 1) if wide else (0, 1, 0, 0)
    table = Table(box=None, pad_edge=False, padding=gap)
    table.add_column("", overflow="fold")
    for heading in HEADINGS:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in figures["rows"]:
        if row["skipped"] is None:
            table.add_row(*map(literal, _cells(row, wide)))
    return table


def _cells(row: dict[str, Any], wide: bool) -> list[str]:
    name = row["name"] if wide else row["name"].replace(", ", "\n")
    return [
        name if row["restored"] else f"{name} !",
        _cell(row["bytes_per_token"], lambda value: f"{value:.3f}"),
        f"{row['bits_per_byte']:.3f}",
        _spread(row["encode_mb_s"], wide),
        _cell(row["ratio_encode"], _three),
        _spread(row["decode_mb_s"], wide),
        _cell(row["ratio_decode"], _three),
        f"{row['startup_s']['median']:.2f}",
        f"{row['peak_mb']:,.0f}",
    ]


def _remarks(row: dict[str, Any]) -> list[str]:
    if row["skipped"] is not None:
        return [f"skipped, {row['skipped']}"]
    lossy = [] if row["restored"] else ["NOT RESTORED: the decoded text differs from the file"]
    return lossy + ([row["note"]] if row["note"] else [])


def _spread(values: dict[str, float], wide: bool) -> str:
    lowest, highest = _three(values["min"]), _three(values["max"])
    return f"{_three(values['median'])}" + (f" ({lowest}..{highest})" if wide else f"\n{lowest}..{highest}")


def _three(value: float) -> str:
    """Three significant digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _cell(value: float | None, form: Callable[[float], str]) -> str:
    return "-" if value is None else form(value)
