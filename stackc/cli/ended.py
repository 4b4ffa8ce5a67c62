"""A command that is told to end ends as on Ctrl-C: what it has begun is cleared away first."""

from __future__ import annotations

import signal
import time
from types import FrameType

SIGNALS = {signal.SIGTERM: "terminated", signal.SIGHUP: "hung up"}
"""What a command says that one of these ends."""

ONE_SECONDS = 2.0
"""Signals within this are one: a shell passes on what the kernel sends as well, a service manager sends two."""


class Ended(KeyboardInterrupt):
    """The process was told to end.

    Attributes:
        code: to end with, as a shell says it: 128 and the signal's number.
    """

    def __init__(self, number: int) -> None:
        super().__init__(SIGNALS[signal.Signals(number)])
        self.code = 128 + number


_heard: float | None = None


def end_cleanly() -> None:
    """From now on these signals raise `Ended`, but for those that the process was started to pass over (`nohup`)."""
    for number in SIGNALS:
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _raise)


def end_at_once() -> None:
    """From now on they end the process, which has nothing left to clear away."""
    for number in SIGNALS:
        if signal.getsignal(number) is _raise:
            signal.signal(number, signal.SIG_DFL)


def _raise(number: int, frame: FrameType | None) -> None:
    global _heard
    now = time.monotonic()
    if _heard is None or now - _heard > ONE_SECONDS:
        _heard = now
        raise Ended(number)
