"""A stack measured beside its peers: speed both ways, rate, start-up and memory, in one run.

    from stackc.bench import benchmark

    figures = benchmark("runs/counted_65k", "held_out.txt", against=["tiktoken", "zstd:19"])

entrants.py   who takes part: the stack, and the peers that are known
sample.py     training.py  trained peers: on the stack's own training text, kept in a cache
worker.py     process.py   every entrant works in a process of its own, so that none can harm the run
rounds.py     table.py     interleaved repeats; the figures for people
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


def benchmark(
    stack: str | Path,
    file: str | Path,
    *,
    against: Sequence[str] | None = None,
    level: str | None = None,
    repeats: int = 5,
    threads: int = 1,
    peer_bytes: int = 16_000_000,
    timeout: float = 600.0,
    report: Callable[[str], None] = lambda stage: None,
) -> dict[str, Any]:
    """Measure a stack and its peers on one file; every round trip is checked.

    Args:
        stack: a stack's folder.
        file: the text, which no one was trained on; any bytes, at least one.
        against: names of peers, e.g. "tiktoken", "zstd" or "zstd:19" (a level); None: all that are known.
        level: the level whose tokens are wanted; None: the last.
        repeats: how often everything is measured, at least 1.
        threads: where more than 1, the stack is measured a second time with so many. Peers have one.
        peer_bytes: of the stack's training text, spread evenly; what tokenizers are trained on at most.
        timeout: seconds that one step of a peer may take; one that takes longer is skipped.
        report: called with a line as work goes on.

    Returns:
        Plain data, as `stackc bench --json` prints it (docs/reference/commands.md): ``machine``, ``stack``, ``level``,
        ``vocabulary``, ``file``, ``bytes``, ``repeats``, ``training`` and ``rows``, the stack's first. Speeds are
        megabytes (10^6 bytes of the file) a second.

    Raises:
        StackcError: a name that is not known; no such stack, level or file; a file without a byte; the stack itself
            cannot be measured. Nothing that a peer does.
    """
    from stackc.bench.run import run

    return run(
        Path(stack),
        Path(file),
        against=against,
        level=level,
        repeats=repeats,
        threads=threads,
        peer_bytes=peer_bytes,
        timeout=timeout,
        report=report,
    )
