"""Where the weights of a training lie, with their gradients and moments, and how a step is taken over them.

replicated.py    whole on every rank: gradients are summed once a step (data parallel); what one rank alone has, too
sharded.py       a part on every rank: a layer is put together where it is needed (FSDP2)

Both take the same steps, up to the order of sums, and leave the same checkpoints.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import torch
from torch import Tensor

from stackc.api import TrainingTask
from stackc_torch.architecture import Architecture
from stackc_torch.config import TransformerTraining
from stackc_torch.integers import Array
from stackc_torch.network import Rows, Weights

MOMENTS = ("exp_avg", "exp_avg_sq")


class Learner(Protocol):
    """The weights in training. Every rank calls every method, in the same order.

    Attributes:
        sharded: whether other ranks hold parts that this one does not.
    """

    sharded: bool

    def whole(self) -> Weights:
        """All weights by name, on the training device; none on ranks other than 0 where they are sharded."""

    def round_from_now(self, scales: Any) -> None:
        """From now on gradients are those at the weights, and with the activations, that the frozen network has."""

    def gradients(self, parts: list[list[Rows]], symbols: int) -> Tensor:
        """Compute a step's, over the blocks of its parts.

        Args:
            symbols: in the rows of all ranks; each weighs 1 / symbols.

        Returns:
            The nats of all ranks' rows: a float64 scalar.
        """

    def update(self, rate: float) -> None:
        """Clip the gradients and take the step, with this learning rate."""

    def state(self) -> dict[str, Array]:
        """Weights and moments, the same arrays for both kinds; none on ranks other than 0 where they are sharded.

        weights                  float32[parameters], in the order of the configuration's `shapes`
        optimiser.0.exp_avg      those of the matrices, which come first; optimiser.1, of the rest
        """

    def restore(self, arrays: dict[str, Array]) -> None:
        """Go on from `state`. Raises `KeyError` where an array is missing, `ValueError` where one has another size."""


def make_learner(architecture: Architecture, task: TrainingTask, device: torch.device) -> Learner:
    """Initial weights: whole, or sharded among several ranks from the size on that the task says."""
    parameters = sum(math.prod(shape) for shape in architecture.config.shapes(task.alphabet).values())
    if task.ranks > 1 and parameters >= task.shard_from:
        from stackc_torch.sharded import Sharded

        task.progress.say(f"{parameters:,} parameters: each of the {task.ranks} ranks holds a part of them")
        return Sharded(architecture, task, device)
    from stackc_torch.replicated import Replicated

    return Replicated(architecture, task, device)


def is_matrix(name: str) -> bool:
    """Whether a weight decays: matrices do, embeddings and biases do not."""
    return not name.endswith(("embed", "bias"))


def optimiser(
    matrices: list[torch.nn.Parameter], rest: list[torch.nn.Parameter], settings: TransformerTraining
) -> torch.optim.AdamW:
    """AdamW over two groups."""
    groups = [{"params": matrices, "weight_decay": settings.weight_decay}, {"params": rest, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=(0.9, settings.beta2), eps=1e-9, fused=True)


def shrinking(norm: Tensor, most: float) -> Tensor:
    """What gradients of this norm are multiplied by, so that it is at most `most`."""
    return (most / (norm + 1e-6)).clamp(max=1.0)


def taken(arrays: dict[str, Array], name: str, size: int) -> Array:
    """One array of a state. Raises `KeyError` or `ValueError`."""
    array = arrays[name]
    if array.shape != (size,):
        raise ValueError(f"{name} has another size")
    return array
