"""The page: one self-contained HTML document. Names and texts are not trusted; all of them are escaped."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from typing import Any

from stackc.api.messages import amount
from stackc.report.assets import SCRIPT, style
from stackc.report.browser import SHADES, browser, groups_of, switches
from stackc.report.comparable import measured_apart, measured_on
from stackc.report.facts import Facts
from stackc.report.head import about, written_by
from stackc.report.plots import Plot
from stackc.report.svg import legend, svg
from stackc.report.table import BOLD, COLUMNS, LEARNABILITY, LEARNABILITY_NOTE, NOTE, best_of, learnable, positions

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)
"""Forbids the browser to load anything."""

SECTIONS = (
    ("bits-by", "comparison", "Bits per byte, by size and by work"),
    ("learning", "learning", "Learning curves"),
    ("window-|positions-", "windows", "Windows"),
)
"""Prefixes of plot keys, anchor, heading."""


def html_page(facts: list[Facts], plots: list[Plot]) -> str:
    """The whole document."""
    title = "stackc report: " + ", ".join(fact.label for fact in facts)
    return document(title, "".join(_sections(facts, plots)), switches(facts))


def document(title: str, body: str, more_style: str = "") -> str:
    """A whole document with the style and the script of all pages; `body` is HTML, `more_style` rules of this page."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{_text(title)}</title>\n<style>{style()}{more_style}</style>\n</head>\n<body>\n"
        f'{body}\n<output id="told" aria-live="polite"></output>\n<script>{SCRIPT}</script>\n</body>\n</html>\n'
    )


def _sections(facts: list[Facts], plots: list[Plot]) -> Iterator[str]:
    groups = [(anchor, heading, _figures(plots, starts)) for starts, anchor, heading in SECTIONS]
    groups_of_text = groups_of(facts)
    learnability = _learnability(facts)
    links = [("about", "Stacks"), ("figures", "Figures"), *([("learnability", "Learnability")] if learnability else [])]
    links += [*((a, h) for a, h, found in groups if found)]
    links += [("text", "Text in tokens")] if groups_of_text else []
    yield f"<header><h1>{_text(' · '.join(fact.label for fact in facts))}</h1>{written_by()}"
    yield "<nav>" + "".join(f'<a href="#{anchor}">{heading}</a>' for anchor, heading in links) + "</nav></header><main>"
    yield f'<section id="about"><h2>{"Stacks" if len(facts) > 1 else "The stack"}</h2>{about(facts)}</section>'
    yield f'<section id="figures"><h2>Figures of held-out text</h2>{_table(facts)}</section>'
    if learnability:
        yield f'<section id="learnability"><h2>What the tokens offer to a model</h2>{learnability}</section>'
    for anchor, heading, found in groups:
        if found:
            yield f'<section id="{anchor}"><h2>{heading}</h2><div class="grid {anchor}">{found}</div></section>'
    if groups_of_text:
        yield '<section id="text"><h2>Text cut into tokens</h2>' + _explained()
        for group in groups_of_text:
            labels = " · ".join(facts[number].label for number in group)
            heading = f'{_text(labels)} <span class="note">{_text(facts[group[0]].split)}</span>'
            yield f"<h3>{heading}</h3>{browser(facts, group)}"
        yield "</section>"
    lines = [f"<li>{_text(fact.label)}: {_text(line)}</li>" for fact in facts for line in fact.missing]
    if lines:
        yield f'<section id="missing"><h2>Left out</h2><ul class="note">{"".join(lines)}</ul></section>'
    yield "</main>"


def _explained() -> str:
    scale = "".join(
        f'<span class="h{i}">{i}{f" to {i + 1}" if i < SHADES - 1 else " or more"}</span> ' for i in range(SHADES)
    )
    return (
        '<p class="note">Point at a window, tap it, or move between windows with the arrow keys to see its text, code '
        "and bits. ↵ is the end of a line, where a window may go to the next one; \\xNN is a byte that is not a whole "
        "UTF-8 character within its window. "
        f'<span class="scale">Bits per byte: {scale}</span></p>'
    )


def _table(facts: list[Facts]) -> str:
    """The figures of all stacks, in the columns of the command line's table."""
    warning = ""
    if apart := measured_apart(facts):
        warning = f'<p class="warning">{_text(apart)} <span class="note">{_text(measured_on(facts))}</span></p>'
    told = [(fact.label, _summary(fact), fact.evaluation["levels"] if fact.evaluation else []) for fact in facts]
    return warning + _grid(COLUMNS, told, "Figures", NOTE, compared=not apart)


