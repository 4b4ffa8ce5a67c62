"""`stackc encode`: a file to tokens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from stackc.cli import Command, say


@click.command("encode", cls=Command)
@click.argument("stack", type=click.Path(path_type=Path))
@click.argument("file")
@click.option(
    "-o", "--output", required=True, help="Tokens: a .npy, .bin or .txt; - for standard output, as in a .bin."
)
@click.option("--level", help="Stop at this level, e.g. M1.  [default: the last]")
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    help="Encode here, or on a Ray cluster.  [default: local]",
)
@click.option("--force", is_flag=True, help="Overwrite, and write to a terminal.")
def command(stack: Path, file: str, output: str, level: str | None, engine: str, force: bool) -> None:
    """Turn FILE (- for standard input) into tokens of STACK. Any bytes; the file is one document."""
    from stackc.cli.ray_child import watched
    from stackc.pipeline.engines.base import STARTS_OVER

    click.get_current_context().with_resource(watched(engine, STARTS_OVER))
    from stackc.api.files import no_wider, read_pieces
    from stackc.api.messages import amount
    from stackc.api.streams import OUTPUT
    from stackc.cli.many_files import named
    from stackc.interop.token_files import check_suffix, write_tokens
    from stackc.pipeline.engines.remote import encoding_on
    from stackc.stack.outputs import check_target
    from stackc.stack.stack import Stack
    from stackc.stack.streaming import encode_here

    source, out = named(file), named(output)
    check_suffix(out)
    check_target(out, source, stack, force=force)
    opened = Stack(stack)
    names = [one.name for one in opened.levels[: opened.level_index(level)]] or ["no level"]
    size = 0

    def counted() -> Iterator[bytes]:
        nonlocal size
        for piece in read_pieces(source):
            size += len(piece)
            yield piece

    encode = encode_here if engine == "local" else encoding_on(engine, opened, say)
    stream = opened.encode_stream(counted(), level, encode)
    tokens = write_tokens(out, stream, opened.token_alphabet(level), no_wider(source), force=force)
    rate = f", {size / tokens:.3f} bytes a token" if tokens else ""
    say(f"{out or OUTPUT}: {amount(size, 'byte')} as {amount(tokens, 'token')} of {names[-1]}{rate}")
