"""Training a model of transformers, on the shared loop: the model itself is the learner's state, and codes as it is."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stackc.api import StackcError, TrainingTask
from stackc_torch.frozen.rules import Array
from stackc_torch.hf.config import Hf, HfTraining
from stackc_torch.hf.inputs import attach, fold
from stackc_torch.hf.making import WEIGHTS, arrays, fill, fresh, save
from stackc_torch.hf.predictor import HfPredictor
from stackc_torch.hf.sampler import UNSEEN, HfSampler
from stackc_torch.hf.sizes import sizes_of
from stackc_torch.training.config import training_operations
from stackc_torch.training.inputs import inputs_of
from stackc_torch.training.learner import take_step
from stackc_torch.training.loop import STATE, Run, train
from stackc_torch.training.ranks import of_rank_0, sum_gradients, summed
from stackc_torch.training.report import StepTaken
from stackc_torch.training.rows import Rows, Weights
from stackc_torch.training.schedule import triangle

MOMENTS = ("step", "exp_avg", "exp_avg_sq")


def train_hf(config: Hf, task: TrainingTask) -> None:
    """Train to the end; leaves the model in the task's folder.

    Raises:
        StackcError: no such model or device, no text, or a loss that is not finite.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(task.seed & 0x7FFFFFFFFFFFFFFF)
        train(task, WEIGHTS, lambda device: HfRun(fresh(config, task.alphabet), config, task, device))


class HfLearner:
    """See `stackc_torch.training.learner.Learner`: whole on every rank, gradients by autograd."""

    sharded = False

    def __init__(self, model: Any, task: TrainingTask, device: torch.device) -> None:
        settings: HfTraining = task.settings
        self.model, self.task, self.settings, self.device = model.to(device), task, settings, device
        self.parameters = list(model.parameters())
        groups = [
            {"params": [p for p in self.parameters if p.ndim > 1], "weight_decay": settings.weight_decay},
            {"params": [p for p in self.parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]
        self.optimiser = torch.optim.AdamW([g for g in groups if g["params"]], lr=settings.learning_rate)
        for parameter in self.parameters:  # other processors may have drawn other last bits
            of_rank_0(parameter.detach(), task.ranks)

    def whole(self) -> Weights:
        return dict(self.model.named_parameters())

    def round_from_now(self, scales: Any) -> None:
        """Nothing is rounded: the floats code."""

    def gradients(self, parts: list[list[Rows]], symbols: int) -> Tensor:
        self.optimiser.zero_grad()
        found = torch.zeros((), dtype=torch.float64, device=self.device)
        for rows in (rows for blocks in parts for rows in blocks):
            loss = self.nats(rows, self.settings.precision) / symbols
            loss.backward()
            found += loss.detach()
        sum_gradients(self.parameters, self.task.ranks)
        return summed(found, self.task.ranks) * symbols

    def nats(self, rows: Rows, precision: str = "float32") -> Tensor:
        """Summed over the targets, among the symbols of the alphabet alone, as in coding."""
        rows = rows.to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=precision == "bf16"):
            logits = self.model(input_ids=rows.inputs, use_cache=False).logits[..., : self.task.alphabet]
        return torch.nn.functional.cross_entropy(
            logits.flatten(0, 1).float(), rows.targets.flatten(), ignore_index=UNSEEN, reduction="sum"
        )

    def update(self, rate: float) -> Tensor | None:
        norm = None
        if self.settings.clip:
            norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.settings.clip)
        take_step(self.optimiser, rate)
        return norm

    def state(self) -> dict[str, Array]:
        found = {f"model.{name}": array for name, array in arrays(self.model).items()}
        for number, parameter in enumerate(self.parameters):
            state = self.optimiser.state.get(parameter, {})  # empty if no gradient reached it
            found |= {f"optimiser.{number}.{name}": state[name].cpu().numpy() for name in MOMENTS if name in state}
        return found

    def restore(self, found: dict[str, Array]) -> None:
        weights = {name.removeprefix("model."): array for name, array in found.items() if name.startswith("model.")}
        fill(self.model, weights, self.task.folder / STATE)
        for number, parameter in enumerate(self.parameters):
            keys = {name: f"optimiser.{number}.{name}" for name in MOMENTS}
            if keys["step"] in found:
                state = {name: torch.from_numpy(np.array(found[key])) for name, key in keys.items()}
                # The count of steps stays on the CPU, where AdamW keeps it.
                moved = {name: state[name].to(self.device) for name in MOMENTS if name != "step"}
                self.optimiser.state[parameter] = {**state, **moved}


class HfRun(Run):
    """See `Run`."""

    held_out_share = 8
    learner: HfLearner

    def __init__(self, model: Any, config: Hf, task: TrainingTask, device: torch.device) -> None:
        settings: HfTraining = task.settings
        self.config = config
        cost = sizes_of(model)  # without what byte-aware inputs add in training
        self.inputs = inputs_of(task, device, gain=1.0)
        self.hook = attach(model, self.inputs, task.seed) if self.inputs is not None else None
        row = settings.row_symbols(config.context)
        sampler = HfSampler(task.train, task.alphabet, task.seed, row, settings, task.cut is not None)
        total = settings.total_steps(config.context, cost)
        operations = training_operations(total * settings.batch * row, cost)
        super().__init__("hf", task, device, HfLearner(model, task, device), sampler, total, operations)

    def rate(self) -> float:
        return triangle(self.settings.learning_rate, self.step, self.total)

    def one_step(self) -> StepTaken:
        taken = super().one_step()
        if not math.isfinite(float(taken.nats)):
            raise StackcError(f"hf: the loss of step {self.step} is not finite; lower train.learning_rate")
        return taken

    def cut(self, symbols: Any) -> Any:
        """On the CPU, where the model codes."""
        if self.task.rank or self.task.cut is None:
            return None
        model = self.learner.model
        self.learner.optimiser.zero_grad()  # gradients of the step before need not travel
        starts = self.task.cut(HfPredictor(model.to("cpu"), self.task.alphabet, self.config.context), symbols)
        model.to(self.device)  # its parameters are the same objects, so the optimiser still has them
        return starts

    def nats(self, rows: Rows) -> float:
        return float(self.learner.nats(rows))

    def finish(self) -> None:
        if self.task.rank == 0:
            if self.inputs is not None:
                fold(self.learner.model, self.inputs, self.hook)
            save(self.learner.model, self.task.folder)
