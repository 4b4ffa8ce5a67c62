"""The model backend ``transformer``: training, freezing, loading. Imported when the part is used."""

from __future__ import annotations

from pathlib import Path

from stackc.api import Device, Predictor, TrainingTask
from stackc_torch import numerics
from stackc_torch.checkpoint import load_float_parts
from stackc_torch.config import Transformer
from stackc_torch.freeze import freeze
from stackc_torch.integers import Frozen
from stackc_torch.training import train


class TransformerBackend:
    """A `stackc.api.ModelBackend`."""

    many_ranks = True

    def __init__(self, config: Transformer) -> None:
        self.config = config

    def train(self, task: TrainingTask) -> None:
        """Train in floats; leaves `float.safetensors` in ``task.folder``."""
        task.folder.mkdir(parents=True, exist_ok=True)
        train(self.config, task)

    def freeze(self, trained: Path, folder: Path, alphabet: int) -> None:
        """Write `frozen.safetensors`, the integers, to `folder`."""
        weights, scales = load_float_parts(trained, self.config, alphabet)
        folder.mkdir(parents=True, exist_ok=True)
        freeze(weights, scales, self.config).save(folder)

    def load(self, folder: Path, alphabet: int, device: Device) -> Predictor:
        """The predictor over the integers in `folder`."""
        numerics.use_threads(device)
        return predictor(Frozen.load(folder, alphabet), device)


def predictor(frozen: Frozen, device: Device) -> Predictor:
    """The fastest route for a frozen network on `device`. Every route answers the same bits."""
    target = numerics.pick(device)
    if target.type == "cpu":
        from stackc_torch.cpu import CpuPredictor

        return CpuPredictor(frozen)
    from stackc_torch.device import DevicePredictor

    return DevicePredictor(frozen, target)
