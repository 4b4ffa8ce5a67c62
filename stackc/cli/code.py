"""`stackc encode` and `stackc decode`: files to tokens and back."""

from __future__ import annotations

from pathlib import Path

import click

from stackc.errors import StackcError


@click.command()
@click.argument("stack", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Tokens: .npy, .bin or .txt.")
@click.option("--level", help="Stop at this level, e.g. M1.  [default: the last]")
def encode(stack: Path, file: Path, output: Path, level: str | None) -> None:
    """Turn FILE into tokens of STACK. Any bytes; the file is one document."""
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


@click.command()
@click.argument("stack", type=click.Path(path_type=Path))
@click.argument("tokens", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The text.")
@click.option("--level", help="The level whose tokens they are.  [default: the last]")
def decode(stack: Path, tokens: Path, output: Path, level: str | None) -> None:
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


def read_bytes(path: Path) -> bytes:
    """A file's content.

    Raises:
        StackcError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise StackcError(f"{path}: cannot read ({error.strerror or error})") from error
