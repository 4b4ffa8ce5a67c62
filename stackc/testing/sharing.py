"""Whether callers that share a part disturb each other. Every suite tries this with calls of its kind of part.

Scratch that a part keeps on itself, rows that two states return in one array, a table that is half made when the
next caller comes: threads alone find these now and then, so callers are put between each other at chosen lines as
well, which finds them every time.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

Job = Callable[[], Any]
"""Calls of a part, on states of its own, and what they answered: numbers, arrays, or lists of these."""

THREADS = 4

PLACES, LEAST_PLACES = 32, 8
"""Lines of a job, evenly spread, at which another job is run; fewer of them where that would take longer than"""
SECONDS = 0.2
"""so many seconds."""

PATIENCE = 0.2
"""Seconds that a job in another thread may take; one that waits for a lock goes on when the part has given it back."""

ROUNDS = 3
"""Times that threads begin together on a fresh part."""

SWITCH = 1e-5
"""Seconds after which Python lets another thread go on: 5 milliseconds, as it comes, hide much."""

_SUITES = str(Path(__file__).parent)


def check_shared(make: Callable[[], list[Job]]) -> None:
    """Assert that jobs on one part answer what they answer alone, however they come between each other.

    Args:
        make: two jobs or more on a fresh part, on other states and other data each. What a part returns must be used
            or copied in a later line than the call's.
    """
    expected, seconds = [], []
    for job in make():
        began = time.perf_counter()
        expected.append(job())
        seconds.append(time.perf_counter() - began)
    for number in range(len(expected)):
        other = (number + 1) % len(expected)
        places = max(LEAST_PLACES, min(PLACES, int(SECONDS / seconds[other])))
        for how, comes_between in (("between two calls", _Here), ("in another thread", _Elsewhere)):
            lines = _lines(make()[number], comes_between.everywhere)
            chosen = {lines * place // places for place in range(places)}
            jobs = make()
            with comes_between(jobs[other]) as intruder:
                found = _interrupted(jobs[number], intruder, chosen)
            said = f"job {number} answers otherwise when job {other} comes in {how}: a part may be shared by callers"
            assert _same(found, expected[number]), said
            assert all(_same(one, expected[other]) for one in intruder.found), said
    _check_together(make, expected)


class _Here:
    """Runs a job in the same thread, between two calls of the suite."""

    everywhere = False

    def __init__(self, job: Job) -> None:
        self._job = job
        self.found: list[Any] = []

    def __enter__(self) -> _Here:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def come(self) -> None:
        self.found.append(self._job())


class _Elsewhere(_Here):
    """Runs a job in another thread, at any line of the part."""

    everywhere = True

    def __enter__(self) -> _Elsewhere:
        self._pool = ThreadPoolExecutor(1)
        self._begun: list[Future[Any]] = []
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown()
        if error == (None, None, None):
            self.found = [one.result() for one in self._begun]

    def come(self) -> None:
        if self._begun and not self._begun[-1].done():
            return  # it waits for a lock that the part holds here
        self._begun.append(self._pool.submit(self._job))
        wait(self._begun[-1:], PATIENCE)


def _lines(job: Job, everywhere: bool) -> int:
    """How many lines a job runs: of the suite, or of all Python code."""
    count = 0

    def line() -> None:
        nonlocal count
        count += 1

    with _at_lines(line, everywhere):
        job()
    return count


def _interrupted(job: Job, intruder: _Here, chosen: set[int]) -> Any:
    """What a job answers while another comes in at the chosen ones of its lines."""
    count = -1

    def line() -> None:
        nonlocal count
        count += 1
        if count in chosen:
            intruder.come()

    with _at_lines(line, intruder.everywhere):
        return job()


@contextlib.contextmanager
def _at_lines(call: Callable[[], None], everywhere: bool) -> Iterator[None]:
    """Call a function before every line that this thread runs, in calls that begin inside."""

    def trace(frame: FrameType, event: str, detail: Any) -> Any:
        if event == "line":
            call()
        return trace if everywhere or frame.f_code.co_filename.startswith(_SUITES) else None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


def _check_together(make: Callable[[], list[Job]], expected: list[Any]) -> None:
    """Assert it of threads that begin at one moment, each with another job. Only here does compiled code meet."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH)
    try:
        with ThreadPoolExecutor(THREADS) as pool:
            for _ in range(ROUNDS):
                jobs, barrier = make(), threading.Barrier(THREADS)
                running = [pool.submit(_in_turn, jobs, barrier, first) for first in range(THREADS)]
                for number, answer in (found for one in running for found in one.result()):
                    assert _same(answer, expected[number]), (
                        f"job {number} answers otherwise in one of {THREADS} threads: a part may be shared by threads"
                    )
    finally:
        sys.setswitchinterval(interval)


def _in_turn(jobs: list[Job], barrier: threading.Barrier, first: int) -> list[tuple[int, Any]]:
    """Every job once, beginning with another one in every thread."""
    barrier.wait()
    order = [(first + i) % len(jobs) for i in range(len(jobs))]
    return [(number, jobs[number]()) for number in order]


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)
