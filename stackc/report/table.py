"""The table of a stack's figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from stackc.api.messages import amount, literal, wide
from stackc.api.streams import remark

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
    "tokens, bytes/token: the tokens that a level writes (the top model: reads). coded: tokens x bits / source bytes. "
    "model, unigram, uniform: bits per source byte over the symbols that the model reads."
)


def print_evaluation(evaluation: dict[str, Any], console: Console | None = None, title: str | None = None) -> None:
    """Print the figures of `stackc.stack.evaluate.Evaluation.to_dict()`, or of a stack's report.json."""
    console = wide(console)
    heading = None if title is None else literal(title)
    table = Table(title=heading, title_justify="left", caption=NOTE, caption_justify="left", box=None, pad_edge=False)
    for column, field, _ in COLUMNS:
        table.add_column(column, justify="left" if field == "name" else "right", no_wrap=True, vertical="bottom")
    for row in evaluation["levels"]:
        table.add_row(*[literal("-" if row[field] is None else format(row[field], form)) for _, field, form in COLUMNS])
    console.print(table)
    texts = f"{amount(evaluation['source_bytes'], 'source byte')} in {amount(evaluation['documents'], 'document')}"
    verdict = "restored byte for byte" if evaluation["round_trip"] else "NOT RESTORED"
    console.print(literal(f"{texts}; every level decoded back: {verdict}"))
    for row in evaluation["levels"]:
        if uncut := row.get("uncut_bytes_per_token"):  # reports of older builds lack it
            cost = 1 - row["bytes_per_token"] / uncut
            text = f"{row['name']}: {uncut:.3f} bytes per token without its forced cuts, which cost {cost:.1%}"
            console.print(literal(text))


def print_report(folder: Path, console: Console) -> None:
    """Print the figures that the build of a stack measured, or that it measured none."""
    path = folder / "report" / "report.json"
    if path.is_file():
        report = json.loads(path.read_text())
        print_evaluation(report, console, title=f"{folder}: held-out text ({report['split']})")
    else:
        remark(f"{folder}: built; there was no test text to measure")
