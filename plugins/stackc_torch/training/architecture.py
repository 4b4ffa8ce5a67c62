"""What the training loop, checkpoints and the backend need to know of a network; the rest they share.

A network is an embedding, layers that add to a stream, and a projection of the normed stream to symbols.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from stackc.api import Device, Predictor
from stackc_torch.network import Rows, Weights, normed
from stackc_torch.quantise import Factors


class Architecture(Protocol):
    """A network that is trained in floats and frozen into integers.

    Attributes:
        name: of the backend, for messages.
        config: has ``shapes(alphabet)``, matrices first, ``layers``, and ``context``, the symbols of a row by default.
            All but ``embed`` and ``head`` belongs to a layer and is named ``0.name``.
        scales: the attrs class of its 8-bit scales (tensors), with ``head_in`` and ``to(device)``.
    """

    name: str
    config: Any
    scales: type

    def initial(self, alphabet: int, seed: int) -> Weights:
        """Starting weights, a function of the seed alone."""

    def layer(self, weights: Weights, number: int, x: Tensor, rows: Rows, scales: Any = None) -> Tensor:
        """The stream [B, T, d] after layer `number`, from the one before it.

        Args:
            weights: those of the layer, at least, whose names begin with its number and a dot.
            scales: given, what the frozen network holds in 8 bits is rounded as it rounds.
        """

    def calibrate(self, weights: Weights, blocks: list[Rows]) -> Any:
        """Scales for the weights as they are, on the CPU."""

    def factors(self, scales: Any) -> Factors:
        """What each matrix is multiplied by before it is rounded; see `stackc_torch.quantise`."""

    def freeze(self, weights: Weights, scales: Any) -> Any:
        """The integer network of weights on the CPU; it has ``save(folder)``."""

    def load(self, folder: Path, alphabet: int) -> Any:
        """The integer network in `folder`. Raises `ArtifactError`."""

    def predictor(self, frozen: Any, device: Device) -> Predictor:
        """The fastest route for an integer network on `device`."""

    def stepper(self, weights: Weights, grads: Weights, z_loss: float, bf16: bool, device: torch.device) -> Any:
        """What computes the gradients of a step; called as `stackc_torch.steps.AutogradStep` is."""


def hidden(architecture: Architecture, weights: Weights, rows: Rows, scales: Any = None) -> Tensor:
    """What the projection to symbols reads: [B, T, d], normed."""
    x = weights["embed"][rows.inputs]
    for number in range(architecture.config.layers):
        x = architecture.layer(weights, number, x, rows, scales)
    return normed(x, scales and scales.head_in)
