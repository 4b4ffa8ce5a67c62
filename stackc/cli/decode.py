"""`stackc decode`: tokens back to the file."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("decode")
@click.argument("stack", type=click.Path(path_type=Path))
@click.argument("tokens", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The text.")
@click.option("--level", help="The level whose tokens they are.  [default: the last]")
def command(stack: Path, tokens: Path, output: Path, level: str | None) -> None:
    """Turn TOKENS of STACK (.npy, .bin or .txt) back into the bytes they stand for."""
    from stackc.files import write_atomically
    from stackc.stack import Stack
    from stackc.tokens_file import read_tokens

    opened = Stack(stack)
    last = opened.level_index(level) - 1
    data, ignored = opened.decode_counting(read_tokens(tokens, opened.levels[last].token_alphabet), level)
    with write_atomically(output) as file:
        file.write(data)
    said = f"; {ignored} tokens of incomplete last codes were ignored" if ignored else ""
    click.echo(f"{output}: {len(data):,} bytes{said}", err=True)
