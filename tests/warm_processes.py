"""Commands in processes that share what their imports take: one process imports, and each command is a fork of it."""

from __future__ import annotations

import contextlib
import json
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

READY = """
import atexit, ctypes, gc, io, json, os, sys
import torch, rich.console, rich.table
import stackc.stack.evaluate, stackc.interop.export, stackc.report, stackc.interop.token_files
from stackc.cli import run
from stackc.parts.registry import registry
torch.set_num_threads(1)
packed = io.BytesIO()
stack = stackc.load(sys.argv[1])
stack.compress(io.BytesIO(b"warm" * 9), packed)
registry.cache_clear()
gc.freeze()


def run_and_tell(arguments, tell):
    sys.argv[1:] = arguments
    try:
        run()
    except SystemExit as end:  # what Python does now, but for taking its modules apart, which takes long
        code = end.code or 0
    atexit._run_exitfuncs()
    ctypes.CDLL(None).fflush(None)
    sys.stdout.flush()
    sys.stderr.flush()
    tell(code)
    os._exit(code)
"""

WARM = (
    READY
    + """

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
        run_and_tell(arguments, lambda code: None)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


while line := sys.stdin.readline():
    print(json.dumps(run_all(*json.loads(line))), flush=True)
"""
)

SERVED = (
    READY
    + """
import signal, socket


def serve(client):
    asked, files, *_ = socket.recv_fds(client, 1 << 16, 3)
    while not asked.endswith(b"\\n"):
        asked += client.recv(1 << 16)
    arguments, folder, environment = json.loads(asked)
    for fd, file in enumerate(files):
        os.dup2(file, fd)
        os.close(file)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[0] = "stackc"
    run_and_tell(arguments, lambda code: client.sendall(b"%d" % code))


server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[2])
server.listen()
signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks
print(flush=True)
while True:
    client = server.accept()[0]
    if not os.fork():
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        server.close()
        serve(client)
    client.close()
"""
)

ASKS = """
import json, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect(sys.argv[1])
asked = json.dumps([sys.argv[2:], os.getcwd(), dict(os.environ)]).encode() + b"\\n"
sent = socket.send_fds(server, [asked], [0, 1, 2])
server.sendall(asked[sent:])
code = server.recv(9)
sys.exit(int(code) if code else "stackc ended without a code")
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
    warm = subprocess.Popen([sys.executable, "-c", WARM, "S"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
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


@contextlib.contextmanager
def warm_command(stack: Path) -> Iterator[Path]:
    """A folder with a command `stackc` for shells, which has the folder, environment and files of who calls it.

    Args:
        stack: a stack that is loaded once before, with all that its kind needs.
    """
    # Not a folder of pytest: names of sockets are short.
    with tempfile.TemporaryDirectory(prefix="stackc-") as made:
        folder = Path(made)
        socket, asks, command = folder / "socket", folder / "asks.py", folder / "stackc"
        asks.write_text(ASKS)
        command.write_text("#!/bin/sh\nexec " + shlex.join([sys.executable, "-IS", str(asks), str(socket)]) + ' "$@"\n')
        command.chmod(0o755)
        # -P: the current folder is not looked in for modules, as by the command that is installed.
        run = [sys.executable, "-P", "-c", SERVED, str(stack), str(socket)]
        warm = subprocess.Popen(run, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert warm.stdout is not None
        try:
            assert warm.stdout.readline() == b"\n"
            yield folder
        finally:
            warm.terminate()
            warm.stdout.close()
            warm.wait(timeout=60)
