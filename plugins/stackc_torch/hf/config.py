"""What a recipe may set of the ``hf`` backend. Imports neither torch nor transformers."""

from __future__ import annotations

import importlib.util
import json
from typing import Any, ClassVar, Literal

import attrs
from attrs.validators import and_, ge, in_, le, optional

from stackc.api import MAX_ALPHABET, Cost, bits, globs
from stackc_torch.training.config import OPERATIONS_HELP, Training, nearest_steps, training_operations


def _installed() -> bool:
    return all(importlib.util.find_spec(name) is not None for name in ("torch", "transformers"))


@attrs.frozen(kw_only=True)
class HfTraining(Training):
    """The ``[level.train]`` table of an hf model: AdamW, a linear warm-up over a tenth of the steps, a linear decay.

    No dropout, whatever the model's configuration says: a step is a function of the seed and its number.
    """

    steps: int = bits(1000, check=ge(0), help="optimiser steps; 0: code with the checkpoint as it is")
    operations: float | None = bits(
        None, check=optional(ge(1.0)), help=f"{OPERATIONS_HELP}; not with steps", added=True
    )
    window_row: int = bits(32, check=ge(1), help="symbols of a window that are trained on, at most")
    recuts: int = bits(2, check=and_(ge(0), le(64)), help="times that windows are cut again with the model so far")
    recut_symbols: int = bits(4096, check=ge(1), help="training symbols that are cut each time")
    learning_rate: float = bits(1e-3, check=and_(ge(1e-8), le(1.0)), help="peak learning rate (AdamW)")
    precision: Literal["float32", "bf16"] = bits(
        "float32", check=in_(("float32", "bf16")), help="matrix products in training; weights stay float32"
    )
    accumulate: ClassVar[int] = 1
    """Parts that a step's rows are processed in."""

    def total_steps(self, context: int, cost: Cost) -> int:
        """Optimiser steps in all, of a model of this context and cost."""
        if self.operations is None:
            return self.steps
        return nearest_steps(self.operations, self.batch * self.row_symbols(context), cost)


@attrs.frozen(kw_only=True)
class Hf:
    """The ``[level.model]`` table of ``backend = "hf"``: any causal language model of transformers.

    Symbol s is the model's token s; the empty context is one more token, the alphabet's size. When `context`
    positions are full, the lane continues with the later half of them, after an empty context.
    """

    bits_version: ClassVar[int] = 1
    train: ClassVar[type] = HfTraining

    model_type: str = bits("gpt2", help="the architecture, as transformers calls it; not with checkpoint")
    settings: str = bits("", help="of its configuration, KEY=VALUE separated by blanks; not with checkpoint")
    checkpoint: str | tuple[str, ...] = globs((), help="folder of a trained model (config.json, safetensors)")
    context: int = bits(256, check=and_(ge(2), le(65_536)), help="positions that the model sees at most")

    def overrides(self) -> dict[str, Any]:
        """`settings` as keyword arguments; values are read as JSON if they are valid JSON, else as text.

        Raises:
            ValueError: a setting that is not KEY=VALUE, or is given twice.
        """
        found: dict[str, Any] = {}
        for setting in self.settings.split():
            key, equals, value = setting.partition("=")
            if not (key.isidentifier() and equals and value):
                raise ValueError(f"{setting!r} is not KEY=VALUE")
            if key in found:
                raise ValueError(f"{key} is given twice")
            try:
                found[key] = json.loads(value)
            except ValueError:
                found[key] = value
        return found

    def problems(self, alphabet: int, settings: HfTraining | None) -> list[str]:
        """Problems that concern several fields; transformers checks the configuration, if it is installed."""
        found = []
        if not 1 <= alphabet < MAX_ALPHABET:
            found.append(f"backend: an alphabet of {alphabet} symbols; hf models take 1 to {MAX_ALPHABET - 1}")
        try:
            given = self.overrides()
        except ValueError as error:
            return [*found, f"settings: {error}"]
        if self.checkpoint:
            if self.settings or self.model_type != attrs.fields(Hf).model_type.default:
                found.append("checkpoint: it comes with its own model_type and settings; remove these")
        elif _installed():  # if not, the factory says what to install
            from stackc_torch.hf.making import configuration_problems, making_problem

            found += configuration_problems(self.model_type, given, self.context)
            if not found and (unmade := making_problem(self, alphabet)) is not None:
                found.append(unmade)
        return [*found, *self._training_problems(settings)]

    def _training_problems(self, settings: HfTraining | None) -> list[str]:
        if settings is None:
            return ["train: an hf model needs a train table (steps = 0: the checkpoint as it is)"]
        found = settings.text_problems()
        if settings.row > self.context:
            found.append(f"train.row: {settings.row} is more than context = {self.context}")
        # A recipe that is written out has all fields, so the default number of steps is not a second budget.
        if settings.operations is not None and settings.steps != attrs.fields(HfTraining).steps.default:
            found.append("train.operations: give either steps or operations")
        if not settings.steps and settings.byte_aware:
            found.append("train.byte_aware: with steps = 0 nothing is trained; remove it")
        if not settings.steps and not self.checkpoint:
            found.append("train.steps: 0 leaves the model untrained; give it some, or a checkpoint")
        return found

    def cost(self, alphabet: int, settings: HfTraining | None) -> Cost:
        """Parameters (exact), operations per symbol, and what the training takes on one process.

        Sizes are 0 if transformers, torch or the checkpoint is missing; predictors report them later.
        """
        row = self.context if settings is None else settings.row_symbols(self.context)
        rows = 0 if settings is None else settings.batch
        found = None
        if _installed():
            from stackc_torch.hf.sizes import before_training

            aware = settings is not None and settings.byte_aware
            found = before_training(self, alphabet, rows, row, aware)
        sizes, kept = found or (Cost(parameters=0), 0)
        known = settings is not None and (settings.operations is None or found is not None)
        symbols = settings.total_steps(self.context, sizes) * rows * row if settings is not None and known else 0
        if found is None:
            return Cost(parameters=0, train_symbols=symbols)
        return attrs.evolve(
            sizes,
            train_symbols=symbols,
            train_ops=training_operations(symbols, sizes),
            # Torch itself, weights with gradients and two moments, and what a step keeps.
            train_memory=(300 << 20) + (16 * sizes.parameters + kept if symbols else 4 * sizes.parameters),
        )
