"""The rows that a step trains on."""

from __future__ import annotations

import attrs
import torch
from torch import Tensor

Weights = dict[str, Tensor]
"""Arrays of a network by the names of its configuration's `shapes`."""


@attrs.frozen(kw_only=True)
class Rows:
    """A block of training rows of one length.

    Attributes:
        inputs: int64[B, T]; the symbol before each position, A where the context is empty.
        targets: int64[B, T]; the symbol at each position.
        first: int64[B, T]; where in its row each position's context starts; None: at 0 throughout.
        idle: another rank's rows, so that this rank takes part in what all compute together; they count for nothing.
    """

    inputs: Tensor
    targets: Tensor
    first: Tensor | None
    idle: bool = False

    def to(self, device: torch.device) -> Rows:
        """The same on another device."""
        first = None if self.first is None else self.first.to(device, non_blocking=True)
        return attrs.evolve(self, inputs=self.inputs.to(device), targets=self.targets.to(device), first=first)
