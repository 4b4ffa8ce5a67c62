"""Work in a child process that Ray may end without any message, and a parent that reports how it ended."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterator
from typing import NoReturn

import click

from stackc.cli.command import USER_ERROR

PASSED_ON = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)

FROM_A_TERMINAL = 0x80
"""`si_code` of a signal from the kernel, which sends it to the child, too."""

PR_SET_PDEATHSIG = 1

LONGEST = 4096
"""Characters of a message to the parent, which reads it at the end: together they must fit into a pipe."""

OF_RAY = 1
"""The exit code of a process that Ray ended."""

_command = False
"""Whether this process runs just one command, so that it may fork."""

_tell: int | None = None
"""In the child: the end of the pipe to the parent."""


def as_a_command() -> None:
    """Declare that this process was started for one command."""
    global _command
    _command = True


@contextlib.contextmanager
def watched(engine: str, again: str) -> Iterator[None]:
    """If the engine is "ray" and this process runs one command, run the block, and all that follows, in a child.

    Ray ends a process by `_exit(1)`, inside any call or thread, when its raylet, its object store or the head of the
    cluster is gone, and no handler of the process runs. The parent waits, reports it, and exits as after an error.
    Signals reach the child, and the child ends with its parent.

    A fork and not a new process: the child needs neither a second start of Python nor its arguments passed on.

    Args:
        again: what the user can do then; the end of the message.
    """
    global _tell
    if engine != "ray" or not _command or sys.platform != "linux":
        yield
        return
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    waited = {*PASSED_ON, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, waited)
    parent = os.getpid()
    child = os.fork()
    if child:
        os.close(writer)
        _wait(child, reader, waited, again)
    import ctypes

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # the parent ended before the call
        os._exit(USER_ERROR)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, waited)
    _tell = writer
    yield


def tell_parent(code: int, line: str = "") -> bool:
    """In the child: send the message and the exit code to end with. Whatever happens later, the first call counts.

    Returns:
        Whether there is a parent, which prints the message.
    """
    if _tell is not None:
        os.write(_tell, json.dumps([code, line[:LONGEST]]).encode() + b"\n")
    return _tell is not None


def _wait(child: int, reader: int, waited: set[signal.Signals], again: str) -> NoReturn:
    ended, status = 0, 0
    while not ended:
        info = signal.sigwaitinfo(waited)
        if info.si_signo == signal.SIGCHLD:
            ended, status = os.waitpid(child, os.WNOHANG)
        elif info.si_code != FROM_A_TERMINAL:
            os.kill(child, info.si_signo)
    code, line = os.waitstatus_to_exitcode(status), ""
    if said := _read(reader):
        code, line = json.loads(said.splitlines()[0])
    elif code == OF_RAY:
        lost = "Ray ended this process, as it does when the raylet of this machine or the head of the cluster is gone"
        line = f"error: {lost}; {again}"
        code = USER_ERROR
    if line:
        click.echo(line, err=True)
    os._exit(code if code >= 0 else 128 - code)  # ended by a signal: the code that shells use


def _read(reader: int) -> bytes:
    try:
        return os.read(reader, 1 << 16)
    except BlockingIOError:  # nothing was sent, and a process of Ray holds the other end
        return b""
