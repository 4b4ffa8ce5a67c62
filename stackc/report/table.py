"""The table of a stack's figures, for people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.table import Table

from stackc.api.messages import amount, literal

WIDTH = 118
"""Columns of the table where there is no terminal to ask."""

Cell = Callable[[dict[str, Any]], Any]

COLUMNS: list[tuple[str, str, str]] = [
    ("", "name", "s"),
    ("tokens", "tokens", ",d"),
    ("bits/\ntoken", "token_bits", ".4g"),
    ("bytes/\ntoken", "bytes_per_token", ".3f"),
    ("coded", "coded_bits_per_byte", ".3f"),
    ("model,\nsegments", "model_bits_per_byte", ".3f"),
    ("model,\nas it codes", "coding_bits_per_byte", ".3f"),
    ("unigram", "unigram_bits_per_byte", ".3f"),
    ("uniform", "uniform_bits_per_byte", ".3f"),
    ("parameters", "parameters", ",d"),
    ("ops/byte", "ops_per_byte_body", ",.0f"),
    ("softmax\nops/byte", "ops_per_byte_softmax", ",.0f"),
]

NOTE = (
    "tokens, bytes/token: what a level makes (the top model: what it reads). coded: tokens x bits / source bytes. "
    "model, unigram, uniform: bits per source byte over the symbols that the model reads."
)


def print_evaluation(evaluation: dict[str, Any], console: Console | None = None, title: str | None = None) -> None:
    """Print the figures of `stackc.stack.evaluate.Evaluation.to_dict()` (or of a stack's report.json)."""
    console = console or Console(highlight=False)
    if not console.is_terminal:
        console = Console(file=console.file, width=max(console.width, WIDTH), highlight=False)
    heading = None if title is None else literal(title)
    table = Table(title=heading, title_justify="left", caption=NOTE, caption_justify="left", box=None, pad_edge=False)
    for column, field, _ in COLUMNS:
        table.add_column(column, justify="left" if field == "name" else "right", no_wrap=True, vertical="bottom")
    for row in evaluation["levels"]:
        table.add_row(*[literal(_cell(row[field], form)) for _, field, form in COLUMNS])
    console.print(table)
    verdict = "restored byte for byte" if evaluation["round_trip"] else "NOT RESTORED"
    said = (
        f"{amount(evaluation['source_bytes'], 'source byte')} in {amount(evaluation['documents'], 'document')}; "
        f"every level decoded back: {verdict}"
    )
    console.print(literal(said))
    for row in evaluation["levels"]:
        if uncut := row.get("uncut_bytes_per_token"):  # reports of older builds lack it
            cost = 1 - row["bytes_per_token"] / uncut
            text = f"{row['name']}: {uncut:.3f} bytes a token without its forced cuts, which cost {cost:.1%}"
            console.print(literal(text))


def _cell(value: Any, form: str) -> str:
    return "-" if value is None else format(value, form)
