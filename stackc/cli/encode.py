"""`stackc encode`: a file to tokens."""

from __future__ import annotations

from pathlib import Path

import click

from stackc.api.messages import amount
from stackc.api.streams import OUTPUT
from stackc.cli import options
from stackc.cli.command import Command, say
from stackc.cli.ray_child import watched
from stackc.pipeline.engines.base import STARTS_OVER

OUTPUT_HELP = "The tokens: a .npy, .bin or .txt file; - for standard output in the format of a .bin."


@click.command(cls=Command)
@options.stack
@click.argument("file", type=options.NAME)
@click.option("-o", "--output", type=options.NAME, required=True, help=OUTPUT_HELP)
@options.level("Stop at this level, e.g. M1.  [default: the last]")
@options.engine("Encode")
@options.force_bytes
def command(stack: Path, file: str, output: str, level: str | None, engine: str, force: bool) -> None:
    """Encode FILE (- for standard input) to tokens of STACK. Any bytes are valid; FILE is one document."""
    click.get_current_context().with_resource(watched(engine, STARTS_OVER))
    # Imported only now: with Ray, `watched` forks, which is safe only before numpy and numba have started threads.
    from stackc.api.files import Counted, no_wider, read_pieces
    from stackc.cli.many_files import named, named_output
    from stackc.interop.token_files import check_suffix, write_tokens
    from stackc.pipeline.engines.remote import encoding_on
    from stackc.stack.outputs import check_target
    from stackc.stack.stack import Stack
    from stackc.stack.streaming import encode_here

    source, out = named(file), named_output(output)
    check_suffix(out)
    check_target(out, source, stack, force=force)
    opened = Stack(stack)
    names = [one.name for one in opened.levels[: opened.level_index(level)]] or ["no level"]
    pieces = Counted(read_pieces(source))
    encode = encode_here if engine == "local" else encoding_on(engine, opened, say)
    stream = opened.encode_stream(pieces, level, encode)
    tokens = write_tokens(out, stream, opened.token_alphabet(level), no_wider(source), force=force)
    rate = f", {pieces.size / tokens:.3f} bytes per token" if tokens else ""
    say(f"{out or OUTPUT}: {amount(pieces.size, 'byte')} as {amount(tokens, 'token')} of {names[-1]}{rate}")
