"""Numbers and names in messages."""

from __future__ import annotations

import math
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

WIDTH = 118
"""Columns of a table that is not printed on a terminal."""


def amount(count: int, noun: str) -> str:
    """A number and what it counts: ``1 byte``, ``0 bytes``, ``1,024 documents``."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def megabytes(size: float) -> str:
    """Bytes that are needed, rounded up, so that what is more than allowed never looks like as much: ``2 MB``."""
    return f"{math.ceil(size / 1_000_000):,} MB"


def shown(text: str) -> str:
    """A message for a terminal: what in it a terminal would obey, and not show, is escaped as Python does.

    Names of files, stacks, levels and parts may hold anything: escape sequences, changes of direction, bytes that are
    not text. New lines stay: cells of tables have them. What is printed as a line goes through `one_line`.
    """
    return text if text.isprintable() else "".join(char if char in "\n\t" else _escaped(char) for char in text)


def one_line(text: str) -> str:
    """As `shown`, for a text that is a line: a new line in a name cannot begin another."""
    return text if text.isprintable() else "".join(map(_escaped, text))


def _escaped(char: str) -> str:
    kind = unicodedata.category(char)
    kept = kind[0] != "C" and kind not in ("Zl", "Zp")  # the last two: ends of a line and of a paragraph
    return char if kept else char.encode("unicode_escape").decode()


def utf8(text: str) -> bytes:
    """Text for a file. Half characters are escaped: JSON can name them, and names of files have them where they are not
    text."""
    return text.encode("utf-8", "backslashreplace")


def literal(text: str) -> Text:
    """As `shown`, for rich, which would take ``[bold]`` and ``:bug:`` in a name for its own. All that rich prints and
    that is not a constant goes through here."""
    from rich.text import Text

    return Text(shown(text))


def wide(console: Console | None) -> Console:
    """`console`, or standard output; if it is not a terminal, then wide enough for a whole table."""
    from rich.console import Console

    console = console or Console(highlight=False)
    if console.is_terminal:
        return console
    return Console(file=console.file, width=max(console.width, WIDTH), highlight=False)
