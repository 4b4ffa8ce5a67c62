"""The table of a stack's figures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

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

BETTER: dict[str, Literal["less", "more"]] = {
    "bits_per_byte": "less", "bytes_per_token": "more", "coded_bits_per_byte": "less", "model_bits_per_byte": "less",
    "coding_bits_per_byte": "less", "tokens_per_substitution": "less", "tokens_per_insertion": "less",
    "tokens_per_deletion": "less", "words_cut_alike": "more", "prefix_before_blank": "more",
    "prefix_before_first_blank": "more", "prefix_after_answer": "more", "codes_used_train": "more",
    "codes_used_test": "more",
}  # fmt: skip
"""Figures that are better when they are less, or more. Costs are neither, and so are the lines to compare with."""

LEARNABILITY: list[tuple[str, str, str]] = [
    ("", "name", "s"),
    ("byte\nsubstituted", "tokens_per_substitution", ".2f"),
    ("\ninserted", "tokens_per_insertion", ".2f"),
    ("\ndeleted", "tokens_per_deletion", ".2f"),
    ("words\ncut alike", "words_cut_alike", ".1%"),
    ("prefix before\na blank", "prefix_before_blank", ".1%"),
    ("before the first\nof several", "prefix_before_first_blank", ".1%"),
    ("prefix after\nAnswer:", "prefix_after_answer", ".1%"),
    ("codes used,\ntraining", "codes_used_train", ".1%"),
    ("codes used,\nthis text", "codes_used_test", ".1%"),
]
"""The second table: of levels alone."""

BOLD = "Bold: the best of its column."
"""Below a table with figures of `best_of`."""

NOTE = (
    "tokens, bytes/token: the tokens that a level writes (the top model: reads). coded: tokens x bits / source bytes. "
    "model, unigram, uniform: bits per source byte over the symbols that the model reads."
)

LEARNABILITY_NOTE = (
    "Substituted, inserted, deleted: tokens that differ after one byte changed. Words cut alike: occurrences that are "
    "cut in their word's most frequent way. Prefix: prompts whose tokens begin those of prompt and answer; the first "
    "of several: without places inside a stretch of blanks. docs/concepts.md defines all of them."
)


def print_evaluation(evaluation: dict[str, Any], console: Console | None = None, title: str | None = None) -> None:
    """Print the figures of `stackc.stack.evaluate.Evaluation.to_dict()`, or of a stack's report.json."""
    console = wide(console)
    heading = None if title is None else literal(title)
    console.print(_table(COLUMNS, evaluation["levels"], NOTE, heading))
    if levels := learnable(evaluation["levels"]):
        console.print(_table(LEARNABILITY, levels, LEARNABILITY_NOTE))
    texts = f"{amount(evaluation['source_bytes'], 'source byte')} in {amount(evaluation['documents'], 'document')}"
    verdict = "restored byte for byte" if evaluation["round_trip"] else "NOT RESTORED"
    console.print(literal(f"{texts}; every level decoded back: {verdict}"))
    for row in evaluation["levels"]:
        if uncut := row.get("uncut_bytes_per_token"):  # reports of older builds lack it
            cost = 1 - row["bytes_per_token"] / uncut
            text = f"{row['name']}: {uncut:.3f} bytes per token without its forced cuts, which cost {cost:.1%}"
            console.print(literal(text))
    for text in positions(evaluation["levels"]):
        console.print(literal(text))


def learnable(levels: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of the second table; reports of older builds have none."""
    return [row for row in levels if any(row.get(field) is not None for _, field, _ in LEARNABILITY[1:])]


def positions(levels: list[dict[str, Any]]) -> Iterator[str]:
    """A line for each model over windows of several tokens: how well it predicts the first, the second, ..."""
    for row in levels:
        if places := row.get("by_position"):
            shares = ", ".join(f"{place['accuracy']:.1%}" for place in places)
            bits = ", ".join(f"{place['bits']:.2f}" for place in places)
            yield f"{row['name']}: by place in the window, {shares} of the tokens predicted, at {bits} bits per token"


def _table(columns: list[tuple[str, str, str]], levels: list[dict[str, Any]], note: str, title: Any = None) -> Table:
    table = Table(title=title, title_justify="left", caption=note, caption_justify="left", box=None, pad_edge=False)
    for column, field, _ in columns:
        table.add_column(column, justify="left" if field == "name" else "right", no_wrap=True, vertical="bottom")
    for row in levels:
        table.add_row(
            *[literal("-" if row.get(field) is None else format(row[field], form)) for _, field, form in columns]
        )
    return table


def best_of(levels: list[dict[str, Any]], columns: list[tuple[str, str, str]]) -> dict[str, str]:
    """The best figure of each column of `BETTER`, as it is written; none if all rows have the same."""
    found = {}
    for _, field, form in columns:
        values = [row[field] for row in levels if row.get(field) is not None]
        written = {format(value, form) for value in values}
        if field in BETTER and len(written) > 1:
            found[field] = format((min if BETTER[field] == "less" else max)(values), form)
    return found


def print_report(folder: Path, console: Console) -> None:
    """Print the figures that the build of a stack measured, or that it measured none."""
    path = folder / "report" / "report.json"
    if path.is_file():
        report = json.loads(path.read_text())
        print_evaluation(report, console, title=f"{folder}: held-out text ({report['split']})")
    else:
        remark(f"{folder}: built; there was no test text to measure")
