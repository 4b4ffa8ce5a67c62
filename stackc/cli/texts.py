"""What `stackc inspect --texts` prints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from stackc.api.messages import amount
from stackc.cli.show import show

if TYPE_CHECKING:
    from stackc.interop.dictionary_texts import TextOfCode

DEFAULT_LIMIT = 100
SHOWN = 100
"""Symbols of a text that a line shows."""


def print_texts(path: Path, name: str, limit: int | None, as_json: bool) -> None:
    """Print the texts of the compiled level `name` of the stack in folder `path`."""
    from stackc.interop.dictionary_texts import code_counts, texts_of_level
    from stackc.stack.stack import Stack

    stack = Stack(path)
    counts = code_counts(stack, name)
    texts = texts_of_level(stack, name, counts, DEFAULT_LIMIT if limit is None else limit)
    if as_json:
        show(json.dumps([_plain(text) for text in texts], indent=1))
        return
    show(
        f"{name}: {amount(len(counts), 'code')}, of which the training text has {(counts > 0).sum():,}, "
        f"{counts.sum():,} times in all"
    )
    first = stack.level_index(name) == 1
    show(f"{'code':>8} {'count':>12}  text")
    for text in texts:
        show(f"{text.code:>8} {text.count:>12,}  {_shown(text, first)}")


def _plain(text: TextOfCode) -> dict[str, object]:
    return {
        "code": text.code,
        "count": text.count,
        "symbols": list(text.symbols),
        "bytes": None if text.data is None else text.data.hex(),
    }


def _shown(text: TextOfCode, first: bool) -> str:
    """Bytes, quoted and escaped as Python does; above the first level the tokens too."""
    parts = []
    if not first:
        rest = " ..." if len(text.symbols) > SHOWN else ""
        parts.append(" ".join(map(str, text.symbols[:SHOWN])) + rest)
    if text.data is not None:
        rest = f" ... ({amount(len(text.data), 'byte')})" if len(text.data) > SHOWN else ""
        parts.append(repr(text.data[:SHOWN])[1:] + rest)
    return "  ".join(parts)
