"""`stackc inspect`: what a stack or a compressed file contains."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from stackc.api.errors import StackcError
from stackc.api.messages import amount
from stackc.cli import options
from stackc.cli.command import Command, show, show_json
from stackc.cli.inspect_files import show_file, show_folder
from stackc.cli.inspect_stack import show_pack, show_stack
from stackc.stack.manifest import MANIFEST
from stackc.stack.needed import files_below
from stackc.stack.packed import is_pack, manifest_of

if TYPE_CHECKING:
    from stackc.interop.dictionary_texts import TextOfCode

DEFAULT_LIMIT = 100
SHOWN = 100
"""Symbols of a text that a line shows, at most."""


@click.command(cls=Command)
@click.argument("path", type=options.STACK)
@options.flag("--json", "as_json", help="Print JSON: the manifest, the texts, or the header of a compressed file.")
@options.flag("--verify", help="Check the SHA-256 of every file of a stack.")
@options.flag("--texts", help="List the texts of a compiled level, the most frequent first.")
@options.level("The level whose texts are listed, e.g. M1.")
@options.number("--limit", 0, help="Number of texts to list; 0 lists all.  [default: 100]")
def command(path: Path, as_json: bool, verify: bool, texts: bool, level: str | None, limit: int | None) -> None:
    """Show the levels, models, sizes, plugins and figures of the stack in PATH, a folder or a pack, or the header of
    PATH.stk.

    If PATH is a folder of compressed files, show which stacks the .stk files in it and below it need, and where these
    are; the exit code is 1 if one was not found, and 2 if a file or a folder is not readable.
    """
    if texts and level is None:
        names = ", ".join(one["name"] for one in manifest_of(path)["levels"])
        raise StackcError(f"--texts needs --level; the levels are {names}")
    if texts:
        _show_texts(path, str(level), DEFAULT_LIMIT if limit is None else limit, as_json)
        return
    if level is not None or limit is not None:
        raise StackcError("--level and --limit select the texts to list; add --texts")
    if is_pack(path):
        show_pack(path, as_json, verify)
    elif path.is_file():
        show_file(path, as_json)
    elif path.is_dir() and not (path / MANIFEST).exists() and (below := files_below(path)):
        show_folder(path, below, as_json)
    else:
        show_stack(path, as_json, verify)


def _show_texts(path: Path, name: str, limit: int, as_json: bool) -> None:
    """List the texts of a compiled level."""
    from stackc.interop.dictionary_texts import code_counts, texts_of_level
    from stackc.stack.stack import Stack

    stack = Stack(path)
    counts = code_counts(stack, name)
    texts = texts_of_level(stack, name, counts, limit)
    if as_json:
        show_json([_plain(text) for text in texts])
        return
    used = f"{(counts > 0).sum():,} of them used by the training text, {counts.sum():,} times in total"
    show(f"{name}: {amount(len(counts), 'code')}, {used}")
    first = stack.level_index(name) == 1
    show(f"{'code':>8} {'count':>12}  text")
    for text in texts:
        show(f"{text.code:>8} {text.count:>12,}  {_text_line(text, first)}")


def _plain(text: TextOfCode) -> dict[str, object]:
    data = None if text.data is None else text.data.hex()
    return {"code": text.code, "count": text.count, "symbols": list(text.symbols), "bytes": data}


def _text_line(text: TextOfCode, first: bool) -> str:
    """Bytes, quoted and escaped as Python does; above the first level the tokens, too."""
    parts = []
    if not first:
        rest = " ..." if len(text.symbols) > SHOWN else ""
        parts.append(" ".join(map(str, text.symbols[:SHOWN])) + rest)
    if text.data is not None:
        rest = f" ... ({amount(len(text.data), 'byte')})" if len(text.data) > SHOWN else ""
        parts.append(repr(text.data[:SHOWN])[1:] + rest)
    return "  ".join(parts)
