"""Training a network: the loop, its state, and how it goes on after it was killed."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stackc.api import ArtifactError, CorpusError, Predictor, TrainingTask, read_tensors, write_tensors
from stackc_torch.architecture import Architecture
from stackc_torch.checkpoint import FLOAT, STATE, save_float, scales_from_arrays, scales_to_arrays
from stackc_torch.config import TransformerTraining
from stackc_torch.integers import Array
from stackc_torch.network import Rows, Weights, head_loss
from stackc_torch.numerics import training_mode
from stackc_torch.products import has_bfloat16
from stackc_torch.quantise import Factors, rounded_weights
from stackc_torch.ranks import check_same, scales_of_rank_0, starts_of_rank_0, summed
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

REPORT_SECONDS = 0.5


def train(architecture: Architecture, task: TrainingTask) -> None:
    """Train to the end and leave `float.safetensors` in the task's folder; a finished training is left as it is.

    Of several ranks each computes the gradients of its share of every step's rows, and all take the same step with
    their sum: the state of a training is whole on every rank, and goes on with any number of them.
    """
    done = (task.folder / FLOAT).exists()
    check_same(int(done), task)
    if done:
        return
    with training_mode(task.device) as device:
        run = Run(architecture, task, device)
        run.to_the_end()
        scales = run.scales or run.calibrated()
        if task.rank == 0:
            save_float(task.folder, run.weights, scales)
    if task.rank == 0:
        (task.folder / STATE).unlink(missing_ok=True)


class Flat:
    """Named tensors that lie end to end in one, so that optimiser, clipping and checkpoints see a single array."""

    def __init__(self, shapes: dict[str, tuple[int, ...]], device: torch.device) -> None:
        self.all = torch.zeros(sum(math.prod(shape) for shape in shapes.values()), device=device)
        self.named: Weights = {}
        start = 0
        for name, shape in shapes.items():
            end = start + math.prod(shape)
            self.named[name] = self.all[start:end].view(shape)
            start = end


class Run:
    """A training in progress: all that the next step depends on, and the step.

    Attributes:
        step: steps done.
        weights: the float weights by name.
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
        shapes = config.shapes(task.alphabet)
        self._weights, self._grads = Flat(shapes, device), Flat(shapes, device)
        self.weights = self._weights.named
        for name, tensor in architecture.initial(task.alphabet, task.seed).items():
            self.weights[name].copy_(tensor)
        # Matrices come first and decay; embeddings and biases do not.
        matrices = sum(math.prod(shape) for name, shape in shapes.items() if not name.endswith(("embed", "bias")))
        self._optimiser = _optimiser(self._weights.all, self._grads.all, matrices, settings)
        self._float_step = self._stepper(self.weights)
        self._rounded: tuple[Any, Weights, Factors, Any] | None = None
        self.step = 0
        self.scales: Any = None
        self.windows = self.sampler.guess()
        if (task.folder / STATE).exists():
            self._restore()
        check_same(self.step, task)
        self._report = _Report(task, self.total, self.step)
        if settings.precision == "bf16" and device.type == "cpu" and not has_bfloat16():
            task.progress.say('precision = "bf16": this CPU has no bfloat16 products; training in float32')

    def to_the_end(self) -> None:
        """Every step that is left, with checkpoints."""
        saved = time.monotonic()
        while self.step < self.total:
            nats, symbols = self.one_step()
            self.step += 1
            self._report.add(self.step, nats, symbols, self._held_out)
            if (
                self.task.rank == 0
                and time.monotonic() - saved >= self.settings.checkpoint_seconds
                and self.step < self.total
            ):
                self.save()
                saved = time.monotonic()

    def one_step(self) -> tuple[Tensor, int]:
        """One optimiser step: (nats summed over its symbols, symbols)."""
        due = cuts_due(self.settings, self.step, self.total)
        if self.task.cut is not None and self.sampler.share and self.windows.cuts < due:
            self.cut_windows(due)
        if self.scales is None and rounds(self.settings, self.step, self.total):
            self.scales = self.calibrated()
        ranks = self.task.ranks
        parts = self.sampler.step(self.step, self.windows, self.task.rank, ranks)
        symbols = self.sampler.symbols(self.step)
        self._grads.all.zero_()
        stepper, scales = self._current_stepper()
        nats = torch.zeros((), dtype=torch.float64, device=self.device)
        for blocks in parts:
            if blocks:
                nats += stepper(blocks, symbols, scales)
        summed(self._grads.all, ranks)
        summed(nats, ranks)
        if self.settings.clip:
            norm = torch.linalg.vector_norm(self._grads.all)
            self._grads.all.mul_((self.settings.clip / (norm + 1e-6)).clamp(max=1.0))
        for group in self._optimiser.param_groups:
            group["lr"] = learning_rate(self.settings, self.step, self.total)
        self._optimiser.step()
        return nats, symbols

    def cut_windows(self, cuts: int) -> None:
        """Cut a fresh sample of the text with the model so far, as the level's encoder will."""
        assert self.task.cut is not None
        symbols, starts = self.sampler.sample(cuts)
        scales = self.scales or self.calibrated()
        if self.task.rank == 0:
            starts[self.task.cut(self.predictor(scales), symbols)] = True
        self.windows = Windows(symbols=symbols, starts=starts_of_rank_0(starts, self.task.ranks), cuts=cuts)

    def predictor(self, scales: Any) -> Predictor:
        """The model so far, frozen."""
        weights = {name: tensor.cpu() for name, tensor in self.weights.items()}
        frozen = self.architecture.freeze(weights, scales)
        return self.architecture.predictor(frozen, self.task.device)

    def calibrated(self) -> Any:
        """Scales for the weights as they are."""
        scales = None
        if self.task.rank == 0:
            blocks = [_on(rows, self.device) for rows in self.sampler.calibration(CALIBRATION_SYMBOLS, self.windows)]
            scales = self.architecture.calibrate(self.weights, blocks)
        return scales_of_rank_0(scales, self.architecture.scales, self.task.ranks)

    def _stepper(self, weights: Weights) -> Any:
        """What computes gradients here."""
        bf16 = self.settings.precision == "bf16"
        return self.architecture.stepper(weights, self._grads.named, self.settings.z_loss, bf16, self.device)

    def _current_stepper(self) -> tuple[Any, Any]:
        """The float step, or the one over rounded weights with the weights rounded anew."""
        if self.scales is None:
            return self._float_step, None
        if self._rounded is None:
            scales = self.scales.to(self.device)
            # The same tensors but for the matrices; their gradients go to the float weights untouched.
            found = {
                name: tuple(factor.to(self.device) for factor in pair)
                for name, pair in self.architecture.factors(self.scales).items()
            }
            copies = {name: torch.empty_like(self.weights[name]) for name in found}
            weights = {**self.weights, **copies}
            self._rounded = self._stepper(weights), copies, found, scales
            self._float_step = None
        stepper, copies, found, scales = self._rounded
        rounded_weights(self.weights, found, copies)
        return stepper, scales

    @torch.no_grad()
    def _held_out(self) -> float:
        """Bits a symbol of the float model on a fixed part of the held-out text, in long contexts; nan without text."""
        symbols = self.task.valid.symbols
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
            rows = _on(Rows(inputs=inputs[part], targets=targets[part], first=None), self.device)
            y = self.architecture.hidden(self.weights, rows).flatten(0, 1)
            nats += float(head_loss(y, self.weights["head"], rows.targets.reshape(-1), 0.0, None, 1.0)[0])
        return nats / targets.numel() / math.log(2)

    def save(self) -> None:
        """Write everything that the next step depends on."""
        arrays: dict[str, Array] = {
            "step": np.array([self.step], np.int64),
            "weights": self._weights.all.cpu().numpy(),
            "windows.symbols": np.asarray(self.windows.symbols),
            "windows.starts": self.windows.starts.astype(np.uint8),
            "windows.cuts": np.array([self.windows.cuts], np.int64),
        }
        for number, state in enumerate(self._optimiser.state.values()):
            for name in ("exp_avg", "exp_avg_sq", "step"):
                arrays[f"optimiser.{number}.{name}"] = state[name].cpu().numpy()
        write_tensors(self.task.folder / STATE, arrays | scales_to_arrays(self.scales), format="1")

    def _restore(self) -> None:
        """Go on from `save`."""
        path = self.task.folder / STATE
        arrays = read_tensors(path)
        try:
            if arrays["weights"].shape != tuple(self._weights.all.shape):
                raise ArtifactError(f"{path}: of another configuration; remove it to train from the start")
            self._weights.all.copy_(torch.from_numpy(np.array(arrays["weights"])))
            for number, group in enumerate(self._optimiser.param_groups):
                names = ("exp_avg", "exp_avg_sq", "step")
                state = {name: torch.from_numpy(np.array(arrays[f"optimiser.{number}.{name}"])) for name in names}
                self._optimiser.state[group["params"][0]] = {n: t.to(self.device) for n, t in state.items()}
            self.windows = Windows(
                symbols=arrays["windows.symbols"],
                starts=arrays["windows.starts"].astype(bool),
                cuts=int(arrays["windows.cuts"][0]),
            )
            self.step = int(arrays["step"][0])
        except KeyError as error:
            raise ArtifactError(f"{path}: {error} is missing; remove it to train from the start") from error
        self.scales = scales_from_arrays(arrays, self.architecture)


