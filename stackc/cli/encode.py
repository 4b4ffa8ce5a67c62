"""`stackc encode`: a file to tokens."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("encode")
@click.argument("stack", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Tokens: .npy, .bin or .txt.")
@click.option("--level", help="Stop at this level, e.g. M1.  [default: the last]")
def command(stack: Path, file: Path, output: Path, level: str | None) -> None:
    """Turn FILE into tokens of STACK. Any bytes; the file is one document."""
    from stackc.files import read_bytes
    from stackc.stack import Stack
    from stackc.tokens_file import check_suffix, write_tokens

    check_suffix(output)
    opened = Stack(stack)
    last = opened.level_index(level) - 1
    data = read_bytes(file)
    tokens = opened.encode(data, level)
    write_tokens(output, tokens, opened.levels[last].token_alphabet)
    rate = f", {len(data) / len(tokens):.3f} bytes a token" if len(tokens) else ""
    click.echo(f"{output}: {len(data):,} bytes as {len(tokens):,} tokens of {opened.levels[last].name}{rate}", err=True)
