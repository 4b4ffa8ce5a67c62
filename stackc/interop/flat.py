"""All ids end to end in one file: nanoGPT's flat file, and the one of llm.c, which begins with a header."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from stackc.api.errors import StackcError
from stackc.api.files import is_special, no_wider, write_atomically
from stackc.interop.export import Exported, Report, Tokens

LLMC_HEADER = 256
"""int32 numbers that the header of llm.c has: magic, version, number of ids, zeros."""

LLMC_KINDS = {"uint16": (20240520, 1), "uint32": (20240801, 7)}
"""Magic and version by the type of the ids: llm.c's train_gpt2 reads the first kind, its train_llama3 the second."""

LLMC_MOST = (1 << 31) - 1
"""Ids that llm.c can count."""


def export_bin(tokens: Tokens, out: Path, *, report: Report = lambda done: None) -> Exported:
    """Write all ids end to end, little-endian, and ``OUT.json`` next to them, which describes them.

    Args:
        tokens: what to write.
        out: the file; a device or a pipe gets no ``OUT.json``.
        report: progress.

    Raises:
        StackcError: see `Tokens.started`.
    """
    made = tokens.started()
    with write_atomically(out, no_wider(*tokens.files)) as file:
        for values in tokens.runs(made, report):
            file.write(values.tobytes())
    _describe(tokens, made, out)
    return made


def export_llmc(tokens: Tokens, out: Path, *, report: Report = lambda done: None) -> Exported:
    """Write the file that llm.c's data loader reads, and ``OUT.json`` next to it.

    Args:
        tokens: what to write.
        out: the file; not a device or a pipe, since the header holds the number of ids.
        report: progress.

    Raises:
        StackcError: more ids than the header can count; a pipe; see `Tokens.started`.
    """
    if is_special(out):
        raise StackcError(f"{out}: llm.c's file starts with the number of ids, known only at the end; name a file")
    made = tokens.started()
    count = 0
    with write_atomically(out, no_wider(*tokens.files)) as file:
        file.write(bytes(4 * LLMC_HEADER))
        for values in tokens.runs(made, report):
            count += len(values)
            if count > LLMC_MOST:
                raise StackcError(f"{out}: more than {LLMC_MOST:,} ids, which llm.c cannot count; export a part")
            file.write(values.tobytes())
        header = np.zeros(LLMC_HEADER, "<i4")
        header[:3] = *LLMC_KINDS[made.dtype], count
        file.seek(0)
        file.write(header.tobytes())
    _describe(tokens, made, out)
    return made


def meta_name(out: Path) -> Path | None:
    """The file that describes `out`: ``OUT.json``; None for a device or a pipe."""
    return None if is_special(out) else out.with_name(f"{out.name}.json")


def _describe(tokens: Tokens, made: Exported, out: Path) -> None:
    meta = {
        "format": 1,
        "dtype": made.dtype,
        "vocab_size": made.ids,
        "eos": made.eos,
        "documents": made.documents,
        "tokens": made.tokens + (0 if made.eos is None else made.documents),
        "source_bytes": made.source_bytes,
        "stack": tokens.stack.sha256,
        "level": tokens.level_name,
    }
    description = meta_name(out)
    if description is not None:
        with write_atomically(description) as file:
            file.write(json.dumps(meta, indent=1).encode())
