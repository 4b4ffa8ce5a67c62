"""The model backend ``hf``: training, freezing, loading. Imported when the part is used."""

from __future__ import annotations

from pathlib import Path

from stackc.api import Device, TrainingTask
from stackc_torch.hf import making
from stackc_torch.hf.config import Hf
from stackc_torch.hf.predictor import HfPredictor
from stackc_torch.hf.training import train_hf


class HfBackend:
    """A `stackc.api.ModelBackend`. Trains on the device of its task, codes on the CPU."""

    many_ranks = True

    def __init__(self, config: Hf) -> None:
        self.config = config

    def fingerprint(self) -> str:
        """A hash of the checkpoint's content; empty without a checkpoint. Raises `StackcError` if it is missing."""
        folder = making.checkpoint_folder(self.config.checkpoint)
        return "" if folder is None else making.checkpoint_fingerprint(folder)

    def train(self, task: TrainingTask) -> None:
        """Train; a killed training is resumed, a finished one is left as it is."""
        train_hf(self.config, task)

    def freeze(self, trained: Path, folder: Path, alphabet: int) -> None:
        """Copy the model: its floats code."""
        folder.mkdir(parents=True, exist_ok=True)
        making.copy(trained, folder)

    def load(self, folder: Path, alphabet: int, device: Device) -> HfPredictor:
        """The predictor over the model in `folder`, on the CPU whatever `device` says. Raises `ArtifactError`."""
        return HfPredictor(making.load(folder, alphabet, self.config.context), alphabet, self.config.context)
