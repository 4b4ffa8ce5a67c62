"""A table of texts as CSV, Markdown and LaTeX."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

Rows = Sequence[Sequence[str]]

_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}",
}  # fmt: skip

_MINUS = re.compile(r"(?:(?<![^\s=(\[,.])|(?<=\de))-(?=\.?\d)")
"""A hyphen that is the sign of a number or of its exponent; hyphens of names and dates stay."""


_MARKED = re.compile(r"[\\|<>&*`~\[\]]|_+")
"""What Markdown, its tables, or the HTML in it may interpret anywhere in a line."""


def as_csv(rows: Rows) -> str:
    """Comma-separated values, the headings first; quoted where needed (RFC 4180, but lines end in a line feed)."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def as_markdown(headings: Sequence[str], rows: Rows, left: int = 1) -> str:
    """A Markdown table; `left`: how many columns are aligned to the left."""
    marks = ["---" if i < left else "---:" for i in range(len(headings))]
    lines = [headings, marks, *rows]
    return "".join("| " + " | ".join(map(markdown, line)) + " |\n" for line in lines)


def as_latex(headings: Sequence[str], rows: Rows, left: int = 1) -> str:
    """A LaTeX tabular that needs no package; `left`: how many columns are aligned to the left."""
    align = "l" * left + "r" * (len(headings) - left)
    lines = [" & ".join(map(_latex, line)) + r" \\" for line in (headings, *rows)]
    body = "\n".join([lines[0], r"\hline", *lines[1:]])
    return f"\\begin{{tabular}}{{{align}}}\n\\hline\n{body}\n\\hline\n\\end{{tabular}}\n"


def markdown(text: str) -> str:
    """A text of any characters as one line that Markdown shows as it is. Numbers and usual names stay as they are."""
    line = " ".join(text.split())
    return _MARKED.sub(lambda found: _escaped(found, line), line)


def markdown_paragraph(text: str) -> str:
    """The same as one paragraph, whose beginning makes it neither a heading nor a list."""
    line = markdown(text)
    found = re.match(r"(?P<number>\d{1,9})[.)](?=\s|$)|[-+=#]", line)
    if found is None:
        return line
    at = found.end("number") if found["number"] else 0
    return f"{line[:at]}\\{line[at:]}"


def _escaped(found: re.Match[str], line: str) -> str:
    """The character after a backslash; underscores within a word mean nothing to Markdown."""
    marks, before, after = found[0], line[: found.start()][-1:], line[found.end() :][:1]
    within = marks[0] == "_" and before.isalnum() and after.isalnum()
    return marks if within else "".join(f"\\{mark}" for mark in marks)


def _latex(cell: str) -> str:
    parts = _MINUS.split(" ".join(cell.split()))
    return "$-$".join("".join(_LATEX.get(char, char) for char in part) for part in parts)
