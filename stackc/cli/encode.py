"""`stackc encode`: a file to tokens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from stackc.cli import OutputFile


@click.command("encode")
@click.argument("stack", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=OutputFile(), required=True, help="Tokens: .npy, .bin or .txt.")
@click.option("--level", help="Stop at this level, e.g. M1.  [default: the last]")
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    help="Encode here, or on a Ray cluster.  [default: local]",
)
@click.option("--force", is_flag=True, help="Overwrite.")
def command(stack: Path, file: Path, output: Path, level: str | None, engine: str, force: bool) -> None:
    """Turn FILE into tokens of STACK. Any bytes; the file is one document."""
    from stackc.cli.watched import watched
    from stackc.engine import STARTS_OVER

    click.get_current_context().with_resource(watched(engine, STARTS_OVER))
    from stackc.files import no_wider, read_pieces
    from stackc.outputs import check_output
    from stackc.stack import Stack
    from stackc.tokens_file import check_suffix, write_tokens
    from stackc.words import amount

    check_suffix(output)
    check_output(output, file, stack, force=force)
    opened = Stack(stack)
    names = [one.name for one in opened.levels[: opened.level_index(level)]] or ["no level"]
    size = 0

    def counted() -> Iterator[bytes]:
        nonlocal size
        for piece in read_pieces(file):
            size += len(piece)
            yield piece

    stream = opened.encode_stream(counted(), level, engine, lambda text: click.echo(text, err=True))
    tokens = write_tokens(output, stream, opened.token_alphabet(level), no_wider(file))
    rate = f", {size / tokens:.3f} bytes a token" if tokens else ""
    click.echo(f"{output}: {amount(size, 'byte')} as {amount(tokens, 'token')} of {names[-1]}{rate}", err=True)
