"""`stackc pack`: a stack as one file."""

from __future__ import annotations

from pathlib import Path

import click

from stackc.api.files import no_wider
from stackc.api.messages import amount
from stackc.api.streams import OUTPUT
from stackc.cli import options
from stackc.cli.command import Command, say
from stackc.cli.many_files import named_output


@click.command(cls=Command)
@options.stack
@click.option(
    "-o",
    "--output",
    type=options.NAME,
    metavar="OUT",
    help="A file, or - for standard output.  [default: STACK.stack]",
)
@options.force_bytes
@options.quiet
def command(stack: Path, output: str | None, force: bool, quiet: bool) -> None:
    """Write STACK as one file: its manifest and the parts that coding needs, checked against their SHA-256.

    Corpus, tokens, float weights and reports are left out. The same stack gives the same bytes. Commands that
    code take the file in place of the stack's folder, and so does STACKC_PATH.
    """
    from stackc.stack.manifest import MANIFEST
    from stackc.stack.outputs import check_target, open_output
    from stackc.stack.packed import SUFFIX, write_pack
    from stackc.stack.stack import Stack

    opened = Stack(stack)
    whole = stack.absolute()
    out = whole.with_name(whole.name.removesuffix(SUFFIX) + SUFFIX) if output is None else named_output(output)
    if output is None and out is not None and out.parent == Path.cwd():
        out = Path(out.name)
    elif out is not None and out.is_dir():
        out /= whole.name.removesuffix(SUFFIX) + SUFFIX
    check_target(out, opened.place, force=force)
    parts = (opened.folder / name for name in (MANIFEST, *opened.manifest["parts"]))
    with open_output(out, force, no_wider(*parts)) as file:
        size = write_pack(opened.folder, file)
    if not quiet:
        say(f"{out or OUTPUT}: {amount(size, 'byte')}, the stack {opened.sha256}")
