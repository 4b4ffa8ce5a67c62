"""Runs shards in worker processes of this machine, which cost a second to start and share nothing with this one.

Not `multiprocessing`: its workers import the program that started them, which must be written for that.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from stackc.api.errors import StackcError
from stackc.pipeline.engines.base import Item, Result

WORKER = "stackc.pipeline.engines.worker"

AHEAD = 2
"""Shards that are given out for each worker: one that it runs, and results that wait for their turn."""


class Processes:
    """An `stackc.pipeline.engines.base.Engine`.

    Args:
        workers: processes.
        again: the end of the error for a lost shard: what is kept, and what to do.
    """

    here = False

    def __init__(self, workers: int, again: str) -> None:
        self.workers, self.again = workers, again

    def map(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        workers = [_Worker() for _ in range(self.workers)]
        for worker in workers:
            idle.put(worker)

        def run(number: int, item: Item) -> Result:
            worker = idle.get()
            try:
                found: Result = worker.answer((work, item))
            except EOFError as error:
                raise StackcError(f"shard {number}: its worker {worker.ended()}; {self.again}") from error
            finally:
                idle.put(worker)
            return found

        handed: deque[Future[Result]] = deque()
        threads = ThreadPoolExecutor(self.workers)
        try:
            for number, item in enumerate(items):
                if len(handed) >= AHEAD * self.workers:
                    yield handed.popleft().result()
                handed.append(threads.submit(run, number, item))
            while handed:
                yield handed.popleft().result()
        finally:
            for future in handed:
                future.cancel()
            for worker in workers:
                worker.end()
            threads.shutdown()


class _Worker:
    """One process; started with its first shard."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._over = False

    def answer(self, question: tuple[Any, Any]) -> Any:
        """The result of a shard. Raises `EOFError` if the process died, and whatever the work raised."""
        if self._over:
            raise EOFError
        if self._process is None:
            # It finds the same modules as this process, and none by the folder that happens to be the current one.
            path = os.pathsep.join(name for name in sys.path if name)
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": path},
            )  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            pickle.dump(question, self._process.stdin)
            self._process.stdin.flush()
            good, found = pickle.load(self._process.stdout)
        except (OSError, ValueError, pickle.UnpicklingError) as error:
            raise EOFError from error
        if not good:
            raise found
        return found

    def ended(self) -> str:
        """How the process ended."""
        assert self._process is not None
        code = self._process.wait()
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    def end(self) -> None:
        """End the process, in the middle of a shard too."""
        self._over = True
        process = self._process
        if process is None:
            return
        with contextlib.suppress(OSError):
            process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            with contextlib.suppress(OSError, ValueError):
                if stream is not None:
                    stream.close()
