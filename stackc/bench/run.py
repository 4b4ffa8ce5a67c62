"""A whole benchmark: the entrants, their training, and the figures as plain data."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from stackc.api.errors import ArtifactError, StackcError
from stackc.api.files import read_bytes
from stackc.api.messages import amount
from stackc.bench.entrants import CODECS, Entrant, Peer, chosen
from stackc.bench.held_out import trained_on
from stackc.bench.machine import machine
from stackc.bench.process import WorkerError
from stackc.bench.rounds import Report, Seconds, Tally, interpreter_seconds, measure, ratio
from stackc.bench.training import Training
from stackc.stack.stack import Stack
from stackc.stack.store import FILES, Store

FIGURES = (
    "vocabulary", "coded_bytes", "tokens", "bytes_per_token", "compressed_bytes", "bits_per_byte", "primed_bytes",
    "primed_bits_per_byte", "cold_mb_s", "encode_mb_s", "decode_mb_s", "cold_s", "encode_s", "decode_s", "cold_cpu_s",
    "encode_cpu_s", "decode_cpu_s", "cold_tokens_per_s", "encode_tokens_per_s", "decode_tokens_per_s", "startup_s",
    "peak_mb", "ratio_cold", "ratio_encode", "ratio_decode", "restored", "note",
)  # fmt: skip
"""Of one row; all None if the entrant was skipped."""


def benchmark(
    stack: str | Path,
    file: str | Path | None = None,
    *,
    against: Sequence[str] | None = None,
    level: str | None = None,
    repeats: int = 5,
    threads: int = 1,
    peer_bytes: int = 16_000_000,
    primed_by: str | Path | None = None,
    slow_bytes: int = 2_000_000,
    timeout: float = 600.0,
    report: Report = lambda stage: None,
) -> dict[str, Any]:
    """Measure a stack and its peers on one file; every round trip is checked.

    Args:
        stack: a stack's folder.
        file: a text that none of them was trained on: any bytes, at least one; None: the stack's own test text.
        against: names of peers, e.g. "tiktoken", "zstd", or "zstd:19" for its level 19; None: all known peers.
        level: the level whose tokens are measured; None: the last.
        repeats: number of rounds, at least 1.
        threads: if more than 1, the stack is measured a second time with this many threads. Peers have one.
        peer_bytes: bytes of the stack's training text to train tokenizers on, at most, evenly spread over it.
        primed_by: a training text for compressors: they are also measured by how many bytes the file adds to it.
        slow_bytes: peers that are slow code this many bytes from the beginning of the file, at most.
        timeout: seconds that one step of a peer may take; a peer that takes longer is skipped.
        report: called with a line as work proceeds.

    Returns:
        Plain data, as `stackc bench --json` prints it: docs/reference/commands.md explains every figure.

    Raises:
        StackcError: an unknown peer, stack, level or file; an empty file; the stack (not a peer) cannot be measured.
    """
    folder, peers = Path(stack), chosen(against)
    own, vocabulary, level_name = _own(folder, level, threads)
    path = _test_text(folder) if file is None else Path(file)
    store = folder / "corpus" / "train"
    size, text = _asked(store, path, own=file is None)
    primer = primed_by and {"file": str(primed_by), "bytes": len(_content(Path(primed_by), "it primes nothing"))}
    training = Training(store=store, limit=peer_bytes, vocabulary=vocabulary, timeout=timeout, report=report)
    if any(peer.kind == "compressor" for _, peer, _ in peers):
        own += _own_files(folder, threads, slow_bytes)
    entrants = [*own, *(_entrant(training, slow_bytes, *peer) for peer in peers)]
    tallies = measure(entrants, path.resolve(), repeats=repeats, timeout=timeout, report=report, primer=primed_by)
    return {
        "machine": machine(sorted({package for _, peer, _ in peers for package in peer.packages})),
        "stack": str(folder),
        "level": level_name,
        "vocabulary": vocabulary,
        "file": str(path),
        "bytes": size,
        "text": text,
        "repeats": repeats,
        "training": training.figures(),
        "primer": primer,
        "interpreter_s": interpreter_seconds(repeats),
        "rows": [_row(tally, tallies[0], size, vocabulary) for tally in tallies],
    }


def _test_text(folder: Path) -> Path:
    """The held-out text that the stack was measured on: the symbols of its store, which are bytes.

    Raises:
        StackcError: the stack does not carry one.
    """
    try:
        Store(folder / "corpus" / "test")
    except ArtifactError as error:
        raise StackcError(f"{folder}: has no test text of its own to measure with; name a file") from error
    return folder / "corpus" / "test" / FILES[0]


def _asked(store: Path, path: Path, own: bool) -> tuple[int, dict[str, Any]]:
    """Bytes of the text that is measured, and what is known of it: the text itself is read again by the workers."""
    text = _content(path, "there is nothing to measure")
    return len(text), {"own": own, **trained_on(store, text)}


def _content(path: Path, otherwise: str) -> bytes:
    """The bytes of a file that can be read and is not empty."""
    if not (content := read_bytes(path)):
        raise StackcError(f"{path}: the file is empty; {otherwise}")
    return content


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


def _own_files(folder: Path, threads: int, slow_bytes: int) -> list[Entrant]:
    """The rows of the stack's `.stk` files, next to those of other compressors."""
    stack = Stack(folder)
    # Networks take minutes for a megabyte, as the slowest peers do.
    limit = None if getattr(stack.recipe.top.model.config, "bitwise", False) else slow_bytes
    entrants = []
    for count in sorted({1, threads}):
        row = f"{stack.name} .stk" if count == 1 else f"{stack.name} .stk, {count} threads"
        settings = {"folder": str(folder.resolve()), "threads": count}
        entrants.append(Entrant(name=row, kind="file", codec=f"{CODECS}:StkFile", settings=settings, limit=limit))
    return entrants


