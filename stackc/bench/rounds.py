"""Rounds: everyone in turn, again and again, so that what disturbs the machine disturbs all alike."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import attrs

from stackc.api.errors import StackcError
from stackc.bench.entrants import Entrant
from stackc.bench.process import ONE_THREAD, Worker, WorkerError

SHORTEST = 0.05
"""Seconds: what takes less is done several times over for one measurement."""

Report = Callable[[str], None]


@attrs.define(kw_only=True)
class Tally:
    """What was measured of an entrant. Seconds, one a round; of coding: for the whole file."""

    entrant: Entrant
    vocabulary: int | None = None
    size: int | None = None
    restored: bool | None = None
    peak_mb: float | None = None
    startup: list[float] = attrs.field(factory=list)
    encode: list[float] = attrs.field(factory=list)
    decode: list[float] = attrs.field(factory=list)
    failed: str | None = None


def measure(entrants: list[Entrant], file: Path, *, repeats: int, timeout: float, report: Report) -> list[Tally]:
    """Start-up first, then coding.

    Raises:
        StackcError: an entrant of the kind "stack" failed; of others, the tally says it.
    """
    tallies = [Tally(entrant=entrant) for entrant in entrants]
    _start(tallies, repeats, timeout, report)
    _code([tally for tally in tallies if tally.failed is None], file, repeats, timeout, report)
    return tallies


def ratio(first: list[float], other: list[float]) -> float | None:
    """How many times as fast as the other the first is: the median over the rounds; None where one has no times."""
    pairs = list(zip(first, other, strict=False))
    return median(theirs / ours for ours, theirs in pairs) if pairs else None


def interpreter_seconds(repeats: int) -> float:
    """What start-up takes with nothing to load."""
    seconds = []
    for _ in range(repeats):
        with Worker(None) as worker:
            worker.ask("ready")
            seconds.append(_now(worker))
    return median(seconds)


def _start(tallies: list[Tally], repeats: int, timeout: float, report: Report) -> None:
    """A fresh process each time, from its start to the first tokens; a rehearsal, not counted, goes before."""
    for turn in range(repeats + 1):
        for tally in tallies:
            if tally.failed is not None:
                continue
            with _contained(tally), _worker(tally, timeout) as worker:
                report(f"start-up, {_turn(turn, repeats)}: {tally.entrant.name}")
                tally.vocabulary = worker.ask("open", codec=tally.entrant.codec, settings=tally.entrant.settings)
                if turn:
                    tally.startup.append(_now(worker))
                else:
                    worker.ask("rehearse")


def _code(tallies: list[Tally], file: Path, repeats: int, timeout: float, report: Report) -> None:
    """One process each for all rounds. The first time through gives peak memory, and is checked, not counted."""
    with contextlib.ExitStack() as held:
        running: list[tuple[Tally, Worker, int, int]] = []  # and how often one measurement encodes, and decodes
        for tally in tallies:
            with _contained(tally):
                report(f"coding, {_turn(0, repeats)}: {tally.entrant.name}")
                worker = held.enter_context(_worker(tally, timeout))
                worker.ask("open", codec=tally.entrant.codec, settings=tally.entrant.settings)
                worker.ask("rehearse")
                worker.ask("load", file=str(file))
                encodings, decodings = _times(worker.ask("encode")), _times(worker.ask("decode"))
                outcome = worker.ask("outcome")
                tally.size, tally.restored, tally.peak_mb = (outcome[key] for key in ("size", "restored", "peak_mb"))
                running.append((tally, worker, encodings, decodings))
        for turn in range(1, repeats + 1):
            for tally, worker, encodings, decodings in running:
                if tally.failed is not None:
                    continue
                with _contained(tally):
                    report(f"coding, {_turn(turn, repeats)}: {tally.entrant.name}")
                    tally.encode.append(worker.ask("encode", times=encodings))
                    tally.decode.append(worker.ask("decode", times=decodings))


def _worker(tally: Tally, timeout: float) -> Worker:
    own = tally.entrant.kind == "stack"
    return Worker(None if own else timeout, ONE_THREAD)


@contextlib.contextmanager
def _contained(tally: Tally) -> Iterator[None]:
    """What a peer does wrong is written down; what the stack does wrong is raised."""
    try:
        yield
    except WorkerError as error:
        if tally.entrant.kind == "stack":
            raise StackcError(f"{tally.entrant.name}: cannot be measured: {error}") from error
        tally.failed = str(error)


def _times(seconds: float) -> int:
    """How often a thing is done for one measurement."""
    return max(1, min(1000, math.ceil(SHORTEST / max(seconds, 1e-9))))


def _turn(number: int, repeats: int) -> str:
    return f"round {number} of {repeats}" if number else "first time"


def _now(worker: Worker) -> float:
    return time.perf_counter() - worker.begun
