"""The parent's side of a worker: starts it, sends it commands, and survives whatever it does."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from typing import Any

ONE_THREAD = {"TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1"}
"""For libraries that use all cores by default."""

LONGEST = 300
"""Characters of a reason, at most."""


class WorkerError(Exception):
    """A worker failed, ended or took too long; the text is the reason, in one line."""


class Worker:
    """A worker process. Use it in a `with` statement, which ends it.

    Args:
        timeout: seconds to wait for one answer; None: no limit.
        environment: variables to set.
    """

    def __init__(self, timeout: float | None, environment: dict[str, str] | None = None) -> None:
        self._timeout = timeout
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the worker
        self.begun = time.perf_counter()
        # -P: a file in the current folder must not be imported as a module.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "stackc.bench.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env={**os.environ, **(environment or {})},
            text=True,
        )
        self._answers: queue.Queue[str] = queue.Queue()
        # A thread that reads: the only way on all systems to wait for a line with a time limit.
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def ask(self, do: str, **arguments: Any) -> Any:
        """The answer to a command of `stackc.bench.worker.Session`.

        Raises:
            WorkerError: the command failed, or there was no answer in time; then the worker is ended.
        """
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it has ended; its last line is read below
            self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self._process.stdin.flush()
        try:
            line = self._answers.get(timeout=self._timeout)
        except queue.Empty:
            self.close()
            raise WorkerError(f"took more than {self._timeout:g} s to {do} (--timeout)") from None
        if not line:
            raise WorkerError(self._last_words())
        answer = json.loads(line)
        if "error" in answer:
            raise WorkerError(_shortened(answer["error"]))
        return answer["ok"]

    def close(self) -> None:
        if not self._said.closed:
            self._process.kill()
            self._process.wait()
            self._reader.join(timeout=1)
            # A process that the peer left behind may hold standard output open; the reader still needs it then.
            pipes = [self._process.stdin, None if self._reader.is_alive() else self._process.stdout]
            for pipe in pipes:
                with contextlib.suppress(OSError):
                    if pipe is not None:
                        pipe.close()
            self._said.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(ValueError, OSError):  # closed while it was being read
            for line in self._process.stdout:
                self._answers.put(line)
        self._answers.put("")

    def _last_words(self) -> str:
        code = self._process.wait()
        self._said.seek(0)
        lines = self._said.read().decode("utf-8", "replace").strip().splitlines()
        how = f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        self.close()
        return _shortened(f"{how}: {lines[-1].strip()}" if lines else how)


def _shortened(reason: str) -> str:
    return reason if len(reason) <= LONGEST else reason[: LONGEST - 1] + "…"
