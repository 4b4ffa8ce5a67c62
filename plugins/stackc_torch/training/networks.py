"""Training a network that is frozen into integers: scales, rounding, and the cutting of windows with frozen models."""

from __future__ import annotations

import math
from typing import Any

import torch

from stackc.api import Predictor, TrainingTask
from stackc_torch.frozen.rules import Array
from stackc_torch.training.architecture import Architecture, hidden, reading, trained_shapes
from stackc_torch.training.checkpoint import save_float, scales_from_arrays, scales_to_arrays
from stackc_torch.training.inputs import inputs_of
from stackc_torch.training.learner import Learner
from stackc_torch.training.loop import Run
from stackc_torch.training.loss import head_loss
from stackc_torch.training.products import has_bfloat16
from stackc_torch.training.ranks import scales_of_rank_0
from stackc_torch.training.replicated import Replicated
from stackc_torch.training.rows import Rows, Weights
from stackc_torch.training.sampler import Sampler
from stackc_torch.training.schedule import learning_rate, rounds

CALIBRATION_SYMBOLS = 4096
"""Symbols that 8-bit scales are chosen by."""


def make_learner(architecture: Architecture, task: TrainingTask, device: torch.device) -> Learner:
    """Initial weights: whole, or sharded among several ranks if the network has at least the size in the task."""
    parameters = sum(math.prod(shape) for shape in trained_shapes(architecture, task.alphabet).values())
    if task.ranks > 1 and parameters >= task.shard_from:
        # Imported here: torch's FSDP takes as long to import as a small training takes.
        from stackc_torch.training.sharded import Sharded

        task.progress.say(f"{parameters:,} parameters: each of the {task.ranks} ranks holds a part of them")
        return Sharded(architecture, task, device)
    return Replicated(architecture, task, device)


class NetworkRun(Run):
    """See `Run`.

    Attributes:
        scales: 8-bit scales, from the first step with rounding on.
    """

    scales: Any = None

    def __init__(self, architecture: Architecture, task: TrainingTask, device: torch.device) -> None:
        architecture = reading(architecture, inputs_of(task, device))
        self.architecture, config, settings = architecture, architecture.config, task.settings
        row = settings.row_symbols(config.context)
        sampler = Sampler(task.train, task.alphabet, task.seed, row, settings, task.cut is not None)
        learner = make_learner(architecture, task, device)
        cost = config.cost(task.alphabet, settings)
        total = settings.total_steps(config.context, cost)
        super().__init__(architecture.name, task, device, learner, sampler, total, cost.train_ops)
        if settings.precision == "bf16" and device.type == "cpu" and not has_bfloat16():
            task.progress.say('precision = "bf16": this CPU has no bfloat16 products; training in float32')

    def rate(self) -> float:
        return learning_rate(self.settings, self.step, self.total)

    def before(self) -> None:
        if self.scales is None and rounds(self.settings, self.step, self.total):
            self.scales = self.calibrated(self.network())
            self.learner.round_from_now(self.scales)

    def cut(self, symbols: Any) -> Any:
        assert self.task.cut is not None
        weights = self.network()
        scales = self.scales or self.calibrated(weights)
        return None if self.task.rank else self.task.cut(self.predictor(weights, scales), symbols)

    def network(self) -> Weights:
        """The network so far, as it would be frozen; empty on ranks other than 0 if its weights are sharded."""
        weights, inputs = self.learner.whole(), self.architecture.inputs
        return inputs.folded(weights) if inputs is not None and weights else weights

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

    def held_out(self) -> float:
        self._measured = self.network()  # by all ranks, though rank 0 alone measures
        return float(super().held_out())

    def nats(self, rows: Rows) -> float:
        weights, rows = self._measured, rows.to(self.device)
        y = hidden(self.architecture, weights, rows).flatten(0, 1)
        return float(head_loss(y, weights["head"], rows.targets.reshape(-1), 0.0, None, 1.0)[0])

    def finish(self) -> None:
        weights = self.network()
        scales = self.scales or self.calibrated(weights)
        if self.task.rank == 0:
            save_float(self.task.folder, weights, scales)

    def state(self) -> dict[str, Array]:
        return super().state() | scales_to_arrays(self.scales)

    def resume(self, arrays: dict[str, Array]) -> None:
        super().resume(arrays)
        self.scales = scales_from_arrays(arrays, self.architecture)
        if self.scales is not None:
            self.learner.round_from_now(self.scales)
