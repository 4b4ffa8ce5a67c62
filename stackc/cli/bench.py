"""`stackc bench`: a stack beside its peers."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command("bench")
@click.argument("stack", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--against",
    metavar="NAMES",
    help="Peers, e.g. tiktoken,sentencepiece:unigram,zstd:19.  [default: all that are installed]",
)
@click.option("--level", help="The level to measure, e.g. M1.  [default: the last]")
@click.option("--repeats", type=click.IntRange(min=1), default=5, show_default=True, help="Rounds.")
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="More than 1: a second row of the stack, with so many.",
)
@click.option(
    "--peer-bytes",
    type=click.IntRange(min=1),
    default=16_000_000,
    show_default=True,
    help="Training text of the tokenizers, at most.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=600.0,
    show_default=True,
    help="Seconds that one step of a peer may take.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    stack: Path,
    file: Path,
    against: str | None,
    level: str | None,
    repeats: int,
    threads: int,
    peer_bytes: int,
    timeout: float,
    as_json: bool,
) -> None:
    """Measure STACK beside other tokenizers and compressors on FILE, a text that no one was trained on.

    Rounds are interleaved, every round trip is checked. Tokenizers are trained on the stack's own training text, at the
    vocabulary of its level, and kept in ~/.cache/stackc. A peer that fails or is not installed is named and skipped.
    """
    from stackc.bench import benchmark
    from stackc.bench.table import print_benchmark
    from stackc.cli.progress import status
    from stackc.errors import CodingError

    with status(quiet=as_json) as tell:
        figures = benchmark(
            stack,
            file,
            against=None if against is None else [name.strip() for name in against.split(",") if name.strip()],
            level=level,
            repeats=repeats,
            threads=threads,
            peer_bytes=peer_bytes,
            timeout=timeout,
            report=tell,
        )
    if as_json:
        click.echo(json.dumps(figures, indent=1))
    else:
        print_benchmark(figures)
    if not all(row["restored"] for row in figures["rows"] if row["kind"] == "stack"):
        raise CodingError(f"{stack}: the stack did not give back what it was given; please report this")
