"""The model backend ``hf``: training, freezing, loading. Imported when the part is used."""

from __future__ import annotations

from pathlib import Path

from stackc.api import Device, TrainingTask
from stackc_hf import making
from stackc_hf.config import Hf
from stackc_hf.predictor import HfPredictor
from stackc_hf.training import train


class HfBackend:
    """A `stackc.api.ModelBackend`. Trains on the device of its task, codes on the CPU."""

    many_ranks = True

    def __init__(self, config: Hf) -> None:
        self.config = config

    def fingerprint(self) -> str:
        """Of the checkpoint's content; empty without one. Raises `StackcError` where it is not there."""
        folder = making.checkpoint_folder(self.config)
        return "" if folder is None else making.checkpoint_fingerprint(folder)

    def train(self, task: TrainingTask) -> None:
        """Train; a killed training goes on, a finished one is left as it is."""
        task.folder.mkdir(parents=True, exist_ok=True)
        train(self.config, task)

    def freeze(self, trained: Path, folder: Path, alphabet: int) -> None:
        """Copy the model: its floats are what codes."""
        folder.mkdir(parents=True, exist_ok=True)
        making.copy(trained, folder)

    def load(self, folder: Path, alphabet: int, device: Device) -> HfPredictor:
        """The predictor over the model in `folder`, on the CPU whatever `device` says. Raises `ArtifactError`."""
        return HfPredictor(making.load(folder, alphabet, self.config.context), alphabet, self.config.context)
