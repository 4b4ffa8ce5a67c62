"""What processes that tests start have in common."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, Any

WARM = """
import importlib, json, os, sys
for module in sys.argv[1:]:
    importlib.import_module(module)
while line := sys.stdin.readline():
    code, *arguments = json.loads(line)
    child = os.fork()
    if not child:
        sys.argv[1:] = arguments
        exec(compile(code, "<code>", "exec"), {"__name__": "__main__"})
        sys.exit()
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Parent:
    """A process that imports modules and then forks as it is told, a line for each job."""

    def __init__(self, code: str, *imports: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", code, *imports], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._jobs, self._answers = self._process.stdin, self._process.stdout

    def give(self, job: list[Any]) -> None:
        self._jobs.write(json.dumps(job).encode() + b"\n")

    def close(self) -> None:
        self._jobs.close()
        self._answers.close()
        assert self._process.wait(timeout=60) == 0


class Warm(Parent):
    """Runs code in processes of its own, one after another, which share what imports take.

    Args:
        imports: modules to import before the processes part.
    """

    def __init__(self, *imports: str) -> None:
        super().__init__(WARM, *imports)

    def start(self, code: str, *arguments: str) -> Forked:
        self.give([code, *arguments])
        return Forked(self._answers)


class Forked:
    """A process of `Warm`, as `subprocess.Popen` has it."""

    def __init__(self, told: IO[bytes]) -> None:
        self._told = told
        self._code: int | None = None
        self.pid = int(told.readline())

    def poll(self) -> int | None:
        return self.wait() if self._code is not None or select.select([self._told], [], [], 0)[0] else None

    def wait(self) -> int:
        if self._code is None:
            self._code = int(self._told.readline())
        return self._code

    def kill(self) -> None:
        """Also one that has just ended, and that nobody has waited for."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


RANKS = """
import gc, importlib, json, os, runpy, sys
for module in ("torch.distributed", "stackc.cli.build", "stackc.pipeline.build", *sys.argv[1:]):
    importlib.import_module(module)
gc.freeze()
while line := sys.stdin.readline():
    folder, environment, said, ranks, *sys.argv = json.loads(line)
    children = []
    for rank in range(ranks):
        child = os.fork()
        if not child:
            os.dup2(os.open(os.devnull, os.O_RDWR), 0)
            os.dup2(0, 1)
            os.dup2(os.open(said, os.O_WRONLY | os.O_APPEND), 2)
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(environment, RANK=str(rank), LOCAL_RANK=str(rank))
            runpy.run_path(sys.argv[0], run_name="__main__")
            sys.exit()
        children.append(child)
    print(*(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children), flush=True)
"""


class Ranks(Parent):
    """Scripts by several ranks, with the variables that torchrun sets.

    All of them share what imports take, which is most of the time of a small build. Nobody ends a rank because of
    another: each has to notice for itself.

    Args:
        imports: modules to import before the ranks part, those that torch imports late among them.
    """

    def __init__(self, *imports: str) -> None:
        super().__init__(RANKS, *imports)

    def run(self, folder: Path, ranks: int, script: str, *arguments: str) -> tuple[list[int], str]:
        """What each rank ends with, and what all of them write to standard error.

        Args:
            folder: the current one.
            ranks: how many.
            script: its path.
            arguments: of the script.
        """
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(ranks)}
        with tempfile.NamedTemporaryFile("r") as said:
            job = [str(folder), {**os.environ, **meeting}, said.name, ranks, script, *arguments]
            self.give(job)
            return [int(code) for code in self._answers.readline().split()], said.read()


def heard() -> None:
    """As `preexec_fn`, for a process that is to be interrupted.

    Tests that run in the background of a shell ignore the signal, and their children would.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
