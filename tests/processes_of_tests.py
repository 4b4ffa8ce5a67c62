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
from pathlib import Path
from typing import IO

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


class Warm:
    """Runs code in processes of its own, one after another, which share what imports take.

    Args:
        imports: modules to import before the processes part.
    """

    def __init__(self, *imports: str) -> None:
        self._parent = subprocess.Popen(
            [sys.executable, "-c", WARM, *imports], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )

    def start(self, code: str, *arguments: str) -> Forked:
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.write(json.dumps([code, *arguments]).encode() + b"\n")
        return Forked(self._parent.stdout)

    def close(self) -> None:
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.close()
        self._parent.stdout.close()
        assert self._parent.wait(timeout=60) == 0


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


FORKING = """
import importlib, os, runpy, sys
ranks, modules, sys.argv[:] = int(sys.argv[1]), sys.argv[2].split(","), sys.argv[3:]
for module in ("torch.distributed", "stackc.cli.build", "stackc.pipeline.build", *modules):
    importlib.import_module(module)
children = []
for rank in range(ranks):
    child = os.fork()
    if not child:
        os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank))
        runpy.run_path(sys.argv[0], run_name="__main__")
        sys.exit()
    children.append(child)
codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
sys.exit(next((code if code > 0 else 128 - code for code in codes if code), 0))
"""


def heard() -> None:
    """As `preexec_fn`, for a process that is to be interrupted.

    Tests that run in the background of a shell ignore the signal, and their children would.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def forked_ranks(
    folder: Path, ranks: int, script: str, *arguments: str, imports: str = "stackc_torch.training.loop"
) -> subprocess.CompletedProcess[str]:
    """A script by several ranks, with the variables that torchrun sets; the exit code is that of the first that fails.

    They share what imports take, which is most of the time of a small build. Nobody ends a rank because of another:
    each has to notice for itself.

    Args:
        folder: the current one.
        ranks: how many.
        script: its path.
        arguments: of the script.
        imports: modules to import before the ranks part.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(ranks)}
    return subprocess.run(
        [sys.executable, "-c", FORKING, str(ranks), imports, script, *arguments],
        cwd=folder, env={**os.environ, **meeting}, capture_output=True, text=True, timeout=200,
    )  # fmt: skip
