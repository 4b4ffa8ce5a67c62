"""`stackc bench`: a stack beside its peers."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

from stackc.cli import Command


@click.command("bench", cls=Command)
@click.argument("stack", type=click.Path(path_type=Path))
@click.argument("file")
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
    file: str,
    against: str | None,
    level: str | None,
    repeats: int,
    threads: int,
    peer_bytes: int,
    timeout: float,
    as_json: bool,
) -> None:
    """Measure STACK beside other tokenizers and compressors on FILE, a text that no one was trained on.

    FILE may be - for standard input, which is kept in a temporary file.

    Rounds are interleaved, every round trip is checked. Tokenizers are trained on the stack's own training text, at the
    vocabulary of its level, and kept in ~/.cache/stackc. A peer that fails or is not installed is named and skipped.
    """
    from stackc.api.errors import CodingError
    from stackc.api.streams import results
    from stackc.bench import benchmark
    from stackc.bench.table import print_benchmark
    from stackc.cli.progress import status
    from stackc.cli.show import console, show

    results()  # closed: an error now, not after the work
    with _on_disk(file) as path, status(quiet=as_json) as tell:
        figures = benchmark(
            stack,
            path,
            against=None if against is None else [name.strip() for name in against.split(",") if name.strip()],
            level=level,
            repeats=repeats,
            threads=threads,
            peer_bytes=peer_bytes,
            timeout=timeout,
            report=tell,
        )
    if as_json:
        show(json.dumps({**figures, "file": file}, indent=1))
    else:
        print_benchmark({**figures, "file": file}, console())
    if not all(row["restored"] for row in figures["rows"] if row["kind"] == "stack"):
        raise CodingError(f"{stack}: the stack did not give back what it was given; please report this")


@contextlib.contextmanager
def _on_disk(file: str) -> Iterator[Path]:
    """The file by a name that the workers can open."""
    from stackc.api.errors import StackcError
    from stackc.api.files import read_pieces
    from stackc.api.streams import write_all
    from stackc.cli.many_files import named

    if (path := named(file)) is not None:
        yield path
        return
    with contextlib.ExitStack() as held:
        try:
            copy = held.enter_context(tempfile.NamedTemporaryFile(prefix="stackc-", buffering=0))
            for piece in read_pieces(None):
                write_all(copy, piece)
        except OSError as error:
            raise StackcError(f"{tempfile.gettempdir()}: cannot keep standard input ({error.strerror})") from error
        yield Path(copy.name)
