"""Whether callers that share a part disturb each other. Every suite tries this with calls of its kind of part.

Scratch memory that belongs to the part, rows that two states return in one array, a table that is half made when the
next caller comes: threads alone find these faults now and then. So one caller is also run at chosen lines of another,
which finds them every time.
"""

from __future__ import annotations

import contextlib
import queue
import random
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

Job = Callable[[], Any]
"""Calls of a part, on the job's own states, and their results: numbers, arrays, or lists of these."""

THREADS = 4

PLACES, LEAST_PLACES = 250, 2
"""Lines of a job at which another job is run: the most, and the least where a job is long."""

EFFORT = 100_000
"""About how many lines are run for one pair of jobs."""

TRACED = 5
"""How many times longer a traced line takes."""

PATIENCE = 0.02
"""Seconds that a job in another thread may take; one that waits for a lock continues when the part has released it."""

ROUNDS = 2
"""How often threads start together on a fresh part."""

SWITCH = 1e-5
"""Seconds after which Python switches to another thread: the default of 5 milliseconds hides much."""

_SUITES = str(Path(__file__).parent)


def check_shared(make: Callable[[], list[Job]]) -> None:
    """Assert that jobs on one part give the same results as alone, however they are interleaved.

    Args:
        make: two or more jobs on a fresh part, each with its own states and data. A job must use or copy the results of
            a call in a later line than the call.
    """
    expected = [job() for job in make()]
    opening, sizes = _lines(make, True), [_lines(job, True) for job in make()]
    for number in range(len(expected)):
        pair = number, (number + 1) % len(expected)
        own, others = (sizes[one] for one in pair)
        for intruder in (_Here, _Elsewhere):
            lines = _lines(make()[number], intruder.everywhere)
            _check_pair(make, expected, pair, intruder, _places(lines, PLACES, others))
        # The first to come opens what is opened on first use; so that one finds it half open, one place at a time.
        for place in _places(own, PLACES // 8, opening + TRACED * own + others):
            _check_pair(make, expected, pair, _Elsewhere, {place})
    _check_together(make, expected)


def _places(lines: int, most: int, cost: int) -> set[int]:
    """Some of `lines` lines, the same ones every time; `cost` lines are run at each of them."""
    count = min(lines, most, max(LEAST_PLACES, EFFORT // cost))
    return set(random.Random(0).sample(range(lines), count))  # evenly spread ones may miss every line of a loop but one


def _check_pair(
    make: Callable[[], list[Job]],
    expected: list[Any],
    pair: tuple[int, int],
    intruder: type[_Here],
    places: set[int],
) -> None:
    """Assert it of two jobs on a fresh part, the second of which comes into the first at these lines."""
    jobs = make()
    number, other = pair
    how = f"job {number} of the suite, into which job {other} comes {intruder.how}"
    with _blaming(how), intruder(jobs[other]) as coming:
        found = _interrupted(jobs[number], coming, places)
    assert _same(found, expected[number]), _said(number, f"when job {other} comes in {intruder.how}")
    assert all(_same(one, expected[other]) for one in coming.found), _said(other, f"in job {number}, {intruder.how}")


class _Here:
    """Runs a job in the same thread, between two calls of the suite."""

    how = "between two calls"
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

    how = "in another thread"
    everywhere = True

    # Its own queues: the part may be at a line of `concurrent.futures` and hold a lock of that module.

    def __enter__(self) -> _Elsewhere:
        self._asked: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._busy = False
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._asked.put(False)
        self._thread.join()
        if error == (None, None, None) and self._error is not None:
            raise self._error

    def _work(self) -> None:
        while self._asked.get():
            try:
                self.found.append(self._job())
            except Exception as error:
                self._error = error
            self._done.put(None)

    def come(self) -> None:
        with contextlib.suppress(queue.Empty):
            if self._busy:  # it may wait for a lock that the part holds here
                self._done.get_nowait()
            else:
                self._asked.put(True)
                self._busy = True
                self._done.get(timeout=PATIENCE)
            self._busy = False


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
    """The result of a job that another job interrupts at the chosen lines."""
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
                with _blaming(f"jobs in {THREADS} threads"):
                    answers = [found for one in running for found in one.result()]
                for number, answer in answers:
                    assert _same(answer, expected[number]), _said(number, f"in one of {THREADS} threads")
    finally:
        sys.setswitchinterval(interval)


def _in_turn(jobs: list[Job], barrier: threading.Barrier, first: int) -> list[tuple[int, Any]]:
    """Every job once, beginning with another one in every thread."""
    barrier.wait()
    order = [(first + i) % len(jobs) for i in range(len(jobs))]
    return [(number, jobs[number]()) for number in order]


def _said(number: int, how: str) -> str:
    return f"job {number} of the suite has another result {how}: a part may be shared by callers and their threads"


@contextlib.contextmanager
def _blaming(what: str) -> Iterator[None]:
    """An exception in jobs that raise none alone is a failure too."""
    try:
        yield
    except Exception as error:
        said = f"{what}: {type(error).__name__}: {error}; a part may be shared by callers and their threads"
        raise AssertionError(said) from error


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)
