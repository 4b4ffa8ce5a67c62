"""A whole run: the entrants, their training, and the figures as plain data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from stackc.api.errors import ArtifactError, StackcError
from stackc.api.files import read_bytes
from stackc.bench.entrants import CODECS, Entrant, Peer, chosen
from stackc.bench.machine import machine
from stackc.bench.process import WorkerError
from stackc.bench.rounds import Report, Tally, interpreter_seconds, measure, ratio
from stackc.bench.training import Training
from stackc.stack.stack import Stack

FIGURES = (
    "vocabulary", "tokens", "bytes_per_token", "bits_per_byte", "encode_mb_s", "decode_mb_s", "startup_s", "peak_mb",
    "ratio_encode", "ratio_decode", "restored", "note",
)  # fmt: skip
"""Of one row; all None if the entrant was skipped."""


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
    report: Report = lambda stage: None,
) -> dict[str, Any]:
    """Measure a stack and its peers on one file; every round trip is checked.

    Args:
        stack: a stack's folder.
        file: a text that none of them was trained on: any bytes, at least one.
        against: names of peers, e.g. "tiktoken", "zstd", or "zstd:19" for its level 19; None: all known peers.
        level: the level whose tokens are measured; None: the last.
        repeats: number of rounds, at least 1.
        threads: if more than 1, the stack is measured a second time with this many threads. Peers have one.
        peer_bytes: bytes of the stack's training text to train tokenizers on, at most, evenly spread over it.
        timeout: seconds that one step of a peer may take; a peer that takes longer is skipped.
        report: called with a line as work proceeds.

    Returns:
        Plain data, as `stackc bench --json` prints it (docs/reference/commands.md): ``machine``, ``stack``, ``level``,
        ``vocabulary``, ``file``, ``bytes``, ``repeats``, ``training`` and ``rows``, the stack's first. Speeds are in
        megabytes (10^6 bytes of the file) per second.

    Raises:
        StackcError: an unknown peer, stack, level or file; an empty file; the stack cannot be measured. A failure of a
            peer raises nothing.
    """
    folder, path = Path(stack), Path(file)
    peers = chosen(against)
    own, vocabulary, level_name = _own(folder, level, threads)
    size = len(read_bytes(path))
    if not size:
        raise StackcError(f"{path}: the file is empty; there is nothing to measure")
    training = Training(
        store=folder / "corpus" / "train", limit=peer_bytes, vocabulary=vocabulary, timeout=timeout, report=report
    )
    entrants = [*own, *(_entrant(training, *peer) for peer in peers)]
    tallies = measure(entrants, path.resolve(), repeats=repeats, timeout=timeout, report=report)
    return {
        "machine": machine(sorted({package for _, peer, _ in peers for package in peer.packages})),
        "stack": str(folder),
        "level": level_name,
        "vocabulary": vocabulary,
        "file": str(path),
        "bytes": size,
        "repeats": repeats,
        "training": training.figures(),
        "interpreter_s": interpreter_seconds(repeats),
        "rows": [_row(tally, tallies[0], size, vocabulary) for tally in tallies],
    }


def _own(folder: Path, level: str | None, threads: int) -> tuple[list[Entrant], int, str | None]:
    """The stack's rows, the vocabulary of the level, and its name."""
    stack = Stack(folder)
    index = stack.level_index(level)
    made = stack.manifest["levels"][index - 1] if index else {}
    name = f"{stack.name} {made['name']}" if index else stack.name
    entrants = []
    for count in sorted({1, threads}):
        settings = {"folder": str(folder.resolve()), "level": level, "threads": count}
        row = name if count == 1 else f"{name}, {count} threads"
        entrants.append(Entrant(name=row, kind="stack", codec=f"{CODECS}:StackCodec", settings=settings))
    return entrants, made.get("token_alphabet", 256), made.get("name")


def _entrant(training: Training, name: str, peer: Peer, variant: str | None) -> Entrant:
    """A peer, trained if it needs to be."""
    settings, absent = dict(peer.settings), None
    if missing := peer.missing():
        absent = f"not installed: pip install {' '.join(missing)}"
    elif peer.trainer is not None:
        try:
            settings["folder"] = str(training.folder(peer.trainer, variant))
        except (WorkerError, ArtifactError, OSError) as error:
            absent = f"cannot be trained: {error}"
    elif variant is not None:
        settings["variant"] = variant
    return Entrant(name=name, kind=peer.kind, codec=peer.codec, settings=settings, absent=absent)


def _row(tally: Tally, first: Tally, size: int, vocabulary: int) -> dict[str, Any]:
    """One row. Ratios: how many times as fast the stack is, on one thread."""
    figures = dict.fromkeys(FIGURES) if tally.skipped is not None else _figures(tally, first, size, vocabulary)
    return {"name": tally.entrant.name, "kind": tally.entrant.kind, **figures, "skipped": tally.skipped}


def _figures(tally: Tally, first: Tally, size: int, vocabulary: int) -> dict[str, Any]:
    assert tally.size is not None
    tokens = None if tally.entrant.kind == "compressor" else tally.size
    alphabet = tally.vocabulary if tokens is not None else None
    bits = 8 * tally.size if alphabet is None else tally.size * math.log2(alphabet)
    short = alphabet is not None and alphabet < vocabulary
    values = (
        alphabet, tokens, size / tokens if tokens else None, bits / size, _speed(size, tally.encode),
        _speed(size, tally.decode), _spread(tally.startup), tally.peak_mb, ratio(first.encode, tally.encode),
        ratio(first.decode, tally.decode), tally.restored,
        f"only {alphabet:,} tokens: the training text yields no more" if short else None,
    )  # fmt: skip
    return dict(zip(FIGURES, values, strict=True))


def _speed(size: int, seconds: list[float]) -> dict[str, float]:
    return _spread([size / one / 1e6 for one in seconds])


def _spread(values: list[float]) -> dict[str, float]:
    return {"median": median(values), "min": min(values), "max": max(values)}
