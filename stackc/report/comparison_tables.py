"""The tables of a comparison: on a terminal, and as Markdown, CSV and LaTeX."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

from stackc.api.errors import StackcError
from stackc.api.messages import amount, literal, shown, wide
from stackc.pipeline.sweeps.written import as_csv, as_latex, as_markdown, markdown, markdown_paragraph
from stackc.report.compare import Compared, Comparison, Section
from stackc.report.comparison_page import TextTable, tables_page
from stackc.report.curves import curves_of
from stackc.report.interval import FEW_UNITS, LEVEL, RESAMPLES
from stackc.report.table import best_of

HEADINGS = (
    "", "seeds", "bits/byte", "sd", "difference", "95 % interval", "relative", "bytes/token", "training ops",
    "ops/byte",
)  # fmt: skip

FOLDED, GAP = 12, 2
"""Characters of a name on one line of a terminal, at least, and between columns."""

NOTE = (
    "Bits per byte of the top model, mean over seeds. Difference: to the first row; negative needs fewer bits. "
    "Interval: paired bootstrap over {units} of the test text, {resamples:,} resamples, of the mean over seeds: it "
    "does not cover other seeds, whose standard deviation is sd."
)


def tables_of(comparison: Comparison) -> Iterator[TextTable]:
    """The fields that differ, then the differences."""
    if comparison.differing:
        rows = tuple(
            (field, *(values.get(name, "-") for name in comparison.settings))
            for field, values in comparison.differing.items()
        )
        yield TextTable(title="What differs", headings=("field", *comparison.settings), rows=rows)
    for section in comparison.sections:
        where = f" at {section.point}" if section.point else ""
        yield TextTable(
            title=f"Compared with {section.baseline}{where}, on {comparison.source_bytes:,} bytes of text",
            headings=HEADINGS,
            rows=tuple(map(_cells, section.rows)),
            note=_note(section),
            best=_best(section),
        )


def _best(section: Section) -> tuple[str | None, ...]:
    """For each column its best figure, as `_cells` writes it. Differences have none: the baseline has no difference."""
    figures = {"bits/byte": ("bits_per_byte", ".4f"), "bytes/token": ("bytes_per_token", ".3f")}
    columns = [(heading, *figures.get(heading, ("", ""))) for heading in HEADINGS]
    found = best_of([{**row.figures, "bits_per_byte": row.mean} for row in section.rows], columns)
    return tuple(found.get(field) for _, field, _ in columns)


def _note(section: Section) -> str:
    same = _seedless(section)
    if section.unit is None:
        none = "No bits by block were kept, so there is no interval; --recompute measures the stacks again."
        return " ".join([none, *same])
    kind, _, size = section.unit.partition(" ")
    units = f"{amount(section.units, kind)} {size}".rstrip()
    notes = [*(f"{row.name}: {row.note}." for row in section.rows if row.note), *same]
    if section.units < FEW_UNITS:
        few = f"The test text has {units}, too few for an interval: {FEW_UNITS} are needed."
        return " ".join([NOTE.partition(" Interval")[0], few, *notes])
    return " ".join([NOTE.format(units=units, resamples=RESAMPLES), *notes])


def _seedless(section: Section) -> list[str]:
    """A sentence on the rows that no seed changes; none if there are no such rows."""
    names = [row.name for row in section.rows if row.seedless]
    listed = "All rows" if len(names) == len(section.rows) else "; ".join(names)
    return [f"{listed}: all seeds give the same bits, so the seed changes nothing there."] if names else []


def _cells(row: Compared) -> tuple[str, ...]:
    found = row.difference
    whole = found is not None and found.low is not None
    return (
        row.name,
        str(len(row.seeds)),
        f"{row.mean:.4f}",
        "" if row.spread is None else f"{row.spread:.4f}",
        "" if found is None else f"{found.mean:+.4f}",
        f"{found.low:+.4f}..{found.high:+.4f}" if found is not None and whole else "",
        "" if found is None else f"{found.relative:+.2%}",
        _short(row.figures["bytes_per_token"], ".3f"),
        _short(row.figures["train_operations"], ".3g"),
        _short(row.figures["operations_per_byte"], ",.0f"),
    )


def _short(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def print_comparison(comparison: Comparison, console: Console | None = None) -> None:
    """Print the tables on a terminal."""
    console = wide(console)
    for one in tables_of(comparison):
        for number, columns in enumerate(_parts(one, console.width)):
            title = None if number else literal(one.title)
            table = Table(title=title, title_justify="left", box=None, pad_edge=False)
            for column in columns:
                figure, whole = bool(column) and one.headings == HEADINGS, _is_whole(one, column)
                table.add_column(
                    literal(one.headings[column]), justify="right" if figure else "left", no_wrap=whole,
                    overflow="ellipsis" if whole else "fold",
                )  # fmt: skip
            for row in one.rows:
                table.add_row(*(literal(row[column]) for column in columns))
            console.print(table)
        if one.note:
            console.print(literal(one.note), soft_wrap=True)
        console.print()
    for line in comparison.left_out:
        console.print(literal(line), soft_wrap=True)


def _is_whole(one: TextTable, column: int) -> bool:
    """Whether a column's cells are on one line: figures, and fields, whose addresses often differ in their ends."""
    return bool(column) if one.headings == HEADINGS else not column


