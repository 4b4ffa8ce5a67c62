"""Fuzz every door for long: python tests/fuzz/run.py --executions 100000 [--seed 1] [--target container …]

Counts executions of every target, and what came of them. Each execution has 20 seconds of the processor; a bug is
printed with what makes it happen again. Exits with 1 where there was one.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import signal
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzz.doors import DOORS
from fuzz.targets import fuzz
from stackc.api.errors import StackcError

LIMIT_S = 20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--executions", type=int, default=10_000, help="of every target")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", action="append", choices=[target.name for target in DOORS])
    parser.add_argument("--bugs", type=int, default=5, help="stop a target after so many")
    arguments = parser.parse_args()
    warnings.simplefilter("error")
    total = bugs = 0
    for target in DOORS:
        if arguments.target and target.name not in arguments.target:
            continue
        with tempfile.TemporaryDirectory(prefix="stackc-fuzz-", dir="/dev/shm") as folder:
            begun = time.monotonic()
            counted = _chunks(target(Path(folder)), arguments.executions, arguments.seed, arguments.bugs)
            seconds = time.monotonic() - begun
        total += counted["executions"]
        bugs += counted["bugs"]
        said = ", ".join(f"{number:,} {name}" for name, number in counted.items())
        print(f"{target.name}: {said}; {seconds:.0f} s", flush=True)
    print(f"in all: {total:,} executions, {bugs} bugs, seed {arguments.seed}")
    return 1 if bugs else 0


def _chunks(target, executions: int, seed: int, most: int) -> dict[str, int]:
    found = []

    def on_bug(number: int, data: bytes, error: Exception) -> None:
        print(f"BUG {target.name}, seed {seed}, execution {number}: {error!r}\n  {data[:200]!r}")
        traceback.print_exception(error, limit=-4)
        found.append(number)
        if len(found) == most:
            raise SystemExit(f"{target.name}: {most} bugs, stopped")

    for data in target.seeds():  # what is compiled is compiled before seconds count
        with contextlib.suppress(StackcError):
            target.run(data, random.Random(0))
    clock = _Clock()
    right = target.run

    def timed(data: bytes, rng) -> None:
        clock.start()
        try:
            right(data, rng)
        finally:
            clock.check()

    target.run = timed
    try:
        return fuzz(target, executions, seed, on_bug)
    finally:
        clock.stop()


class _Clock:
    """Ends an execution after `LIMIT_S` seconds of the processor, or ten times as many by the clock: on a machine that
    is busy with something else the two differ."""

    def __init__(self) -> None:
        self._begun, self._late = 0.0, False
        self._alarms = 0
        signal.signal(signal.SIGALRM, self._alarm)

    def start(self) -> None:
        self._begun, self._alarms, self._late = time.process_time(), 0, False
        signal.setitimer(signal.ITIMER_REAL, LIMIT_S)

    def check(self) -> None:
        """The error may have been lost in a callback of a library, or been taken for one of the system."""
        self.stop()
        if self._late:
            raise TimeoutError(f"an execution took more than {LIMIT_S} s")

    @staticmethod
    def stop() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _alarm(self, number: int, frame: object) -> None:
        self._alarms += 1
        if time.process_time() - self._begun < LIMIT_S and self._alarms < 10:
            signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
            return
        self._late = True
        raise TimeoutError(f"an execution took more than {LIMIT_S} s")


if __name__ == "__main__":
    raise SystemExit(main())
