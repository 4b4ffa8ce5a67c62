"""`stackc eval`: measure every level on held-out text."""

from __future__ import annotations

from pathlib import Path

import click

from stackc.api.errors import PartError
from stackc.api.files import read_bytes
from stackc.api.streams import results
from stackc.cli import options
from stackc.cli.command import Command, console, show_json
from stackc.cli.many_files import Files, check_once, named
from stackc.cli.progress import status


@click.command(cls=Command)
@options.stack
@click.argument("files", type=options.NAME, nargs=-1, required=True)
@options.as_json
def command(stack: Path, files: Files, as_json: bool) -> None:
    """Measure every level of STACK on FILES, one document each (- for standard input), and decode them all again."""
    from stackc.report.table import print_evaluation
    from stackc.stack.stack import Stack

    check_once(files)
    results()  # if it is closed, fail now and not after the work
    opened = Stack(stack)
    documents = [read_bytes(named(file)) for file in files]
    with status(quiet=as_json) as tell:
        evaluation = opened.evaluate(documents, tell)
    if as_json:
        show_json(evaluation.to_dict())
    else:
        print_evaluation(evaluation.to_dict(), console())
    if evaluation.failure is not None:
        raise PartError(evaluation.failure)
