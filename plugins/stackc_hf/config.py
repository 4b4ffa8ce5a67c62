"""What a recipe may set of the ``hf`` backend. Imports neither torch nor transformers."""

from __future__ import annotations

from typing import ClassVar

import attrs
from attrs.validators import and_, ge, le

from stackc.api import Cost, bits, speed


@attrs.frozen(kw_only=True)
class HfTraining:
    """The ``[level.train]`` table: AdamW with a linear warm-up over a tenth of the steps, then a linear decay."""

    steps: int = bits(1000, check=ge(0), help="optimiser steps; 0: code with the checkpoint as it is")
    batch: int = bits(8, check=ge(1), help="rows a step")
    row: int = bits(128, check=ge(2), help="symbols a row, no more than the model's context")
    learning_rate: float = bits(1e-3, check=and_(ge(1e-8), le(1.0)), help="peak learning rate")
    checkpoint_seconds: float = speed(60.0, check=ge(0.0), help="seconds between checkpoints; 0: every step")


@attrs.frozen(kw_only=True)
class Hf:
    """The ``[level.model]`` table of ``backend = "hf"``.

    A lane's context is emptied but for its later half whenever `context` positions are full.
    """

    bits_version: ClassVar[int] = 1
    train: ClassVar[type] = HfTraining

    model_type: str = bits("gpt2", help="of transformers, such as gpt2 or llama; not with checkpoint")
    settings: str = bits("", help='of the model\'s configuration, such as "n_layer=2 n_embd=64"')
    checkpoint: str = bits("", help="folder of a trained model in safetensors; nothing is ever downloaded")
    context: int = bits(256, check=and_(ge(2), le(65_536)), help="positions that the model sees at most")

    def overrides(self) -> dict[str, int | float | str]:
        """`settings` as keyword arguments.

        Raises:
            ValueError: a setting that is not KEY=VALUE.
        """
        found: dict[str, int | float | str] = {}
        for setting in self.settings.split():
            key, equals, value = setting.partition("=")
            if not (key.isidentifier() and equals and value):
                raise ValueError(f"{setting!r} is not KEY=VALUE")
            for kind in (int, float, str):
                try:
                    found[key] = kind(value)
                    break
                except ValueError:
                    continue
        return found

    def problems(self, alphabet: int, settings: HfTraining | None) -> list[str]:
        """What no single field can see."""
        found = []
        try:
            self.overrides()
        except ValueError as error:
            found.append(f"settings: {error}")
        if settings is None:
            return [*found, "train: an hf model needs a train table (steps = 0: the checkpoint as it is)"]
        if settings.row > self.context:
            found.append(f"train.row: {settings.row} is more than context = {self.context}")
        return found

    def cost(self, alphabet: int, settings: HfTraining | None) -> Cost:
        """Symbols seen. Parameters are known when the model is made: its predictor tells them."""
        return Cost(parameters=0, train_symbols=settings.steps * settings.batch * settings.row if settings else 0)
