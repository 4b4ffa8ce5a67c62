"""A page of tables and plots: of a comparison, or of a sweep. The style is that of the report page."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence

import attrs

from stackc.report.page import document, figures
from stackc.report.plots import Plot


@attrs.frozen(kw_only=True)
class TextTable:
    """A table of texts.

    Attributes:
        title: above it.
        headings, rows: as long as each other.
        note: below it; may be empty.
    """

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def tables_page(title: str, tables: Sequence[TextTable], plots: Sequence[Plot], left_out: Sequence[str] = ()) -> str:
    """The whole document.

    Args:
        left_out: a line for everything that cannot be shown.
    """
    return document(title, "".join(_body(title, tables, plots, left_out)))


def _body(title: str, tables: Sequence[TextTable], plots: Sequence[Plot], left_out: Sequence[str]) -> Iterator[str]:
    links = [(f"table-{number}", one.title) for number, one in enumerate(tables, 1)]
    links += [("comparison", "Bits per byte, by operations")] if plots else []
    yield f"<header><h1>{_text(title)}</h1><nav>"
    yield "".join(f'<a href="#{anchor}">{_text(heading)}</a>' for anchor, heading in links)
    yield "</nav></header><main>"
    for number, one in enumerate(tables, 1):
        yield f'<section id="table-{number}"><h2>{_text(one.title)}</h2>{_table(one)}</section>'
    if plots:
        yield '<section id="comparison"><h2>Bits per byte, by operations</h2><div class="grid comparison">'
        yield f"{figures(plots)}</div></section>"
    if left_out:
        lines = "".join(f"<li>{_text(line)}</li>" for line in left_out)
        yield f'<section id="missing"><h2>Left out</h2><ul class="note">{lines}</ul></section>'
    yield "</main>"


def _table(one: TextTable) -> str:
    heads = "".join(f'<th scope="col">{_text(heading)}</th>' for heading in one.headings)
    rows = "".join(
        f'<tr><th scope="row">{_text(row[0])}</th>' + "".join(f"<td>{_text(cell)}</td>" for cell in row[1:]) + "</tr>"
        for row in one.rows
    )
    note = f'<p class="note">{_text(one.note)}</p>' if one.note else ""
    return (
        f'<div class="wide" tabindex="0" role="group" aria-label="{_text(one.title)}; scrolls sideways">'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>{note}"
    )


def _text(text: str) -> str:
    """Escaped; invisible characters become blanks."""
    return html.escape("".join(char if char.isprintable() else " " for char in text))
