"""Training a network: the loop, its state, and how it goes on after it was killed."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stackc.api import ArtifactError, CorpusError, Predictor, TrainingTask, read_tensors, write_tensors
from stackc_torch.architecture import Architecture, hidden
from stackc_torch.checkpoint import FLOAT, STATE, save_float, scales_from_arrays, scales_to_arrays
from stackc_torch.config import TransformerTraining
from stackc_torch.integers import Array
from stackc_torch.learner import make_learner
from stackc_torch.network import Rows, Weights, head_loss
from stackc_torch.numerics import training_mode
from stackc_torch.products import has_bfloat16
from stackc_torch.ranks import check_same, scales_of_rank_0, starts_of_rank_0, told_by_rank_0
from stackc_torch.sampler import Sampler, Windows
from stackc_torch.schedule import cuts_due, learning_rate, rounds

CALIBRATION_SYMBOLS = 4096
"""Symbols that 8-bit scales are chosen by."""

HELD_OUT_SYMBOLS = 8192
"""Held-out symbols that a loss is reported on, or fewer:"""
HELD_OUT_SHARE = 400
"""no more than this part of the symbols trained on, each of"""
HELD_OUT_TIMES = 8
"""times, so that reports take about a hundredth of the time."""
HELD_OUT_PASS = 2048
"""Symbols scored at once."""

LOGGED_TIMES = 200
"""Points of a learning curve, each the mean since the last one, at steps that nothing else decides."""

REPORT_SECONDS = 0.5
"""Between two figures on the screen."""


def train(architecture: Architecture, task: TrainingTask) -> None:
    """Train to the end and leave `float.safetensors` in the task's folder; a finished training is left as it is.

    Of several ranks each computes the gradients of its share of every step's rows, and all take the same step with
    their sum (`stackc_torch.learner`). A training goes on with any number of ranks.
    """
    done = (task.folder / FLOAT).exists()
    check_same(int(done), task)
    if done:
        return
    with training_mode(task.device) as device:
        run = Run(architecture, task, device)
        run.to_the_end()
        weights = run.learner.whole()
        scales = run.scales or run.calibrated(weights)
        if task.rank == 0:
            save_float(task.folder, weights, scales)
    if task.rank == 0:
        (task.folder / STATE).unlink(missing_ok=True)


class Run:
    """A training in progress: all that the next step depends on, and the step.

    Attributes:
        step: steps done.
        learner: the float weights.
        windows: where window rows start.
        scales: 8-bit scales, from the first step with rounding on.
    """

    def __init__(self, architecture: Architecture, task: TrainingTask, device: torch.device) -> None:
        settings: TransformerTraining = task.settings
        self.architecture, self.task, self.settings, self.device = architecture, task, settings, device
        config = architecture.config
        if not len(task.train.symbols):
            raise CorpusError(f"{architecture.name}: the training text has no symbols; give the corpus some text")
        self.total = settings.total_steps(config.context)
        row = settings.row_symbols(config.context)
        self.sampler = Sampler(task.train, task.alphabet, task.seed, row, settings, task.cut is not None)
        self.learner = make_learner(architecture, task, device)
        self.step = 0
        self.scales: Any = None
        self.windows = self.sampler.guess()
        logged = _Mean()
        if (task.folder / STATE).exists():
            logged = self._restore()
        check_same(self.step, task)
        self._report = _Report(task, self.total, logged)
        if settings.precision == "bf16" and device.type == "cpu" and not has_bfloat16():
            task.progress.say('precision = "bf16": this CPU has no bfloat16 products; training in float32')

    def to_the_end(self) -> None:
        """Every step that is left, with checkpoints."""
        saved = time.monotonic()
        while self.step < self.total:
            nats, symbols = self.one_step()
            self.step += 1
            self._report.add(self.step, nats, symbols, self._held_out)
            due = time.monotonic() - saved >= self.settings.checkpoint_seconds and self.step < self.total
            if told_by_rank_0(due, self.task.ranks):
                self.save()
                saved = time.monotonic()

    def one_step(self) -> tuple[Tensor, int]:
        """One optimiser step: (nats summed over its symbols, symbols)."""
        due = cuts_due(self.settings, self.step, self.total)
        if self.task.cut is not None and self.sampler.share and self.windows.cuts < due:
            self.cut_windows(due)
        if self.scales is None and rounds(self.settings, self.step, self.total):
            self.scales = self.calibrated(self.learner.whole())
            self.learner.round_from_now(self.scales)
        parts = self.sampler.step(self.step, self.windows, self.task.rank, self.task.ranks, self.learner.sharded)
        symbols = self.sampler.symbols(self.step)
        nats = self.learner.gradients(parts, symbols)
        self.learner.update(learning_rate(self.settings, self.step, self.total))
        return nats, symbols

    def cut_windows(self, cuts: int) -> None:
        """Cut a fresh sample of the text with the model so far, as the level's encoder will."""
        assert self.task.cut is not None
        symbols, starts = self.sampler.sample(cuts)
        weights = self.learner.whole()
        scales = self.scales or self.calibrated(weights)
        if self.task.rank == 0:
            starts[self.task.cut(self.predictor(weights, scales), symbols)] = True
        self.windows = Windows(symbols=symbols, starts=starts_of_rank_0(starts, self.task.ranks), cuts=cuts)

    def predictor(self, weights: Weights, scales: Any) -> Predictor:
        """The model so far, frozen."""
        frozen = self.architecture.freeze({name: tensor.cpu() for name, tensor in weights.items()}, scales)
        return self.architecture.predictor(frozen, self.task.device)

    def calibrated(self, weights: Weights) -> Any:
        """Rank 0's scales for the weights as they are, on every rank."""
        scales = None
        if self.task.rank == 0:
            blocks = [rows.to(self.device) for rows in self.sampler.calibration(CALIBRATION_SYMBOLS, self.windows)]
            scales = self.architecture.calibrate(weights, blocks)
        return scales_of_rank_0(scales, self.architecture.scales, self.task.ranks)

    @torch.no_grad()
    def _held_out(self) -> float:
        """Bits a symbol of the float model on a fixed part of the held-out text, in long contexts; nan without text."""
        symbols, weights = self.task.valid.symbols, self.learner.whole()
        row = min(self.sampler.row, len(symbols))
        if not row or self.task.rank:
            return math.nan
        seen = self.total * self.settings.batch * self.sampler.row
        count = max(1, min(HELD_OUT_SYMBOLS, seen // HELD_OUT_SHARE) // row)
        places = np.linspace(0, len(symbols) - row, count).astype(np.int64)
        targets = torch.from_numpy(np.asarray(symbols[places[:, None] + np.arange(row)]).astype(np.int64))
        inputs = torch.cat([torch.full((count, 1), self.task.alphabet), targets[:, :-1]], 1)
        nats, together = 0.0, max(1, HELD_OUT_PASS // row)
        for start in range(0, count, together):
            part = slice(start, start + together)
            rows = Rows(inputs=inputs[part], targets=targets[part], first=None).to(self.device)
            y = hidden(self.architecture, weights, rows).flatten(0, 1)
            nats += float(head_loss(y, weights["head"], rows.targets.reshape(-1), 0.0, None, 1.0)[0])
        return nats / targets.numel() / math.log(2)

    def save(self) -> None:
        """Write everything that the next step depends on, and what is not logged yet."""
        learned = self.learner.state()
        if self.task.rank:
            return
        arrays: dict[str, Array] = {
            "step": np.array([self.step], np.int64),
            "windows.symbols": np.asarray(self.windows.symbols),
            "windows.starts": self.windows.starts.astype(np.uint8),
            "windows.cuts": np.array([self.windows.cuts], np.int64),
            "logged": np.array([float(self._report.logged.nats), self._report.logged.symbols]),
        }
        write_tensors(self.task.folder / STATE, arrays | learned | scales_to_arrays(self.scales), format="1")

    def _restore(self) -> _Mean:
        """Go on from `save`; what is to be logged next."""
        path = self.task.folder / STATE
        arrays = read_tensors(path)
        try:
            self.learner.restore(arrays)
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
        self.scales = scales_from_arrays(arrays, self.architecture)
        if self.scales is not None:
            self.learner.round_from_now(self.scales)
        return _Mean(nats, int(symbols))


class _Mean:
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


class _Report:
    """Tells `task.progress` how training goes; nothing here changes a weight.

    What is shown comes by the clock. What is logged comes by steps alone, so that a learning curve does not depend on
    the machine, on how many ranks there are, or on where a training was killed.

    Args:
        logged: what is to be logged next, of steps before a restart.
    """

    def __init__(self, task: TrainingTask, total: int, logged: _Mean) -> None:
        self.progress = task.progress
        self.total = total
        self.measure_every = max(1, math.ceil(total / HELD_OUT_TIMES))
        self.log_every = max(1, math.ceil(total / LOGGED_TIMES))
        self.held_out: dict[str, float] = {}
        self.shown, self.logged = _Mean(), logged

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
            self.shown = _Mean()
        if log is not None:
            self.progress.log(step, **log, **(self.held_out if measured else {}))
            self.logged = _Mean()
