"""The transformer as an `Architecture`: where its parts lie."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stackc.api import Device, Predictor
from stackc_torch import numerics
from stackc_torch.calibrate import calibrate
from stackc_torch.config import Transformer
from stackc_torch.freeze import freeze
from stackc_torch.integers import Frozen
from stackc_torch.network import Rows, Scales, Weights, initial_weights, layer
from stackc_torch.quantise import Factors, factors


class TransformerNetwork:
    """An `stackc_torch.architecture.Architecture`."""

    name = "transformer"
    scales = Scales

    def __init__(self, config: Transformer) -> None:
        self.config = config

    def initial(self, alphabet: int, seed: int) -> Weights:
        return initial_weights(self.config, alphabet, seed)

    def layer(self, weights: Weights, number: int, x: Tensor, rows: Rows, scales: Scales | None = None) -> Tensor:
        return layer(weights, self.config, number, x, rows, scales)

    def calibrate(self, weights: Weights, blocks: list[Rows]) -> Scales:
        return calibrate(weights, self.config, blocks)

    def factors(self, scales: Scales) -> Factors:
        return factors(self.config, scales)

    def freeze(self, weights: Weights, scales: Scales) -> Frozen:
        return freeze(weights, scales, self.config)

    def load(self, folder: Path, alphabet: int) -> Frozen:
        return Frozen.load(folder, alphabet)

    @staticmethod
    def predictor(frozen: Frozen, device: Device) -> Predictor:
        target = numerics.pick(device)
        if target.type == "cpu":
            from stackc_torch.cpu import CpuPredictor

            return CpuPredictor(frozen)
        from stackc_torch.device import DevicePredictor

        return DevicePredictor(frozen, target)

    def stepper(self, weights: Weights, grads: Weights, z_loss: float, bf16: bool, device: torch.device) -> Any:
        """The fused path on CPU, autograd elsewhere."""
        if device.type == "cpu":
            from stackc_torch.fused import FusedStep

            return FusedStep(self.config, weights, grads, z_loss, bf16)
        from stackc_torch.steps import AutogradStep

        return AutogradStep(self, weights, grads, z_loss, bf16)
