"""What processes that tests start have in common."""

from __future__ import annotations

import signal


def heard() -> None:
    """As `preexec_fn`, for a process that is to be interrupted.

    Tests that run in the background of a shell ignore the signal, and their children would.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
