"""Rounds: all entrants in turn, several times, so that whatever slows down the machine affects all of them alike."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

import attrs

from stackc.api.errors import StackcError
from stackc.bench.entrants import Entrant
from stackc.bench.process import ONE_THREAD, Worker, WorkerError

SHORTEST = 0.05
"""Seconds: a step that takes less is repeated within one measurement."""

Report = Callable[[str], None]


class Seconds(NamedTuple):
    """The duration of one step: on the clock, and of processors, which other programs on the machine change little."""

    wall: float
    processor: float


@attrs.define(kw_only=True)
class Tally:
    """The measurements of one entrant.

    Attributes:
        bytes: of the file that it codes: all, or as many as the entrant's limit.
        size: number of tokens, or of compressed bytes.
        startup: seconds, one value per round.
        cold: of a tokenizer: one value per round, to encode all of `bytes` the first time in a new process.
        encode, decode: one value per round, for all of `bytes`, which the process has coded before.
        primed: bytes that the file adds to the compressed primer; None if it was not measured.
        unprimed: why it could not be.
        skipped: why it has no figures.
    """

    entrant: Entrant
    vocabulary: int | None = None
    bytes: int | None = None
    size: int | None = None
    restored: bool | None = None
    peak_mb: float | None = None
    startup: list[float] = attrs.field(factory=list)
    cold: list[Seconds] = attrs.field(factory=list)
    encode: list[Seconds] = attrs.field(factory=list)
    decode: list[Seconds] = attrs.field(factory=list)
    primed: int | None = None
    unprimed: str | None = None
    skipped: str | None = None


def measure(
    entrants: list[Entrant],
    file: Path,
    *,
    repeats: int,
    timeout: float,
    report: Report,
    primer: str | Path | None = None,
) -> list[Tally]:
    """Measure new processes first, then warm ones, then what compressors gain by coding `primer` before the file.

    Raises:
        StackcError: an entrant of the kind "stack" failed. The failure of any other is recorded in its tally.
    """
    tallies = [Tally(entrant=entrant, skipped=entrant.absent) for entrant in entrants]
    _start(tallies, file, repeats, timeout, report)
    _code(tallies, file, repeats, timeout, report)
    if primer is not None:
        _prime(tallies, file, primer, timeout, report)
    return tallies


def ratio(first: list[float], other: list[float]) -> float | None:
    """How many times as fast the first is: the median over the rounds; None if one has no times."""
    pairs = list(zip(first, other, strict=False))
    return median(theirs / ours for ours, theirs in pairs) if pairs else None


def interpreter_seconds(repeats: int) -> float:
    """Seconds that start-up takes with nothing to load."""
    seconds = []
    for _ in range(repeats):
        with Worker(None) as worker:
            worker.ask("ready")
            seconds.append(_now(worker))
    return median(seconds)


def _turns(step: str, tallies: list[Tally], repeats: int, report: Report) -> Iterator[tuple[int, Tally]]:
    """All entrants that have not failed, in turn, in turns 0 .. repeats. Turn 0 is not counted: it fills the caches."""
    for turn in range(repeats + 1):
        for tally in tallies:
            if tally.skipped is None:
                number = f"round {turn} of {repeats}" if turn else "first time"
                report(f"{step}, {number}: {tally.entrant.name}")
                yield turn, tally


def _start(tallies: list[Tally], file: Path, repeats: int, timeout: float, report: Report) -> None:
    """Time new processes from their start to the first tokens, and tokenizers on a file that they have never seen."""
    for turn, tally in _turns("start-up", tallies, repeats, report):
        with _contained(tally), _worker(tally, timeout) as worker:
            tally.vocabulary = worker.ask("open", codec=tally.entrant.codec, settings=tally.entrant.settings)
            if not turn:
                worker.ask("rehearse")
                continue
            tally.startup.append(_now(worker))
            if tally.entrant.kind in ("stack", "tokenizer"):
                worker.ask("load", file=str(file), limit=tally.entrant.limit)
                tally.cold.append(Seconds(*worker.ask("encode")))


def _code(tallies: list[Tally], file: Path, repeats: int, timeout: float, report: Report) -> None:
    """Time coding in one process per entrant. Turn 0 gives the peak memory, and its result is checked."""
    with contextlib.ExitStack() as held:
        running: dict[str, tuple[Worker, int, int]] = {}  # and how often one measurement encodes and decodes
        for turn, tally in _turns("coding", tallies, repeats, report):
            with _contained(tally):
                if turn:
                    worker, encodings, decodings = running[tally.entrant.name]
                    tally.encode.append(Seconds(*worker.ask("encode", times=encodings)))
                    tally.decode.append(Seconds(*worker.ask("decode", times=decodings)))
                    continue
                worker = held.enter_context(_worker(tally, timeout))
                worker.ask("open", codec=tally.entrant.codec, settings=tally.entrant.settings)
                worker.ask("rehearse")
                tally.bytes = worker.ask("load", file=str(file), limit=tally.entrant.limit)
                running[tally.entrant.name] = worker, _times(worker.ask("encode")), _times(worker.ask("decode"))
                outcome = worker.ask("outcome")
                tally.size, tally.restored, tally.peak_mb = (outcome[key] for key in ("size", "restored", "peak_mb"))


def _prime(tallies: list[Tally], file: Path, primer: str | Path, timeout: float, report: Report) -> None:
    """Code the primer alone, then with the file behind it, once; the second is decoded, to check it."""
    for tally in tallies:
        if tally.skipped is not None or tally.entrant.kind != "compressor":
            continue
        report(f"priming: {tally.entrant.name}")
        try:
            with _worker(tally, timeout) as worker:
                worker.ask("open", codec=tally.entrant.codec, settings=tally.entrant.settings)
                # Both sizes must come from the same settings, so the codec is set before the primer is coded alone.
                both = {"file": str(file), "limit": tally.entrant.limit, "primer": str(primer)}
                worker.ask("reach", size=worker.ask("load", **both))
                worker.ask("load", file=str(primer), limit=None)
                worker.ask("encode")
                alone = worker.ask("size")
                worker.ask("load", **both)
                worker.ask("encode")
                worker.ask("decode")
                outcome = worker.ask("outcome")
        except WorkerError as error:
            tally.unprimed = str(error)
        else:
            if outcome["restored"]:
                tally.primed = outcome["size"] - alone
            else:
                tally.unprimed = "the decoded text differs from primer and file"


def _worker(tally: Tally, timeout: float) -> Worker:
    own = tally.entrant.kind == "stack"
    return Worker(None if own else timeout, ONE_THREAD)


@contextlib.contextmanager
def _contained(tally: Tally) -> Iterator[None]:
    """Record the failure of a peer; raise a failure of the stack."""
    try:
        yield
    except WorkerError as error:
        if tally.entrant.kind == "stack":
            raise StackcError(f"{tally.entrant.name}: cannot be measured: {error}") from error
        tally.skipped = f"failed: {error}"


def _times(seconds: tuple[float, float]) -> int:
    """How often a step of this length, the first of the two, is repeated for one measurement."""
    return max(1, min(1000, math.ceil(SHORTEST / max(seconds[0], 1e-9))))


def _now(worker: Worker) -> float:
    return time.perf_counter() - worker.begun
