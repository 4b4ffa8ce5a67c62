"""Commands in processes that share what their imports take: one process imports, and each command is a fork of it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator

WARM = """
import atexit, ctypes, gc, io, json, os, sys
import torch, rich.console, rich.table
import stackc.stack.evaluate, stackc.interop.export, stackc.report, stackc.interop.token_files
from stackc.cli import run
from stackc.parts.registry import registry
torch.set_num_threads(1)
packed = io.BytesIO()
stack = stackc.load("S")
stack.compress(io.BytesIO(b"warm" * 9), packed)
registry.cache_clear()
gc.freeze()


def run_all(jobs, path):
    return [code_of(*job, path) for job in jobs]


def code_of(arguments, places, path):
    child = os.fork()
    if not child:
        sys.path[:0] = path
        for fd, (name, place) in enumerate(zip(("stdin", "stdout", "stderr"), places)):
            if place is None:  # so does Python begin
                os.close(fd)
                setattr(sys, name, None)
            else:
                file = os.open(place, (os.O_WRONLY | os.O_CREAT | os.O_TRUNC) if fd else os.O_RDONLY)
                os.dup2(file, fd)
                os.close(file)
        sys.argv[1:] = arguments
        try:
            run()
        except SystemExit as end:  # what Python does now, but for taking its modules apart, which takes long
            code = end.code or 0
        atexit._run_exitfuncs()
        ctypes.CDLL(None).fflush(None)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


while line := sys.stdin.readline():
    print(json.dumps(run_all(*json.loads(line))), flush=True)
"""

Runs = Callable[..., list[int]]
Jobs = list[tuple[list[str], tuple[str | None, str | None, str | None]]]


@contextlib.contextmanager
def warm_processes() -> Iterator[Runs]:
    """A function for the exit codes of commands, in a current folder that has the stack S.

    Its arguments:
        jobs: arguments, and what standard input, output and error are: a file, or None for closed.
        path: folders of plugins.
    """
    warm = subprocess.Popen([sys.executable, "-c", WARM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert warm.stdin is not None
    assert warm.stdout is not None
    ask, answer = warm.stdin, warm.stdout

    def call(jobs: Jobs, *path: str) -> list[int]:
        ask.write(json.dumps([jobs, path]) + "\n")
        ask.flush()
        codes: list[int] = json.loads(answer.readline())
        return codes

    yield call
    ask.close()
    answer.close()
    assert warm.wait(timeout=60) == 0
