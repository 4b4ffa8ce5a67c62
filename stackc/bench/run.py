"""A whole run: who takes part, what they are trained on, what is measured, as plain data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import attrs

from stackc.api.errors import ArtifactError, StackcError
from stackc.api.files import read_bytes
from stackc.bench.entrants import Entrant, Peer, chosen
from stackc.bench.machine import machine
from stackc.bench.process import WorkerError
from stackc.bench.rounds import Report, Tally, interpreter_seconds, measure, ratio
from stackc.bench.sample import Sample, sample
from stackc.bench.training import trained
from stackc.stack.stack import Stack


@attrs.frozen(kw_only=True)
class _Absent:
    """A peer that does not take part, and why."""

    name: str
    kind: str
    reason: str


def run(
    stack: Path,
    file: Path,
    *,
    against: Sequence[str] | None,
    level: str | None,
    repeats: int,
    threads: int,
    peer_bytes: int,
    timeout: float,
    report: Report,
) -> dict[str, Any]:
    """`stackc.bench.benchmark`."""
    peers = chosen(against)
    own, vocabulary, level_name = _own(stack, level, threads)
    size = len(read_bytes(file))
    if not size:
        raise StackcError(f"{file}: empty; there is nothing to measure")
    training = _Training(stack / "corpus" / "train", peer_bytes, vocabulary, timeout, report)
    everyone = [*own, *(training.entrant(*peer) for peer in peers)]
    tallies = measure(
        [one for one in everyone if isinstance(one, Entrant)],
        file.resolve(),
        repeats=repeats,
        timeout=timeout,
        report=report,
    )
    by_name = {tally.entrant.name: tally for tally in tallies}
    first = tallies[0]
    return {
        "machine": machine(sorted({package for _, peer, _ in peers for package in peer.modules})),
        "stack": str(stack),
        "level": level_name,
        "vocabulary": vocabulary,
        "file": str(file),
        "bytes": size,
        "repeats": repeats,
        "training": training.figures(),
        "interpreter_s": interpreter_seconds(repeats),
        "rows": [
            _absent(one) if isinstance(one, _Absent) else _row(by_name[one.name], first, size, vocabulary)
            for one in everyone
        ],
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
        entrants.append(Entrant(name=row, kind="stack", codec="stackc.bench.stack_codec:StackCodec", settings=settings))
    return entrants, made.get("token_alphabet", 256), made.get("name")


class _Training:
    """Makes entrants of peers: trains those that are trained."""

    def __init__(self, store: Path, limit: int, vocabulary: int, timeout: float, report: Report) -> None:
        self._store, self._limit, self._vocabulary = store, limit, vocabulary
        self._timeout, self._report = timeout, report
        self._sample: Sample | None = None

    def entrant(self, name: str, peer: Peer, variant: str | None) -> Entrant | _Absent:
        missing = peer.missing()
        if missing:
            reason = f"not installed: pip install {' '.join(missing)}"
            return _Absent(name=name, kind=peer.kind, reason=reason)
        settings: dict[str, Any] = {}
        if peer.trainer is not None:
            try:
                settings = {"folder": str(self._trained(peer, variant))}
            except (WorkerError, ArtifactError, OSError) as error:
                return _Absent(name=name, kind=peer.kind, reason=f"cannot be trained: {error}")
        elif variant is not None:
            settings = {"variant": variant}
        return Entrant(name=name, kind=peer.kind, codec=peer.codec, settings=settings)

    def figures(self) -> dict[str, int] | None:
        """Bytes that peers were trained on, and of the whole training text; None where none was trained."""
        return None if self._sample is None else {"bytes": self._sample.size, "of": self._sample.total}

    def _trained(self, peer: Peer, variant: str | None) -> Path:
        assert peer.trainer is not None
        if self._sample is None:
            self._sample = sample(self._store, self._limit)
        source: dict[str, object] = {"store": str(self._store.resolve()), "limit": self._limit}
        return trained(peer.trainer, variant, self._vocabulary, self._sample, source, self._timeout, self._report)


def _row(tally: Tally, first: Tally, size: int, vocabulary: int) -> dict[str, Any]:
    """The figures of one entrant. Ratios: how many times as fast the stack is, on one thread."""
    entrant = tally.entrant
    if tally.failed is not None or tally.size is None:
        return _absent(_Absent(name=entrant.name, kind=entrant.kind, reason=f"failed: {tally.failed}"))
    tokens = None if entrant.kind == "compressor" else tally.size
    alphabet = tally.vocabulary if tokens is not None else None
    bits = 8 * tally.size if alphabet is None else tally.size * math.log2(alphabet)
    short = alphabet is not None and alphabet < vocabulary
    return {
        "name": entrant.name,
        "kind": entrant.kind,
        "vocabulary": alphabet,
        "tokens": tokens,
        "bytes_per_token": size / tokens if tokens else None,
        "bits_per_byte": bits / size,
        "encode_mb_s": _speed(size, tally.encode),
        "decode_mb_s": _speed(size, tally.decode),
        "startup_s": _spread(tally.startup),
        "peak_mb": tally.peak_mb,
        "ratio_encode": ratio(first.encode, tally.encode),
        "ratio_decode": ratio(first.decode, tally.decode),
        "restored": tally.restored,
        "note": f"{alphabet:,} texts: the training text gives no more" if short else None,
        "skipped": None,
    }


def _absent(one: _Absent) -> dict[str, Any]:
    figures = (
        "vocabulary", "tokens", "bytes_per_token", "bits_per_byte", "encode_mb_s", "decode_mb_s", "startup_s",
        "peak_mb", "ratio_encode", "ratio_decode", "restored", "note",
    )  # fmt: skip
    return {"name": one.name, "kind": one.kind, **dict.fromkeys(figures), "skipped": one.reason}


def _speed(size: int, seconds: list[float]) -> dict[str, float]:
    return _spread([size / one / 1e6 for one in seconds])


def _spread(values: list[float]) -> dict[str, float]:
    return {"median": median(values), "min": min(values), "max": max(values)}
