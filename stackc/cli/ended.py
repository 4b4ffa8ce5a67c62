"""Ctrl-C, SIGTERM and SIGHUP end a command in one way: unfinished files are removed first."""

from __future__ import annotations

import signal
import sys
import time
from types import FrameType

from stackc.cli.command import INTERRUPTED

SIGNALS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated", signal.SIGHUP: "hung up"}
"""Signals that end a command, and what it then prints."""

ONE_SECONDS = 2.0
"""Signals within this time count as one: a shell repeats what the kernel has sent, and service managers and `timeout`
send two, to the process and to its group."""

AGAIN_SECONDS = 0.1
"""When the process looks whether the exception of a signal is on its way out, and raises it again if it was lost."""

NOT_WITHIN = "llvmlite.binding"
"""A package whose callbacks and destructors must run to their end: LLVM's objects are half closed otherwise, and the
process crashes later. The exception waits until its functions have returned, which they do within milliseconds."""


class Ended(KeyboardInterrupt):
    """A signal asked the process to end.

    Attributes:
        code: the exit code: 128 plus the signal's number, as in shells.
    """

    def __init__(self, number: int) -> None:
        super().__init__(SIGNALS[signal.Signals(number)])
        self.code = 128 + number


def ending(error: KeyboardInterrupt) -> tuple[str, int]:
    """The message and the exit code of a command that a signal ended."""
    return (str(error), error.code) if isinstance(error, Ended) else ("interrupted", INTERRUPTED)


_heard: float | None = None
_number: int = signal.SIGTERM


def end_cleanly() -> None:
    """Make these signals raise `Ended`, except those that the process was started to ignore (`nohup`).

    An exception that a signal raises inside a callback (a weak reference's, a destructor, a C library's) never leaves
    it: Python prints it and carries on. So a timer looks shortly afterwards and raises it again if it was lost.
    """
    for number in SIGNALS:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _raise)
            signal.signal(signal.SIGALRM, _look)
    sys.unraisablehook = _without_ended


def end_at_once() -> None:
    """Make them end the process at once: nothing is left to remove."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number in SIGNALS:
        if signal.getsignal(number) is _raise:
            signal.signal(number, signal.SIG_DFL)


def end_whatever_comes() -> None:
    """Once such a signal has ended the command and all is cleared away: neither another one nor the timer, which cannot
    know that the exception has arrived, must come between the process and its exit code."""
    for number in SIGNALS:
        if signal.getsignal(number) is _raise:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(number, signal.SIG_IGN)


def _raise(number: int, frame: FrameType | None) -> None:
    global _heard, _number
    now = time.monotonic()
    if _heard is None or now - _heard > ONE_SECONDS:
        _heard, _number = now, number
        _raise_here(frame)


def _look(number: int, frame: FrameType | None) -> None:
    """Raise the exception again unless it is being handled: by a ``finally``, an ``except`` or an ``__exit__``."""
    handled = sys.exc_info()[1]
    while handled is not None and not isinstance(handled, Ended):
        handled = handled.__context__
    if handled is None:
        _raise_here(frame)


def _raise_here(frame: FrameType | None) -> None:
    signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS)
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith(NOT_WITHIN):
            return
        frame = frame.f_back
    raise Ended(_number)


def _without_ended(lost: sys.UnraisableHookArgs) -> None:
    if not isinstance(lost.exc_value, Ended):
        sys.__unraisablehook__(lost)
