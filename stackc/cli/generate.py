"""`stackc generate`: text from the top model."""

from __future__ import annotations

import os
from pathlib import Path

import click

from stackc.api.streams import binary_output, results, write_all
from stackc.cli import options
from stackc.cli.command import Command


@click.command(cls=Command)
@options.stack
@click.option("--prompt", default="", help="Prompt to continue; the output starts with it.")
@options.number("--tokens", 0, default=100, help="Number of tokens to draw.")
@options.number("--temperature", 0.0, default=1.0, help="0 takes the most likely token.")
@options.number("--seed", 0, default=0)
def command(stack: Path, prompt: str, tokens: int, temperature: float, seed: int) -> None:
    """Continue a prompt: STACK encodes it, its top model draws more tokens, and all of them are decoded."""
    from stackc.stack.stack import Stack

    results()  # if it is closed, fail now and not after the work
    data = Stack(stack).generate(os.fsencode(prompt), tokens=tokens, temperature=temperature, seed=seed)
    # Drawn text may be invalid UTF-8; its bytes are written unchanged.
    with binary_output() as file:
        write_all(file, data + b"\n")