def _learnability(facts: list[Facts]) -> str:
    """The second table of the command line, and a line for each model over windows of several tokens; "" without."""
    found = [(fact, fact.evaluation["levels"]) for fact in facts if fact.evaluation]
    told = [(fact.label, "", rows) for fact, levels in found if (rows := learnable(levels))]
    if not told:
        return ""
    lines = [f"<li>{_text(fact.label)}: {_text(line)}</li>" for fact, levels in found for line in positions(levels)]
    places = f'<ul class="note">{"".join(lines)}</ul>' if lines else ""
    compared = not measured_apart(facts)
    return _grid(LEARNABILITY, told, "Learnability", LEARNABILITY_NOTE, compared=compared) + places


def _grid(
    columns: list[tuple[str, str, str]], stacks: list[tuple[str, str, list[dict[str, Any]]]], label: str, note: str,
    *, compared: bool,
) -> str:  # fmt: skip
    """A table of stacks, each a label, a remark and rows; with the best figure of a column in bold if `compared`."""
    best = best_of([row for _, _, levels in stacks for row in levels], columns) if compared else {}
    if best:
        note = f"{note} {BOLD}"
    heads = "".join(f'<th scope="col">{_text(heading)}</th>' for heading, _, _ in columns)
    bodies = []
    for name, remark, levels in stacks:
        told = f'<span>{_text(name)} <span class="note">{_text(remark)}</span></span>'
        rows = [f'<tr class="stack"><th scope="rowgroup" colspan="{len(columns)}">{told}</th></tr>']
        for row in levels:
            cells = "".join(_cell(row.get(field), form, best.get(field)) for _, field, form in columns[1:])
            rows.append(f'<tr><th scope="row">{_text(row["name"])}</th>{cells}</tr>')
        bodies.append(f"<tbody>{''.join(rows)}</tbody>")
    return (
        f'<div class="wide" tabindex="0" role="group" aria-label="{label}; scrolls sideways">'
        f"<table><thead><tr>{heads}</tr></thead>{''.join(bodies)}</table></div>"
        f'<p class="note">{_text(note)}</p>'
    )


def _summary(fact: Facts) -> str:
    own = f"coding needs {amount(fact.coding_bytes, 'byte')} of files"
    if fact.evaluation is None:
        return f"no report; {own}"
    restored = "every level decoded back" if fact.evaluation.get("round_trip") is True else "NOT RESTORED"
    size, count = fact.evaluation["source_bytes"], fact.evaluation["documents"]
    return f"{amount(size, 'source byte')} in {amount(count, 'document')}, {restored}; {own}"


def _cell(value: Any, form: str, best: str | None) -> str:
    """A figure as the command line prints it, with its full value in `data-value`."""
    if value is None:
        return "<td>-</td>"
    written = format(value, form)
    told = f"<strong>{_text(written)}</strong>" if written == best else _text(written)
    return f'<td data-value="{value!r}">{told}</td>'


def _figures(plots: list[Plot], starts: str) -> str:
    return figures([plot for plot in plots if plot.key.startswith(tuple(starts.split("|")))])


def figures(plots: Sequence[Plot]) -> str:
    """Plots with their captions, legends and notes, as HTML."""
    return "".join(
        f'<figure id="{plot.key}"><figcaption>{_text(plot.title)}</figcaption>'
        + (f'<p class="warning">{_text(plot.warning)}</p>' if plot.warning else "")
        + _drawn(plot)
        + (f'<p class="note">{_text(plot.note)}</p>' if plot.note else "")
        + "</figure>"
        for plot in plots
    )


def _drawn(plot: Plot) -> str:
    """The plot; with a box to tick that shows its reference lines too, in axes that span them, if it has some."""
    plain = f'<div class="plot">{svg(plot.plain)}{legend(plot.plain)}</div>'
    if plot.plain == plot:
        return plain
    names = dict.fromkeys(one.label.rpartition(": ")[2] for one in plot.series if one.reference)
    return (
        f'<input type="checkbox" class="lines-on" id="{plot.key}-lines"><label for="{plot.key}-lines">'
        f"Reference lines: {_text(', '.join(names))}</label>{plain}"
        f'<div class="plot whole">{svg(plot)}{legend(plot)}</div>'
    )


def _text(text: str) -> str:
    """Escaped; invisible characters (controls, marks that change the direction of text) become blanks."""
    return html.escape("".join(char if char.isprintable() or char == "\n" else " " for char in text))
