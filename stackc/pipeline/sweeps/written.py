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


def as_csv(rows: Rows) -> str:
    """Comma-separated values, the headings first; quoted where needed (RFC 4180, but lines end in a line feed)."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def as_markdown(headings: Sequence[str], rows: Rows, left: int = 1) -> str:
    """A Markdown table; `left`: how many columns are aligned to the left."""
    marks = ["---" if i < left else "---:" for i in range(len(headings))]
    lines = [headings, marks, *rows]
    return "".join("| " + " | ".join(_markdown(cell) for cell in line) + " |\n" for line in lines)


def as_latex(headings: Sequence[str], rows: Rows, left: int = 1) -> str:
    """A LaTeX tabular that needs no package; `left`: how many columns are aligned to the left."""
    align = "l" * left + "r" * (len(headings) - left)
    lines = [" & ".join(map(_latex, line)) + r" \\" for line in (headings, *rows)]
    body = "\n".join([lines[0], r"\hline", *lines[1:]])
    return f"\\begin{{tabular}}{{{align}}}\n\\hline\n{body}\n\\hline\n\\end{{tabular}}\n"


def _markdown(cell: str) -> str:
    return " ".join(cell.split()).replace("\\", "\\\\").replace("|", "\\|")


def _latex(cell: str) -> str:
    parts = _MINUS.split(" ".join(cell.split()))
    return "$-$".join("".join(_LATEX.get(char, char) for char in part) for part in parts)
