"""SIGTERM and SIGHUP end a command as Ctrl-C does: unfinished files are removed first."""

from __future__ import annotations

import signal
import time
from types import FrameType

from stackc.cli.command import INTERRUPTED

SIGNALS = {signal.SIGTERM: "terminated", signal.SIGHUP: "hung up"}
"""Signals that end a command, and what it then prints."""

ONE_SECONDS = 2.0
"""Signals within this time count as one: a shell repeats what the kernel has sent, and service managers send two."""


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


def end_cleanly() -> None:
    """Make these signals raise `Ended`, except those that the process was started to ignore (`nohup`)."""
    for number in SIGNALS:
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _raise)


def end_at_once() -> None:
    """Make them end the process at once: nothing is left to remove."""
    for number in SIGNALS:
        if signal.getsignal(number) is _raise:
            signal.signal(number, signal.SIG_DFL)


def _raise(number: int, frame: FrameType | None) -> None:
    global _heard
    now = time.monotonic()
    if _heard is None or now - _heard > ONE_SECONDS:
        _heard = now
        raise Ended(number)
