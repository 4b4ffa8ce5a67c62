"""`stackc generate`: text from the top model."""

from __future__ import annotations

import os
from pathlib import Path

import click

from stackc.cli import Command


@click.command("generate", cls=Command)
@click.argument("stack", type=click.Path(path_type=Path))
@click.option("--prompt", default="", help="Text to go on from; the output starts with it.")
@click.option("--tokens", type=click.IntRange(0), default=100, show_default=True, help="Tokens to draw.")
@click.option(
    "--temperature", type=click.FloatRange(0), default=1.0, show_default=True, help="0 takes the likeliest token."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
def command(stack: Path, prompt: str, tokens: int, temperature: float, seed: int) -> None:
    """Go on from a prompt: it is compressed, the top model of STACK continues, and what comes is decoded."""
    from stackc.api.streams import binary_output, results, write_all
    from stackc.stack.stack import Stack

    results()  # closed: an error now, not after the work
    data = Stack(stack).generate(os.fsencode(prompt), tokens=tokens, temperature=temperature, seed=seed)
    # What is drawn may be no valid UTF-8; the bytes go out as they are.
    with binary_output() as file:
        write_all(file, data + b"\n")
