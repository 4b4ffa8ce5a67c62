"""`stackc decode`: tokens back to the file."""

from __future__ import annotations

from pathlib import Path

import click

from stackc.cli import OutputFile


@click.command("decode")
@click.argument("stack", type=click.Path(path_type=Path))
@click.argument("tokens", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=OutputFile(), required=True, help="The text.")
@click.option("--level", help="The level whose tokens they are.  [default: the last]")
@click.option("--force", is_flag=True, help="Overwrite.")
def command(stack: Path, tokens: Path, output: Path, level: str | None, force: bool) -> None:
    """Turn TOKENS of STACK (.npy, .bin or .txt) back into the bytes they stand for."""
    from stackc.files import no_wider, write_atomically
    from stackc.outputs import check_output
    from stackc.stack import Stack
    from stackc.tokens_file import read_tokens
    from stackc.words import amount

    check_output(output, tokens, stack, force=force)
    opened = Stack(stack)
    pieces = read_tokens(tokens, opened.token_alphabet(level))
    ignored: list[int] = []
    size = 0
    with write_atomically(output, no_wider(tokens)) as file:
        for data in opened.decode_stream(pieces, level, ignored):
            file.write(data)
            size += len(data)
    said = f"; ignored {amount(sum(ignored), 'token')} of incomplete last codes" if sum(ignored) else ""
    click.echo(f"{output}: {amount(size, 'byte')}{said}", err=True)
