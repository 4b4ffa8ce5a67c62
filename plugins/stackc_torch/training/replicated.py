"""A learner with all weights on every rank; alone, or summing gradients with others once a step."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stackc.api import TrainingTask
from stackc_torch.frozen.rules import Array
from stackc_torch.training.architecture import Architecture, trained_initial, trained_shapes
from stackc_torch.training.learner import MOMENTS, is_matrix, optimiser, shrinking, take_step, taken
from stackc_torch.training.quantise import moved, rounded_weights
from stackc_torch.training.ranks import summed
from stackc_torch.training.rows import Rows, Weights


class Flat:
    """Named tensors that lie end to end in one, so that optimiser, clipping and checkpoints see a single array."""

    def __init__(self, shapes: dict[str, tuple[int, ...]], device: torch.device) -> None:
        sizes = [math.prod(shape) for shape in shapes.values()]
        self.all = torch.zeros(sum(sizes), device=device)
        parts = zip(shapes.items(), self.all.split(sizes), strict=True)
        self.named: Weights = {name: part.view(shape) for (name, shape), part in parts}


class Replicated:
    """See `stackc_torch.training.learner.Learner`: the training state is whole on every rank."""

    sharded = False

    def __init__(self, architecture: Architecture, task: TrainingTask, device: torch.device) -> None:
        self.architecture, self.ranks, self.settings, self.device = architecture, task.ranks, task.settings, device
        shapes = trained_shapes(architecture, task.alphabet)
        self._weights, self._grads = Flat(shapes, device), Flat(shapes, device)
        for name, tensor in trained_initial(architecture, task.alphabet, task.seed).items():
            self._weights.named[name].copy_(tensor)
        self._matrices = sum(math.prod(shape) for name, shape in shapes.items() if is_matrix(name))
        self._optimiser = optimiser(
            [self._parameter(slice(0, self._matrices))], [self._parameter(slice(self._matrices, None))], self.settings
        )
        self._step = self._stepper(self._weights.named)
        self._scales: Any = None

    def _parameter(self, part: slice) -> torch.nn.Parameter:
        parameter = torch.nn.Parameter(self._weights.all[part])
        parameter.grad = self._grads.all[part]
        return parameter

    def _stepper(self, weights: Weights) -> Any:
        bf16 = self.settings.precision == "bf16"
        return self.architecture.stepper(weights, self._grads.named, self.settings.z_loss, bf16, self.device)

    def whole(self) -> Weights:
        """The weights themselves."""
        return self._weights.named

    def round_from_now(self, scales: Any) -> None:
        """Steps run over copies of the matrices; their gradients go to the float weights untouched."""
        self._scales = moved(scales, self.device)
        found = self.architecture.factors(scales)
        self._found = {name: (rows.to(self.device), columns.to(self.device)) for name, (rows, columns) in found.items()}
        self._copies = {name: torch.empty_like(self._weights.named[name]) for name in self._found}
        self._step = self._stepper({**self._weights.named, **self._copies})

    def gradients(self, parts: list[list[Rows]], symbols: int) -> Tensor:
        """See `Learner.gradients`."""
        if self._scales is not None:
            rounded_weights(self._weights.named, self._found, self._copies)
        self._grads.all.zero_()
        nats = torch.zeros((), dtype=torch.float64, device=self.device)
        for blocks in parts:
            if blocks:
                nats += self._step(blocks, symbols, self._scales)
        summed(self._grads.all, self.ranks)
        return summed(nats, self.ranks)

    def update(self, rate: float) -> Tensor | None:
        """See `Learner.update`."""
        norm = torch.linalg.vector_norm(self._grads.all) if self.settings.clip else None
        if norm is not None:
            self._grads.all.mul_(shrinking(norm, self.settings.clip))
        take_step(self._optimiser, rate)
        return norm

    def state(self) -> dict[str, Array]:
        """See `Learner.state`."""
        arrays = {"weights": self._weights.all.cpu().numpy()}
        for number, state in enumerate(self._optimiser.state.values()):
            for name in (*MOMENTS, "step"):
                arrays[f"optimiser.{number}.{name}"] = state[name].cpu().numpy()
        return arrays

    def restore(self, arrays: dict[str, Array]) -> None:
        """See `Learner.restore`."""
        size = len(self._weights.all)
        self._weights.all.copy_(torch.from_numpy(np.array(taken(arrays, "weights", size))))
        sizes = (self._matrices, size - self._matrices)
        for number, group in enumerate(self._optimiser.param_groups):
            key = f"optimiser.{number}"
            state = {name: taken(arrays, f"{key}.{name}", sizes[number]) for name in MOMENTS}
            state["step"] = arrays[f"{key}.step"]
            self._optimiser.state[group["params"][0]] = {
                name: torch.from_numpy(np.array(array)).to(self.device) for name, array in state.items()
            }