def _entrant(training: Training, slow_bytes: int, name: str, peer: Peer, variant: str | None) -> Entrant:
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
    limit = slow_bytes if variant in peer.slow else None
    return Entrant(name=name, kind=peer.kind, codec=peer.codec, settings=settings, limit=limit, absent=absent)


def _row(tally: Tally, first: Tally, size: int, vocabulary: int) -> dict[str, Any]:
    """One row. Ratios: how many times as fast the stack is, on one thread."""
    figures = dict.fromkeys(FIGURES) if tally.skipped is not None else _figures(tally, first, size, vocabulary)
    return {"name": tally.entrant.name, "kind": tally.entrant.kind, **figures, "skipped": tally.skipped}


def _figures(tally: Tally, first: Tally, size: int, vocabulary: int) -> dict[str, Any]:
    assert tally.size is not None
    assert tally.bytes is not None
    tokens, compressed = (None, tally.size) if tally.entrant.kind in ("file", "compressor") else (tally.size, None)
    alphabet = tally.vocabulary if tokens is not None else None
    bits = 8 * tally.size if alphabet is None else tally.size * math.log2(alphabet)
    coded, primed, steps = tally.bytes, tally.primed, (tally.cold, tally.encode, tally.decode)
    values = (
        alphabet, coded, tokens, coded / tokens if tokens else None, compressed, bits / coded, primed,
        None if primed is None else 8 * primed / coded, *(_speed(coded, step) for step in steps),
        *(_spread([one.wall for one in step]) for step in steps),
        *(_spread([one.processor for one in step]) for step in steps),
        *(_spread([tokens / one.wall for one in step]) if tokens else None for step in steps),
        _spread(tally.startup), tally.peak_mb,
        ratio(_per_byte(first, first.cold), _per_byte(tally, tally.cold)),
        ratio(_per_byte(first, first.encode), _per_byte(tally, tally.encode)),
        ratio(_per_byte(first, first.decode), _per_byte(tally, tally.decode)), tally.restored,
        "; ".join(_notes(tally, alphabet, size, vocabulary)) or None,
    )  # fmt: skip
    return dict(zip(FIGURES, values, strict=True))


def _notes(tally: Tally, alphabet: int | None, size: int, vocabulary: int) -> Iterator[str]:
    if alphabet is not None and alphabet < vocabulary:
        yield f"only {alphabet:,} tokens: the training text yields no more"
    if tally.bytes is not None and tally.bytes < size:
        yield f"slow, so measured on the first {amount(tally.bytes, 'byte')} of the file only (--slow-bytes)"
    if tally.unprimed is not None:
        yield f"not primed: {tally.unprimed}"


def _per_byte(tally: Tally, step: list[Seconds]) -> list[float]:
    assert tally.bytes is not None
    return [one.wall / tally.bytes for one in step]


def _speed(size: int, step: list[Seconds]) -> dict[str, float] | None:
    return _spread([size / one.wall / 1e6 for one in step])


def _spread(values: list[float]) -> dict[str, float] | None:
    if not values:  # compressors have no cold pass
        return None
    return {"median": median(values), "min": min(values), "max": max(values)}
