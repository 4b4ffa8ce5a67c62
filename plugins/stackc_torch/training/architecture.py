"""What training must know of a network that is frozen afterwards, and what such networks share.

A network is an embedding, layers that add to a stream, and a projection of the normed stream to symbols.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from stackc.api import Device, Predictor
from stackc_torch.training.inputs import NAME, TextInputs
from stackc_torch.training.quantise import Factors, round_to
from stackc_torch.training.rows import Rows, Weights

NORM_EPSILON = 1e-6


class Architecture(Protocol):
    """A network that is trained in floats and frozen into integers.

    Attributes:
        name: of the backend, for messages.
        config: has ``shapes(alphabet)``, matrices first, ``layers``, and ``context``, the symbols of a row by default.
            All arrays but ``embed`` and ``head`` belong to a layer and are named ``0.name``.
        scales: the attrs class of its 8-bit scales (tensors), with ``head_in``.
        inputs: if training has byte-aware inputs (`reading`), what they add to the embedding; else None.
    """

    name: str
    config: Any
    scales: Any
    inputs: TextInputs | None

    def initial(self, alphabet: int, seed: int) -> Weights:
        """Starting weights, a function of the seed alone."""

    def layer(self, weights: Weights, number: int, x: Tensor, rows: Rows, scales: Any = None) -> Tensor:
        """The stream [B, T, d] after layer `number`, from the one before it.

        Args:
            weights: at least those of the layer, whose names begin with its number and a dot.
            scales: if given, all that the frozen network holds in 8 bits is rounded as it rounds.
        """

    def calibrate(self, weights: Weights, blocks: list[Rows]) -> Any:
        """Scales for the weights as they are, on the CPU."""

    def factors(self, scales: Any) -> Factors:
        """What each matrix is multiplied by before it is rounded."""

    def freeze(self, weights: Weights, scales: Any) -> Any:
        """The integer network of weights on the CPU; it has ``save(folder)``."""

    def load(self, folder: Path, alphabet: int) -> Any:
        """The integer network in `folder`. Raises `ArtifactError`."""

    def predictor(self, frozen: Any, device: Device) -> Predictor:
        """The fastest predictor over an integer network on `device`."""

    def stepper(self, weights: Weights, grads: Weights, z_loss: float, bf16: bool, device: torch.device) -> Any:
        """What computes the gradients of a step; called as `stackc_torch.training.steps.AutogradStep` is."""


def reading(architecture: Architecture, inputs: TextInputs | None) -> Architecture:
    """The same network with these inputs: for one training."""
    made = copy.copy(architecture)
    made.inputs = inputs
    return made


def trained_shapes(architecture: Architecture, alphabet: int) -> dict[str, tuple[int, ...]]:
    """Name and shape of every array in training: those of the network, then a table of byte-aware inputs."""
    config, inputs = architecture.config, architecture.inputs
    return {**config.shapes(alphabet), **(inputs.shapes(config.width) if inputs else {})}


def trained_initial(architecture: Architecture, alphabet: int, seed: int) -> Weights:
    """Starting weights of `trained_shapes`, a function of the seed alone."""
    weights, inputs = architecture.initial(alphabet, seed), architecture.inputs
    return weights if inputs is None else inputs.initial(weights, seed)


def initial_weights(
    shapes: dict[str, tuple[int, ...]], seed: int, bias: Callable[[str], Tensor], divisors: dict[str, float]
) -> Weights:
    """Starting weights, a function of the seed alone (drawn on the CPU, in float32).

    The projection to symbols starts small, so that the first loss is that of the uniform distribution.

    Args:
        bias: the starting values of a bias, by its name.
        divisors: of the usual spread, by the last part of a name.
    """
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, shape in shapes.items():
        kind = name.split(".")[-1]
        if kind == "bias":
            weights[name] = bias(name)
            continue
        spread = 1.0 if kind == "embed" else 1 / math.sqrt(shape[1])
        spread /= divisors.get(kind, 1.0)
        if kind == "head":
            spread *= 0.1
        weights[name] = torch.randn(shape, generator=generator) * spread
    return weights


def normed(x: Tensor, scale: Tensor | None) -> Tensor:
    """x[..., d] over its root mean square, rounded where a scale is given."""
    y = x.float() * torch.rsqrt(x.float().square().mean(-1, keepdim=True) + NORM_EPSILON)
    return y if scale is None else round_to(y, scale)


def embedded(architecture: Architecture, weights: Weights, inputs: Tensor) -> Tensor:
    """The rows with which inputs [B, T] enter the stream: [B, T, d]; the weights are in training, or complete."""
    if architecture.inputs is not None and NAME in weights:
        return architecture.inputs.embedded(weights, inputs)
    return weights["embed"][inputs]


def hidden(architecture: Architecture, weights: Weights, rows: Rows, scales: Any = None) -> Tensor:
    """The operands of the projection to symbols: [B, T, d], normed."""
    x = embedded(architecture, weights, rows.inputs)
    for number in range(architecture.config.layers):
        x = architecture.layer(weights, number, x, rows, scales)
    return normed(x, scales and scales.head_in)
