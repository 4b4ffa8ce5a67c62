"""The model backends ``transformer`` and ``gru``: training, freezing, loading. Imported when a part is used."""

from __future__ import annotations

from pathlib import Path

from stackc.api import Device, Predictor, TrainingTask
from stackc_torch.frozen import numerics
from stackc_torch.training.architecture import Architecture
from stackc_torch.training.checkpoint import FLOAT, load_float_parts
from stackc_torch.training.loop import train
from stackc_torch.training.networks import NetworkRun


class Backend:
    """A `stackc.api.ModelBackend` over an architecture."""

    many_ranks = True

    def __init__(self, architecture: Architecture) -> None:
        self.architecture = architecture

    def train(self, task: TrainingTask) -> None:
        """Train in floats; leaves `float.safetensors` in ``task.folder``."""
        train(task, FLOAT, lambda device: NetworkRun(self.architecture, task, device))

    def freeze(self, trained: Path, folder: Path, alphabet: int) -> None:
        """Write `frozen.safetensors`, the integers, to `folder`."""
        weights, scales = load_float_parts(trained, self.architecture, alphabet)
        folder.mkdir(parents=True, exist_ok=True)
        self.architecture.freeze(weights, scales).save(folder)

    def load(self, folder: Path, alphabet: int, device: Device) -> Predictor:
        """The predictor over the integers in `folder`."""
        numerics.use_threads(device)
        return self.architecture.predictor(self.architecture.load(folder, alphabet), device)
