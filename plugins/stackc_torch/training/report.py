"""Reports of training: figures for the screen, and a learning curve."""

from __future__ import annotations

import math
import time
from typing import Any, NamedTuple

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


class StepTaken(NamedTuple):
    """One optimiser step.

    Attributes:
        nats: summed over its symbols.
        symbols: of all its rows.
        rate: the learning rate.
        norm: of the gradients before they were clipped; None if they are not clipped.
    """

    nats: Tensor
    symbols: int
    rate: float
    norm: Tensor | None


class Report:
    """Reports to `task.progress` how training goes; nothing here changes a weight.

    The clock decides what is shown. Steps alone decide what is logged, so that a learning curve does not depend on
    the machine, on how many ranks there are, or on where training was killed.

    Args:
        logged: the sums to be logged next, of steps before a restart.
        operations: of the whole training, logged with its last step.
    """

    def __init__(self, task: TrainingTask, total: int, logged: Mean, operations: int) -> None:
        self.progress, self._text = task.progress, task.train
        self.total, self.operations = total, operations
        self.measure_every = max(1, math.ceil(total / HELD_OUT_TIMES))
        self.log_every = max(1, math.ceil(total / LOGGED_TIMES))
        self.held_out: dict[str, float] = {}
        self.shown, self.logged = Mean(), logged

    def add(self, step: int, taken: StepTaken, held_out: Any) -> None:
        """Note one step; show and log now and then."""
        self.shown.add(taken.nats, taken.symbols)
        self.logged.add(taken.nats, taken.symbols)
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
            valid = self.held_out if measured else {}
            self.progress.log(step, **log, **valid, **self._of_the_step(step, taken, log | valid), **last)
            self.logged = Mean()

    def _of_the_step(self, step: int, taken: StepTaken, losses: dict[str, float]) -> dict[str, float]:
        """What else is logged: losses per byte of the text, and how the step was taken."""
        found = {"learning_rate": taken.rate}
        if taken.norm is not None:
            found["gradient_norm"] = float(taken.norm)
        if self._text.source_bytes:
            per_byte = len(self._text.symbols) / self._text.source_bytes
            found["bytes_seen"] = step * taken.symbols / per_byte
            names = {"loss": "bits_per_byte", "valid_loss": "valid_bits_per_byte"}
            found |= {name: losses[key] * per_byte for key, name in names.items() if key in losses}
        return found
