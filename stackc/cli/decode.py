"""`stackc decode`: tokens back to the file."""

from __future__ import annotations

from pathlib import Path

import click

from stackc.cli import Command, say


@click.command("decode", cls=Command)
@click.argument("stack", type=click.Path(path_type=Path))
@click.argument("tokens")
@click.option("-o", "--output", required=True, help="The text; - for standard output.")
@click.option("--level", help="The level whose tokens they are.  [default: the last]")
@click.option("--force", is_flag=True, help="Overwrite, and write to a terminal.")
def command(stack: Path, tokens: str, output: str, level: str | None, force: bool) -> None:
    """Turn TOKENS of STACK back into the bytes they stand for.

    TOKENS is a .npy, .bin or .txt, or - for standard input, which holds what a .bin does.
    """
    from stackc.api.files import no_wider
    from stackc.api.messages import amount
    from stackc.api.streams import OUTPUT, write_all
    from stackc.cli.many_files import named, named_output
    from stackc.interop.token_files import read_tokens
    from stackc.stack.outputs import check_target, open_output
    from stackc.stack.stack import Stack

    source, out = named(tokens), named_output(output)
    check_target(out, source, stack, force=force)
    opened = Stack(stack)
    pieces = read_tokens(source, opened.token_alphabet(level))
    ignored: list[int] = []
    size = 0
    with open_output(out, force, no_wider(source)) as file:
        for data in opened.decode_stream(pieces, level, ignored):
            write_all(file, data)
            size += len(data)
    said = f"; ignored {amount(sum(ignored), 'token')} of incomplete last codes" if sum(ignored) else ""
    say(f"{out or OUTPUT}: {amount(size, 'byte')}{said}")
