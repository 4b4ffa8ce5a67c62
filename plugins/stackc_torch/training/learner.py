"""Learners: they hold the weights in training, with gradients and moments, and take the steps.

replicated.py    whole on every rank: gradients are summed once per step (data parallel); also for one rank alone
sharded.py       a part on every rank: a layer is put together when it is needed (FSDP2)

Both take the same steps, up to the order of sums, and leave the same checkpoints. `stackc_torch.hf` has a third kind.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor

from stackc_torch.frozen.rules import Array
from stackc_torch.training.config import TransformerTraining
from stackc_torch.training.rows import Rows, Weights

MOMENTS = ("exp_avg", "exp_avg_sq")


class Learner(Protocol):
    """The weights in training. Every rank calls every method, in the same order.

    Attributes:
        sharded: whether other ranks hold parts that this one does not.
    """

    sharded: bool

    def whole(self) -> Weights:
        """All weights by name, on the training device; empty on ranks other than 0 if they are sharded."""

    def round_from_now(self, scales: Any) -> None:
        """From now on gradients are those at the weights, and with the activations, that the frozen network has."""

    def gradients(self, parts: list[list[Rows]], symbols: int) -> Tensor:
        """Compute the gradients of a step, over the blocks of its parts.

        Args:
            symbols: in the rows of all ranks; each weighs 1 / symbols.

        Returns:
            The nats of all ranks' rows: a float64 scalar.
        """

    def update(self, rate: float) -> Tensor | None:
        """Clip the gradients and take the step, with this learning rate.

        Returns:
            The norm of all gradients before they were clipped; None if they are not clipped.
        """

    def state(self) -> dict[str, Array]:
        """Weights and moments, the same arrays for both kinds; empty on ranks other than 0 if they are sharded.

        weights                  float32[parameters], in the order of the configuration's `shapes`
        optimiser.0.exp_avg      those of the matrices, which come first; optimiser.1, of the rest
        """

    def restore(self, arrays: dict[str, Array]) -> None:
        """Resume from `state`. Raises `KeyError` if an array is missing, `ValueError` if one has another size."""


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


def take_step(optimiser: torch.optim.AdamW, rate: float) -> None:
    """One step with this learning rate."""
    for group in optimiser.param_groups:
        group["lr"] = rate
    optimiser.step()


def taken(arrays: dict[str, Array], name: str, size: int) -> Array:
    """One array of a state. Raises `KeyError` or `ValueError`."""
    array = arrays[name]
    if array.shape != (size,):
        raise ValueError(f"{name} has another size")
    return array
