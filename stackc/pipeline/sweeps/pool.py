"""Worker processes, each building one run at a time; a worker that dies is replaced, and its run has failed."""

from __future__ import annotations

import contextlib
import json
import queue
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import attrs

WORKER = "stackc.pipeline.sweeps.worker"

ENDS = ("done", "failed", "busy")
"""The events with which a job ends."""

GRACE_SECONDS = 5.0
"""Seconds that a worker has to end before it is killed."""


@attrs.frozen(kw_only=True)
class Answer:
    """A line of a worker.

    Attributes:
        worker: its number.
        content: its data. ``event`` is "line" or "stage" while it works, and "done", "failed" or "busy" at the end.
        seconds: since its job began.
    """

    worker: int
    content: dict[str, Any]
    seconds: float


class Pool:
    """Workers by number. Use it in a `with` statement, which ends them.

    Args:
        workers: how many; each is started when it gets its first job.
    """

    def __init__(self, workers: int) -> None:
        self._processes: dict[int, subprocess.Popen[str]] = {}
        self._readers: dict[int, threading.Thread] = {}
        self._answers: queue.SimpleQueue[tuple[int, subprocess.Popen[str], dict[str, Any]]] = queue.SimpleQueue()
        self.idle = list(range(workers))
        self._busy: dict[int, float] = {}  # when their jobs began

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes.values():
            with contextlib.suppress(OSError):
                process.terminate()
        for worker in list(self._processes):
            self._end(worker)

    def retire(self, worker: int) -> None:
        """End an idle worker; its next job gets a new one."""
        process = self._processes.get(worker)
        if process is not None:
            process.terminate()
            self._end(worker)

    def start(self, job: dict[str, Any]) -> int:
        """Give a job to an idle worker; returns the worker's number."""
        worker = self.idle.pop(0)
        self._busy[worker] = time.monotonic()
        process = self._processes.get(worker)
        if process is not None and process.poll() is not None:
            self._end(worker)
            process = None
        if process is None:
            process = self._processes[worker] = self._started(worker)
        assert process.stdin is not None
        with contextlib.suppress(OSError):  # it has died; its reader reports that
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
        return worker

    def answer(self, seconds: float) -> Answer | None:
        """The next answer of any worker; None if no worker answers for this long."""
        try:
            worker, process, content = self._answers.get(timeout=seconds)
        except queue.Empty:
            return None
        if worker not in self._busy or self._processes.get(worker) is not process:  # it ended with nothing to do
            return None
        begun = self._busy[worker]
        if content["event"] in ENDS:
            del self._busy[worker]
            self.idle.append(worker)
        return Answer(worker=worker, content=content, seconds=time.monotonic() - begun)

    def _started(self, worker: int) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        self._readers[worker] = threading.Thread(target=self._read, args=(worker, process), daemon=True)
        self._readers[worker].start()
        return process

    def _end(self, worker: int) -> None:
        """Wait until a process that was asked to end has ended."""
        process = self._processes.pop(worker)
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._readers.pop(worker).join(GRACE_SECONDS)
        for stream in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                if stream is not None:
                    stream.close()

    def _read(self, worker: int, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with contextlib.suppress(OSError, ValueError):
            for line in process.stdout:
                self._answers.put((worker, process, json.loads(line)))
        self._answers.put((worker, process, {"event": "failed", "reason": _ended(process.wait())}))


def _ended(code: int) -> str:
    """Why a process that was building ended."""
    if code >= 0:
        return f"its process ended with exit code {code}"
    name = signal.Signals(-code).name if -code in {int(one) for one in signal.Signals} else f"signal {-code}"
    hint = "; perhaps memory was exhausted: use fewer --jobs" if -code == signal.SIGKILL else ""
    return f"its process was ended by {name}{hint}"