def _parts(one: TextTable, room: int) -> Iterator[list[int]]:
    """The columns of a table in parts that a terminal has room for; the first column is in each of them."""
    widths = []
    for column in range(len(one.headings)):
        longest = max(cell_len(shown(line[column])) for line in (one.headings, *one.rows))
        widths.append(longest if _is_whole(one, column) else min(longest, FOLDED))
    part, used = [0], widths[0]
    for column, width in enumerate(widths[1:], 1):
        if len(part) > 1 and used + GAP + width > room:
            yield part
            part, used = [0], widths[0]
        part.append(column)
        used += GAP + width
    yield part


def written(comparison: Comparison, path: Path) -> str:
    """The comparison in the format of a file's suffix. Raises `StackcError` for an unknown suffix."""
    check_format(path)
    return FORMATS[path.suffix](comparison)


def check_format(path: Path) -> None:
    """Raise `StackcError` for a suffix that is not one of `FORMATS`."""
    if path.suffix not in FORMATS:
        raise StackcError(f"{path}: unknown format; name a file that ends in {', '.join(FORMATS)}")


def _markdown(comparison: Comparison) -> str:
    return "\n".join(
        f"**{markdown(one.title)}**\n\n{as_markdown(one.headings, one.rows)}"
        + (f"\n{markdown_paragraph(one.note)}\n" if one.note else "")
        for one in tables_of(comparison)
    ) + "".join(f"\n{markdown_paragraph(line)}.\n" for line in comparison.left_out)


def _latex(comparison: Comparison) -> str:
    return "\n".join(
        f"{_comment(one.title)}{as_latex(one.headings, one.rows)}" + (_comment(one.note) if one.note else "")
        for one in tables_of(comparison)
    ) + "".join(_comment(f"{line}.") for line in comparison.left_out)


def _comment(text: str) -> str:
    """A comment in LaTeX; a name of an arm may have several lines."""
    return f"% {' '.join(text.split())}\n"


def _csv(comparison: Comparison) -> str:
    """One line per row of every section, with full precision."""
    names = [
        "point", "baseline", "name", "seeds", "bits_per_byte", "spread", "least", "most", "difference", "low", "high",
        "relative", "relative_low", "relative_high", "unit", "units",
    ]  # fmt: skip
    first = next((row for section in comparison.sections for row in section.rows), None)
    figures = [] if first is None else list(first.figures)
    lines = [[*names, *figures]]
    for section in comparison.sections:
        for row in section.rows:
            gap = [None] * 6 if row.difference is None else list(attrs.astuple(row.difference))
            seeds = " ".join(map(str, row.seeds))
            values = [
                section.point, section.baseline, row.name, seeds, row.mean, row.spread, row.least, row.most, *gap,
                section.unit, section.units, *(row.figures[name] for name in figures),
            ]  # fmt: skip
            lines.append(["" if value is None else str(value) for value in values])
    return as_csv(lines)


def _json(comparison: Comparison) -> str:
    return json.dumps({**comparison.to_dict(), "level": LEVEL, "resamples": RESAMPLES}, indent=1) + "\n"


def _page(comparison: Comparison) -> str:
    tables, plots = list(tables_of(comparison)), curves_of(comparison.entrants)
    return tables_page("stackc compare", tables, plots, comparison.entrants, comparison.left_out)


FORMATS: dict[str, Callable[[Comparison], str]] = {
    ".md": _markdown,
    ".csv": _csv,
    ".tex": _latex,
    ".json": _json,
    ".html": _page,
}
"""By the suffixes of files."""
