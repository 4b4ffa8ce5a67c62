"""The transformer as an `stackc_torch.training.architecture.Architecture`."""

from __future__ import annotations

import functools
from typing import Any

import torch

from stackc.api import Device, Predictor
from stackc_torch.frozen.predictor import fastest
from stackc_torch.training.inputs import TextInputs
from stackc_torch.training.rows import Weights
from stackc_torch.training.steps import AutogradStep
from stackc_torch.transformer.arrays import Frozen
from stackc_torch.transformer.calibrate import calibrate
from stackc_torch.transformer.config import Transformer
from stackc_torch.transformer.freeze import factors, freeze
from stackc_torch.transformer.network import Scales, initial, layer


class TransformerNetwork:
    """See `Architecture`: every method is a function of the configuration, in the file of its name."""

    name = "transformer"
    scales = Scales
    load = staticmethod(Frozen.load)
    inputs: TextInputs | None = None

    def __init__(self, config: Transformer) -> None:
        self.config = config
        self.initial, self.layer = functools.partial(initial, config), functools.partial(layer, config)
        self.calibrate, self.factors = functools.partial(calibrate, config), functools.partial(factors, config)
        self.freeze = functools.partial(freeze, config)

    def predictor(self, frozen: Frozen, device: Device) -> Predictor:
        # Imported here: kernels are compiled when they are imported, and training does without them.
        from stackc_torch.transformer.cpu import CpuArithmetic
        from stackc_torch.transformer.device import DeviceArithmetic

        return fastest(frozen, device, CpuArithmetic, DeviceArithmetic)

    def stepper(self, weights: Weights, grads: Weights, z_loss: float, bf16: bool, device: torch.device) -> Any:
        """The fused path on CPU, autograd elsewhere."""
        if device.type == "cpu":
            from stackc_torch.transformer.fused import FusedStep

            return FusedStep(self.config, weights, grads, z_loss, bf16, self.inputs)
        return AutogradStep(self, weights, grads, z_loss, bf16)
