"""A page of tables and plots: of a comparison, or of a sweep. The style is that of the report page."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence

import attrs

from stackc.report.entrants import Entrant
from stackc.report.head import about_entrants, written_by
from stackc.report.page import document, figures
from stackc.report.plots import Plot
from stackc.report.table import BOLD


@attrs.frozen(kw_only=True)
class TextTable:
    """A table of texts.

    Attributes:
        title: above it.
        headings, rows: as long as each other.
        note: below it; may be empty.
        best: for each column, the text that is its best figure, which a page shows in bold; None without one. Empty:
            none anywhere.
    """

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    best: tuple[str | None, ...] = ()


def tables_page(
    title: str, tables: Sequence[TextTable], plots: Sequence[Plot], entrants: Sequence[Entrant],
    left_out: Sequence[str] = (),
) -> str:  # fmt: skip
    """The whole document.

    Args:
        entrants: the stacks, for the head of the page.
        left_out: a line for everything that cannot be shown.
    """
    return document(title, "".join(_body(title, tables, plots, entrants, left_out)))


def _body(
    title: str, tables: Sequence[TextTable], plots: Sequence[Plot], entrants: Sequence[Entrant], left_out: Sequence[str]
) -> Iterator[str]:
    links = [("about", "Stacks"), *((f"table-{number}", one.title) for number, one in enumerate(tables, 1))]
    links += [("comparison", "Bits per byte, by operations")] if plots else []
    yield f"<header><h1>{_text(title)}</h1>{written_by()}<nav>"
    yield "".join(f'<a href="#{anchor}">{_text(heading)}</a>' for anchor, heading in links)
    yield "</nav></header><main>"
    yield f'<section id="about"><h2>Stacks</h2>{about_entrants(entrants)}</section>'
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
    best = one.best or (None,) * len(one.headings)
    rows = "".join(
        f'<tr><th scope="row">{_text(row[0])}</th>'
        + "".join(_cell(cell, good) for cell, good in zip(row[1:], best[1:], strict=True))
        + "</tr>"
        for row in one.rows
    )
    told = " ".join([*([one.note] if one.note else []), *([BOLD] if any(best) else [])])
    note = f'<p class="note">{_text(told)}</p>' if told else ""
    return (
        f'<div class="wide" tabindex="0" role="group" aria-label="{_text(one.title)}; scrolls sideways">'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>{note}"
    )


def _cell(cell: str, best: str | None) -> str:
    return f"<td><strong>{_text(cell)}</strong></td>" if cell == best else f"<td>{_text(cell)}</td>"


def _text(text: str) -> str:
    """Escaped; invisible characters become blanks."""
    return html.escape("".join(char if char.isprintable() else " " for char in text))
