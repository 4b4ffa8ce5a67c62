"""`stackc decode`: tokens back to the file."""

from __future__ import annotations

from pathlib import Path

import click

from stackc.api.files import no_wider
from stackc.api.messages import amount
from stackc.api.streams import OUTPUT, write_all
from stackc.cli import options
from stackc.cli.command import Command, say
from stackc.cli.many_files import named, named_output
from stackc.stack.outputs import check_target, open_output


@click.command(cls=Command)
@options.stack
@click.argument("tokens", type=options.NAME)
@click.option("-o", "--output", type=options.NAME, required=True, help="The decoded file; - for standard output.")
@options.level("The level that the tokens are from.  [default: the last]")
@options.force_bytes
def command(stack: Path, tokens: str, output: str, level: str | None, force: bool) -> None:
    """Decode TOKENS of STACK to the bytes that they represent.

    TOKENS is a .npy, .bin or .txt file, or - for standard input in the format of a .bin.
    """
    from stackc.interop.token_files import read_tokens
    from stackc.stack.stack import Stack

    source, out = named(tokens), named_output(output)
    check_target(out, source, stack, force=force)
    opened = Stack(stack)
    pieces = read_tokens(source, opened.token_alphabet(level))
    ignored: list[int] = []
    size = 0
    with open_output(out, force, no_wider(source)) as file:
        for data in opened.decode_stream(pieces, level, ignored):
            size += write_all(file, data)
    note = f"; ignored {amount(sum(ignored), 'token')} of incomplete last codes" if sum(ignored) else ""
    say(f"{out or OUTPUT}: {amount(size, 'byte')}{note}")