def _optimiser(weights: Tensor, grads: Tensor, matrices: int, settings: TransformerTraining) -> torch.optim.AdamW:
    """AdamW over two flat arrays: the matrices, which decay, and the rest."""
    groups = []
    for part, decay in ((slice(0, matrices), settings.weight_decay), (slice(matrices, None), 0.0)):
        parameter = torch.nn.Parameter(weights[part])
        parameter.grad = grads[part]
        groups.append({"params": [parameter], "weight_decay": decay})
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=(0.9, settings.beta2), eps=1e-9, fused=True)


def _on(rows: Rows, device: torch.device) -> Rows:
    first = None if rows.first is None else rows.first.to(device)
    return Rows(inputs=rows.inputs.to(device), targets=rows.targets.to(device), first=first)


class _Report:
    """Tells `task.progress` how training goes; nothing here changes a weight."""

    def __init__(self, task: TrainingTask, total: int, step: int) -> None:
        self.progress = task.progress
        self.total = total
        self.every = max(1, math.ceil(total / HELD_OUT_TIMES))
        self._reset(step)

    def _reset(self, step: int) -> None:
        self.nats: Tensor | float = 0.0
        self.symbols = 0
        self.since = time.monotonic()
        self.held_out: dict[str, float] = getattr(self, "held_out", {})

    def add(self, step: int, nats: Tensor, symbols: int, held_out: Any) -> None:
        """Note one step; report now and then."""
        self.nats = self.nats + nats
        self.symbols += symbols
        due = step % self.every == 0 or step == self.total
        if not due and time.monotonic() - self.since < REPORT_SECONDS:
            return
        figures = {
            "loss": float(self.nats) / self.symbols / math.log(2),
            "symbols_per_second": self.symbols / max(1e-9, time.monotonic() - self.since),
        }
        if due and not math.isnan(valid := held_out()):
            self.held_out = {"valid_loss": valid}
        self.progress.update(step, self.total, **figures, **self.held_out)
        self.progress.log(step, **figures, **(self.held_out if due else {}))
        self._reset(step)
