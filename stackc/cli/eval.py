"""`stackc eval`: held-out figures of every level."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command("eval")
@click.argument("stack", type=click.Path(path_type=Path))
@click.argument("files", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(stack: Path, files: tuple[Path, ...], as_json: bool) -> None:
    """Measure every level of STACK on FILES, each a document, and decode all of them back."""
    from stackc.cli.progress import status
    from stackc.errors import PartError
    from stackc.files import read_bytes
    from stackc.stack import Stack
    from stackc.table import print_evaluation

    opened = Stack(stack)
    documents = [read_bytes(path) for path in files]
    with status(quiet=as_json) as tell:
        evaluation = opened.evaluate(documents, tell)
    if as_json:
        click.echo(json.dumps(evaluation.to_dict(), indent=1))
    else:
        print_evaluation(evaluation.to_dict())
    if evaluation.failure is not None:
        raise PartError(evaluation.failure)
