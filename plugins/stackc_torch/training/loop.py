"""The training loop of any model: its steps, its state, and how it resumes after it was killed.

A model's own part is a `Learner` (the weights and their gradients), a `Sampler` (the rows of a step) and a `Run`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stackc.api import ArtifactError, CorpusError, TrainingTask, read_tensors, write_tensors
from stackc_torch.frozen.numerics import training_mode
from stackc_torch.frozen.rules import Array
from stackc_torch.training.learner import Learner
from stackc_torch.training.ranks import check_same, of_rank_0, told_by_rank_0
from stackc_torch.training.report import Mean, Report, StepTaken
from stackc_torch.training.rows import Rows
from stackc_torch.training.sampler import Sampler, Windows
from stackc_torch.training.schedule import cuts_due

STATE = "state.safetensors"
"""Everything that the next step and the next line of the logs depend on; removed when training is done."""

HELD_OUT_SYMBOLS = 8192
"""Held-out symbols that a loss is reported on, at most."""
HELD_OUT_PASS = 2048
"""Symbols scored at once."""


def train(task: TrainingTask, done: str, run: Callable[[torch.device], Run]) -> None:
    """Train to the end; a finished training, which left the file `done`, is left as it is.

    Of several ranks each computes the gradients of its share of every step's rows, and all take the same step with
    their sum (`stackc_torch.training.learner`). A training may be resumed with any number of ranks.
    """
    task.folder.mkdir(parents=True, exist_ok=True)
    finished = (task.folder / done).exists()
    check_same(int(finished), task)
    if finished:
        return
    with training_mode(task.device) as device:
        made = run(device)
        made.to_the_end()
        made.finish()
    if task.rank == 0:
        (task.folder / STATE).unlink(missing_ok=True)


class Run:
    """A training in progress: all that the next step depends on, and the step. Subclasses know the kind of model.

    Args:
        total: steps in all.
        operations: of the whole training, as its metrics record them.

    Attributes:
        held_out_share: a held-out loss is measured on no more than this part of the symbols trained on.
        step: steps done.
        windows: where window rows start.
    """

    held_out_share = 400

    def __init__(
        self,
        name: str,
        task: TrainingTask,
        device: torch.device,
        learner: Learner,
        sampler: Sampler,
        total: int,
        operations: int,
    ) -> None:
        self.task, self.settings, self.device, self.total = task, task.settings, device, total
        if not len(task.train.symbols):
            raise CorpusError(f"{name}: the training text has no symbols; give the corpus some text")
        self.learner, self.sampler = learner, sampler
        self.step = 0
        self.windows = sampler.guess()
        logged = Mean()
        if (task.folder / STATE).exists():
            logged = self._restore(task.folder / STATE)
        check_same(self.step, task)
        self._report = Report(task, total, logged, operations)

    def rate(self) -> float:
        """The learning rate of the next step."""
        raise NotImplementedError

    def cut(self, symbols: Any) -> Any:
        """Where the level's encoder starts windows in a text with the model so far; on ranks other than 0, None.

        All ranks call it.
        """
        raise NotImplementedError

    def nats(self, rows: Rows) -> float:
        """What the targets of rows cost with the model so far; called on rank 0 alone."""
        raise NotImplementedError

    def finish(self) -> None:
        """Write the trained model."""
        raise NotImplementedError

    def before(self) -> None:
        """Called before every step, on all ranks."""

    def to_the_end(self) -> None:
        """Every step that is left, with checkpoints."""
        saved = time.monotonic()
        while self.step < self.total:
            taken = self.one_step()
            self.step += 1
            self._report.add(self.step, taken, self.held_out)
            due = time.monotonic() - saved >= self.settings.checkpoint_seconds and self.step < self.total
            # Rank 0's clock decides: saving gathers from all ranks, and their clocks differ.
            if told_by_rank_0(due, self.task.ranks):
                self.save()
                saved = time.monotonic()

    def one_step(self) -> StepTaken:
        """One optimiser step."""
        due = cuts_due(self.settings, self.step, self.total)
        if self.sampler.share and self.windows.cuts < due:
            symbols, starts = self.sampler.sample(due)
            found = self.cut(symbols)
            if found is not None:
                starts[found] = True
            starts = of_rank_0(torch.from_numpy(starts.astype(np.uint8)), self.task.ranks).numpy().astype(bool)
            self.windows = Windows(symbols=symbols, starts=starts, cuts=due)
        self.before()
        parts = self.sampler.step(self.step, self.windows, self.task.rank, self.task.ranks, self.learner.sharded)
        count = self.sampler.symbols(self.step, self.windows)
        nats = self.learner.gradients(parts, count)
        rate = self.rate()
        return StepTaken(nats, count, rate, self.learner.update(rate))

    @torch.no_grad()
    def held_out(self) -> float:
        """Bits per symbol of the float model on a fixed part of the held-out text, in long rows; nan without text."""
        text, row = self.task.valid.symbols, min(self.sampler.row, len(self.task.valid.symbols))
        if not row or self.task.rank:
            return math.nan
        seen = self.total * self.settings.batch * self.sampler.row
        count = max(1, min(HELD_OUT_SYMBOLS, seen // self.held_out_share) // row)
        places = np.linspace(0, len(text) - row, count).astype(np.int64)
        targets = torch.from_numpy(np.asarray(text[places[:, None] + np.arange(row)]).astype(np.int64))
        inputs = torch.cat([torch.full((count, 1), self.task.alphabet), targets[:, :-1]], 1)
        together = max(1, HELD_OUT_PASS // row)
        parts = [slice(start, start + together) for start in range(0, count, together)]
        nats = sum(self.nats(Rows(inputs=inputs[part], targets=targets[part], first=None)) for part in parts)
        return float(nats / targets.numel() / math.log(2))

    def save(self) -> None:
        """Write everything that the next step depends on, and what is not logged yet."""
        learned = self.state()
        if self.task.rank:
            return
        arrays: dict[str, Array] = {
            "step": np.array([self.step], np.int64),
            "windows.symbols": np.asarray(self.windows.symbols),
            "windows.starts": self.windows.starts.astype(np.uint8),
            "windows.cuts": np.array([self.windows.cuts], np.int64),
            "logged": np.array([float(self._report.logged.nats), self._report.logged.symbols]),
        }
        write_tensors(self.task.folder / STATE, arrays | learned, format="1")

    def _restore(self, path: Path) -> Mean:
        """Resume from `save`; what is to be logged next."""
        arrays = read_tensors(path)
        try:
            self.resume(arrays)
            self.windows = Windows(
                symbols=arrays["windows.symbols"],
                starts=arrays["windows.starts"].astype(bool),
                cuts=int(arrays["windows.cuts"][0]),
            )
            self.step = int(arrays["step"][0])
            nats, symbols = arrays.get("logged", np.zeros(2)).tolist()  # states of older versions lack it
        except KeyError as error:
            raise ArtifactError(f"{path}: {error} is missing; remove it to train from the start") from error
        except ValueError as error:
            raise ArtifactError(f"{path}: of another configuration; remove it to train from the start") from error
        return Mean(nats, int(symbols))

    def state(self) -> dict[str, Array]:
        """The model's part of a state; called on all ranks."""
        return self.learner.state()

    def resume(self, arrays: dict[str, Array]) -> None:
        """Take over the model's part of a state. Raises `KeyError` or `ValueError`."""
        self.learner.restore(arrays)
