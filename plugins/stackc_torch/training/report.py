"""What a training reports: figures for the screen, and a learning curve."""

from __future__ import annotations

import math
import time
from typing import Any

from torch import Tensor

from stackc.api import TrainingTask

HELD_OUT_TIMES = 8
"""Times that a held-out loss is reported."""

LOGGED_TIMES = 200
"""Points of a learning curve, each the mean since the last one, at steps that nothing else decides."""

REPORT_SECONDS = 0.5
"""Between two figures on the screen."""


class Mean:
    """The loss of some steps, and their speed.

    Args:
        nats, symbols: of steps before a restart.
    """

    def __init__(self, nats: float = 0.0, symbols: int = 0) -> None:
        self.nats: Tensor | float = nats
        self.symbols = self._before = symbols
        self.since = time.monotonic()

    def add(self, nats: Tensor, symbols: int) -> None:
        self.nats = self.nats + nats
        self.symbols += symbols

    def figures(self) -> dict[str, float]:
        return {
            "loss": float(self.nats) / self.symbols / math.log(2),
            "symbols_per_second": (self.symbols - self._before) / max(1e-9, time.monotonic() - self.since),
        }


class Report:
    """Reports to `task.progress` how training goes; nothing here changes a weight.

    The clock decides what is shown. Steps alone decide what is logged, so that a learning curve does not depend on
    the machine, on how many ranks there are, or on where a training was killed.

    Args:
        logged: the sums to be logged next, of steps before a restart.
        operations: of the whole training, logged with its last step.
    """

    def __init__(self, task: TrainingTask, total: int, logged: Mean, operations: int) -> None:
        self.progress = task.progress
        self.total, self.operations = total, operations
        self.measure_every = max(1, math.ceil(total / HELD_OUT_TIMES))
        self.log_every = max(1, math.ceil(total / LOGGED_TIMES))
        self.held_out: dict[str, float] = {}
        self.shown, self.logged = Mean(), logged

    def add(self, step: int, nats: Tensor, symbols: int, held_out: Any) -> None:
        """Note one step; show and log now and then."""
        self.shown.add(nats, symbols)
        self.logged.add(nats, symbols)
        measured = step % self.measure_every == 0 or step == self.total
        log = self.logged.figures() if measured or step % self.log_every == 0 else None
        late = time.monotonic() - self.shown.since >= REPORT_SECONDS
        show = self.shown.figures() if measured or late else None
        if measured and not math.isnan(valid := held_out()):
            self.held_out = {"valid_loss": valid}
        if show is not None:
            self.progress.update(step, self.total, **show, **self.held_out)
            self.shown = Mean()
        if log is not None:
            last = {"operations": float(self.operations)} if step == self.total else {}
            self.progress.log(step, **log, **(self.held_out if measured else {}), **last)
            self.logged = Mean()
