"""`stackc bench`: a stack measured against other tokenizers and compressors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from stackc.api.errors import CodingError
from stackc.api.files import read_pieces, temporary, temporary_folder
from stackc.api.streams import results, write_all
from stackc.cli import options
from stackc.cli.command import Command, console, show_json
from stackc.cli.many_files import named
from stackc.cli.progress import status

AGAINST_HELP = "Peers, e.g. tiktoken,sentencepiece:unigram,zstd:19; '' for none.  [default: all that are installed]"


@click.command(cls=Command)
@options.stack
@click.argument("file", type=options.NAME, required=False)
@click.option("--against", metavar="NAMES", help=AGAINST_HELP)
@options.level("The level to measure, e.g. M1.  [default: the last]")
@options.number("--repeats", 1, default=5, help="Number of rounds.")
@options.number("--threads", 1, default=1, help="If more than 1, also measure the stack with this many threads.")
@options.number("--peer-bytes", 1, default=16_000_000, help="Bytes of text to train the tokenizers on, at most.")
@click.option(
    "--primed-by",
    type=options.NAME,
    metavar="FILE",
    help="Also measure compressors primed with this training text.",
)
@options.number("--slow-bytes", 1, default=2_000_000, help="Bytes of FILE that the slowest peers code, at most.")
@options.number("--timeout", 0.0, open=True, default=600.0, help="Seconds that one step of a peer may take.")
@options.as_json
def command(stack: Path, file: str | None, against: str | None, as_json: bool, **settings: Any) -> None:
    """Measure STACK against other tokenizers and compressors on FILE, a text that none of them was trained on.

    Without FILE, that is the stack's own test text. FILE may be - for standard input, which is kept in a temporary
    file.

    Tokenizers are measured cold, coding FILE for the first time in a new process, and warm, having coded it before.
    Rounds are interleaved, and every round trip is checked. Tokenizers are trained on the stack's own training text,
    with the vocabulary size of its level, and kept in ~/.cache/stackc. A peer that fails or is not installed is
    skipped with the reason.
    """
    from stackc.bench import benchmark
    from stackc.bench.table import print_benchmark

    results()  # if it is closed, fail now and not after the work
    peers = None if against is None else [name.strip() for name in against.split(",") if name.strip()]
    with _on_disk(file) as path, status(quiet=as_json) as tell:
        figures = benchmark(stack, path, against=peers, report=tell, **settings)
    figures["file"] = file or figures["file"]
    if as_json:
        show_json(figures)
    else:
        print_benchmark(figures, console())
    own = [row for row in figures["rows"] if row["kind"] in ("stack", "file") and row["skipped"] is None]
    if not all(row["restored"] for row in own):
        raise CodingError(f"{stack}: the decoded text differs from the file; please report this")


@contextlib.contextmanager
def _on_disk(file: str | None) -> Iterator[Path | None]:
    """A path of the file that other processes can open, if one is named: standard input is copied."""
    if file is None or (path := named(file)) is not None:
        yield None if file is None else path
        return
    with temporary_folder() as folder:
        with temporary(), (folder / "text").open("wb", buffering=0) as copy:
            for piece in read_pieces(None):
                write_all(copy, piece)
        yield folder / "text"
