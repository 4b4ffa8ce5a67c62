"""What the training loop, checkpoints and the backend need to know of a network; the rest they share."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from stackc.api import Device, Predictor
from stackc_torch.network import Rows, Weights
from stackc_torch.quantise import Factors


class Architecture(Protocol):
    """A network that is trained in floats and frozen into integers.

    Attributes:
        name: of the backend, for messages.
        config: has ``shapes(alphabet)``, matrices first, and ``context``, the symbols of a row by default.
        scales: the attrs class of its 8-bit scales (tensors), with ``to(device)``.
    """

    name: str
    config: Any
    scales: type

    def initial(self, alphabet: int, seed: int) -> Weights:
        """Starting weights, a function of the seed alone."""

    def hidden(self, weights: Weights, rows: Rows, scales: Any = None) -> Tensor:
        """What the projection to symbols reads: [B, T, d]. With `scales`, rounded as the frozen network rounds."""

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
