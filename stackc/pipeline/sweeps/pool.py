"""Worker processes, each building one run at a time; a worker that dies is replaced, and its run has failed."""

from __future__ import annotations

import contextlib
import json
import queue
import signal
import subprocess
import sys
import threading
from typing import Any

import attrs

WORKER = "stackc.pipeline.sweeps.worker"

ENDS = ("done", "failed", "busy")
"""The events with which a job ends."""

GRACE_SECONDS = 5.0
"""That a worker has to end before it is killed."""


@attrs.frozen(kw_only=True)
class Answer:
    """A line of a worker.

    Attributes:
        worker: its number.
        content: its data. ``event`` is "line" or "stage" while it works, and "done", "failed" or "busy" at the end.
    """

    worker: int
    content: dict[str, Any]


class Pool:
    """Workers by number. Use it in a `with` statement, which ends them.

    Args:
        workers: how many; each is started when it gets its first job.
    """

    def __init__(self, workers: int) -> None:
        self._processes: dict[int, subprocess.Popen[str]] = {}
        self._answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self.idle = list(range(workers))
        self._busy: set[int] = set()

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes.values():
            with contextlib.suppress(OSError):
                process.terminate()
        for process in self._processes.values():
            try:
                process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for stream in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    if stream is not None:
                        stream.close()

    def start(self, job: dict[str, Any]) -> int:
        """Give a job to an idle worker; returns the worker's number."""
        worker = self.idle.pop(0)
        self._busy.add(worker)
        process = self._processes.get(worker)
        if process is None or process.poll() is not None:
            process = self._processes[worker] = self._started(worker)
        assert process.stdin is not None
        with contextlib.suppress(OSError):  # it has died; its reader reports that
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
        return worker

    def answer(self, seconds: float) -> Answer | None:
        """The next answer of any worker; None if there is none for this long."""
        try:
            found = self._answers.get(timeout=seconds)
        except queue.Empty:
            return None
        if found.worker not in self._busy:  # it has ended, and had nothing to do
            return None
        if found.content["event"] in ENDS:
            self._busy.remove(found.worker)
            self.idle.append(found.worker)
        return found

    def _started(self, worker: int) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        threading.Thread(target=self._read, args=(worker, process), daemon=True).start()
        return process

    def _read(self, worker: int, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with contextlib.suppress(OSError, ValueError):
            for line in process.stdout:
                self._answers.put(Answer(worker=worker, content=json.loads(line)))
        self._answers.put(Answer(worker=worker, content={"event": "failed", "reason": _ended(process.wait())}))


def _ended(code: int) -> str:
    """Why a process that was building ended."""
    if code >= 0:
        return f"its process ended with exit code {code}"
    name = signal.Signals(-code).name if -code in {int(one) for one in signal.Signals} else f"signal {-code}"
    hint = "; perhaps memory was exhausted: use fewer --jobs" if -code == signal.SIGKILL else ""
    return f"its process was ended by {name}{hint}"
