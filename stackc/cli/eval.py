"""`stackc eval`: held-out figures of every level."""

from __future__ import annotations

import json
from pathlib import Path

import click

from stackc.cli import Command


@click.command("eval", cls=Command)
@click.argument("stack", type=click.Path(path_type=Path))
@click.argument("files", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(stack: Path, files: tuple[str, ...], as_json: bool) -> None:
    """Measure every level of STACK on FILES, each a document (- for standard input), and decode all of them back."""
    from stackc.api.errors import PartError
    from stackc.api.files import read_bytes
    from stackc.api.streams import results
    from stackc.cli.many_files import check_once, named
    from stackc.cli.progress import status
    from stackc.cli.show import console, show
    from stackc.report.table import print_evaluation
    from stackc.stack.stack import Stack

    check_once(files)
    results()  # closed: an error now, not after the work
    opened = Stack(stack)
    documents = [read_bytes(named(file)) for file in files]
    with status(quiet=as_json) as tell:
        evaluation = opened.evaluate(documents, tell)
    if as_json:
        show(json.dumps(evaluation.to_dict(), indent=1))
    else:
        print_evaluation(evaluation.to_dict(), console())
    if evaluation.failure is not None:
        raise PartError(evaluation.failure)
