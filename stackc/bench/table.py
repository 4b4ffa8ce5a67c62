"""The table of a benchmark."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from stackc.api.messages import amount, literal, wide

WIDE = 116
"""Columns from which range and processor time are printed next to the median, not below it."""

HEADINGS = {
    True: (
        "bytes/\ntoken", "bits/\nbyte", "encode\nMB/s", "cpu\nns/B", "stack\nx", "decode\nMB/s", "cpu\nns/B",
        "stack\nx", "start\ns", "peak\nMB",
    ),
    False: (
        "bytes/\ntoken", "bits/\nbyte", "encode\nMB/s,\ncpu ns/B", "stack\nx", "decode\nMB/s,\ncpu ns/B", "stack\nx",
        "start\ns", "peak\nMB",
    ),
}  # fmt: skip
"""Of the wide table, and of the narrow one."""

SIZES = ("bytes\ncoded", "cold\nbytes", "cold\nbits/byte", "primed\nbytes", "primed\nbits/byte")

SPEEDS = (
    "cold\nMB/s", "cpu\nns/B", "stack\nx", "warm\nMB/s", "cpu\nns/B", "stack\nx", "cold\nMtok/s", "warm\nMtok/s",
    "decode\nMtok/s",
)  # fmt: skip

COLD = (
    "Encoding cold: the file for the first time in a new process, which has coded one sentence; warm: the file again. "
    "A tokenizer that remembers words, or whose tables come from memory, is faster warm. Medians; Mtok/s: 10^6 tokens "
    "per second."
)

NOTE = (
    "Medians (lowest..highest). MB/s: 10^6 bytes of the file per second. cpu: processor seconds, of all threads and "
    "subprocesses, in 10^-9 s per byte. stack x: how many times as fast as that row the stack is on one thread. "
    "bits/byte: a token counts as log2 of the vocabulary; the size of the stack, or of a "
    "trained peer, is not counted. start: from starting Python ({interpreter:.2f} s by itself) to the first tokens. "
    "peak: memory of a process that encodes and decodes the file once."
)

PRIMED = (
    "Sizes cold, and primed by {file} ({amount}): by how many bytes the compressed primer grows if the file is coded "
    "behind it. Each compressor looks back as far as it does by itself; only kanzi and zpaq are given blocks that hold "
    "both."
)


def print_benchmark(figures: dict[str, Any], console: Console | None = None) -> None:
    """Print the figures of `stackc.bench.benchmark`."""
    console = wide(console)
    for line in _heading(figures):
        console.print(literal(line))
    console.print()
    console.print(_table(figures, wide=console.width >= WIDE))
    console.print(literal(NOTE.format(interpreter=figures["interpreter_s"])))
    console.print()
    console.print(_speeds(figures, wide=console.width >= WIDE))
    console.print(literal(COLD))
    if (primer := figures["primer"]) is not None:
        console.print()
        console.print(_sizes(figures))
        console.print(literal(PRIMED.format(file=primer["file"], amount=amount(primer["bytes"], "byte"))))
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
    lines.insert(1, _seen(figures["text"]))
    if trained is not None:
        lines.append(
            f"tokenizers trained on {trained['bytes'] / 1e6:.1f} MB of the stack's {trained['of'] / 1e6:.1f} MB of "
            "training text"
        )
    return lines


def _seen(text: dict[str, Any]) -> str:
    """What the text is, and whether the stack and the tokenizers know it."""
    what = "the stack's own test text" if text["own"] else "a file"
    where = "the training text of the stack and of the tokenizers"
    if text["known"] is None:
        return f"text: {what}; not searched for in {where}, which is not here or too long"
    if text["known"]:
        known = f"{where} has {text['known']} of {amount(text['passages'], 'passage')} of it"
        return f"text: {what}, NOT HELD OUT: {known}; their figures are too good"
    return f"text: {what}, held out: none of {amount(text['passages'], 'passage')} of it occurs in {where}"


def _table(figures: dict[str, Any], wide: bool) -> Table:
    rows = [_cells(row, wide) for row in figures["rows"] if row["skipped"] is None]
    return _filled(HEADINGS[wide], rows, wide)


def _speeds(figures: dict[str, Any], wide: bool) -> Table:
    """The stack and the tokenizers, cold and warm."""
    rows = [row for row in figures["rows"] if row["tokens"] is not None]
    return _filled(SPEEDS, [_speed_cells(row, wide) for row in rows], wide)


def _sizes(figures: dict[str, Any]) -> Table:
    """The compressors, cold and primed."""
    rows = [row for row in figures["rows"] if row["compressed_bytes"] is not None]
    return _filled(SIZES, [_size_cells(row) for row in rows], wide=True)


def _filled(headings: Sequence[str], rows: list[list[str]], wide: bool) -> Table:
    gap = (0, 1) if wide else (0, 1, 0, 0)
    table = Table(box=None, pad_edge=False, padding=gap)
    table.add_column("", overflow="fold")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*map(literal, row))
    return table


def _cells(row: dict[str, Any], wide: bool) -> list[str]:
    return [
        _name(row, wide),
        _cell(row["bytes_per_token"], lambda value: f"{value:.3f}"),
        f"{row['bits_per_byte']:.3f}",
        *_step(row, "encode", wide),
        _cell(row["ratio_encode"], _three),
        *_step(row, "decode", wide),
        _cell(row["ratio_decode"], _three),
        f"{row['startup_s']['median']:.2f}",
        f"{row['peak_mb']:,.0f}",
    ]


def _name(row: dict[str, Any], wide: bool) -> str:
    name: str = row["name"] if wide else row["name"].replace(", ", "\n")
    return name if row["restored"] else f"{name} !"


def _speed_cells(row: dict[str, Any], wide: bool) -> list[str]:
    """Speeds and processor times of the first pass and of later ones, then tokens per second."""
    cells = [_name(row, wide)]
    for step in ("cold", "encode"):
        cells += [_three(row[f"{step}_mb_s"]["median"]), _processor(row, step), _cell(row[f"ratio_{step}"], _three)]
    return cells + [_three(row[f"{step}_tokens_per_s"]["median"] / 1e6) for step in ("cold", "encode", "decode")]


def _size_cells(row: dict[str, Any]) -> list[str]:
    return [
        row["name"],
        f"{row['coded_bytes']:,}",
        f"{row['compressed_bytes']:,}",
        f"{row['bits_per_byte']:.3f}",
        _cell(row["primed_bytes"], lambda value: f"{value:,}"),
        _cell(row["primed_bits_per_byte"], lambda value: f"{value:.3f}"),
    ]


def _step(row: dict[str, Any], step: str, wide: bool) -> list[str]:
    """Speed, and processor time in nanoseconds per byte: two cells, or one."""
    speed, processor = row[f"{step}_mb_s"], _processor(row, step)
    middle, lowest, highest = (_three(speed[key]) for key in ("median", "min", "max"))
    if wide:
        return [f"{middle} ({lowest}..{highest})", processor]
    return [f"{middle}\n{lowest}..{highest}\n{processor} ns/B"]


def _processor(row: dict[str, Any], step: str) -> str:
    """Processor time in nanoseconds per byte."""
    return _three(row[f"{step}_cpu_s"]["median"] / row["coded_bytes"] * 1e9)


def _remarks(row: dict[str, Any]) -> list[str]:
    if row["skipped"] is not None:
        return [f"skipped, {row['skipped']}"]
    lossy = [] if row["restored"] else ["NOT RESTORED: the decoded text differs from the file"]
    return lossy + ([row["note"]] if row["note"] else [])


def _three(value: float) -> str:
    """Three significant digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _cell(value: float | None, form: Callable[[float], str]) -> str:
    return "-" if value is None else form(value)
