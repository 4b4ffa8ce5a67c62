"""Training and coding with a causal language model of transformers.

Floats decide its frequencies, so that its answers hold on the same machine only: every lane is stepped alone, in
calls of one shape, and the encoder decodes what it wrote before it is kept.
"""

from __future__ import annotations

import inspect
import json
import math
import time
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import torch
import transformers

from stackc.api import (
    IDLE,
    RESTART,
    ArtifactError,
    CodingError,
    CorpusError,
    Device,
    Frequencies,
    Portability,
    StackcError,
    TrainingTask,
    normalise,
    read_tensors,
    write_atomically,
    write_tensors,
)
from stackc_hf.config import Hf, HfTraining

FLOAT, STATE, CONFIG = "float.safetensors", "state.safetensors", "config.json"
COUNT_BITS = 30
"""Probabilities become counts floor(p * 2^30) before `normalise`."""


class HfBackend:
    """A `stackc.api.ModelBackend`."""

    def __init__(self, config: Hf) -> None:
        self.config = config

    def train(self, task: TrainingTask) -> None:
        """Train; a killed training goes on, a finished one is left as it is."""
        folder = task.folder
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / FLOAT).exists():
            return
        if not len(task.train.symbols):
            raise CorpusError("hf: the training text has no symbols; give the corpus some text")
        torch.set_num_threads(task.device.threads)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(task.seed)
            model = self._fresh(task.alphabet)
            _Run(model, task).to_the_end()
        kept = json.dumps(model.config.to_diff_dict(), sort_keys=True, default=str).encode()
        _write(folder / CONFIG, kept)
        write_tensors(folder / FLOAT, _arrays(model))
        (folder / STATE).unlink(missing_ok=True)

    def freeze(self, trained: Path, folder: Path, alphabet: int) -> None:
        """Copy the weights: they are all that coding needs."""
        folder.mkdir(parents=True, exist_ok=True)
        write_tensors(folder / FLOAT, read_tensors(trained / FLOAT))
        _write(folder / CONFIG, (trained / CONFIG).read_bytes())

    def load(self, folder: Path, alphabet: int, device: Device) -> HfPredictor:
        """The predictor over the weights in `folder`. Raises `ArtifactError`."""
        arrays = read_tensors(folder / FLOAT)
        try:
            settings = json.loads((folder / CONFIG).read_text())
            config = transformers.AutoConfig.for_model(settings.pop("model_type"), **settings)
            model = transformers.AutoModelForCausalLM.from_config(config)
            model.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in arrays.items()})
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
            raise ArtifactError(f"{folder}: not a model that transformers loads; build the stack again") from error
        if config.vocab_size != alphabet + 1:
            raise ArtifactError(f"{folder}: of {config.vocab_size - 1} symbols, wanted for {alphabet}")
        torch.set_num_threads(1)
        return HfPredictor(model.eval(), alphabet, self.config.context)

    def _fresh(self, alphabet: int) -> Any:
        """The model to train, its vocabulary the alphabet and one more, the empty context."""
        try:
            if self.config.checkpoint:
                model = transformers.AutoModelForCausalLM.from_pretrained(
                    self.config.checkpoint, local_files_only=True, use_safetensors=True, dtype=torch.float32
                )
                model.resize_token_embeddings(alphabet + 1, mean_resizing=False)
                return model
            ids = {"bos_token_id": alphabet, "eos_token_id": alphabet, "pad_token_id": alphabet}
            config = transformers.AutoConfig.for_model(
                self.config.model_type, **{**self.config.overrides(), "vocab_size": alphabet + 1, **ids}
            )
            return transformers.AutoModelForCausalLM.from_config(config)
        except (OSError, ValueError, TypeError) as error:
            raise StackcError(
                f"hf: {str(error).splitlines()[0][:100]}; see model_type, settings, checkpoint"
            ) from error


class _Run:
    """A training in progress."""

    def __init__(self, model: Any, task: TrainingTask) -> None:
        self.model, self.task, self.settings = model.eval(), task, task.settings  # no dropout
        self.parameters = list(model.parameters())
        self.optimiser = torch.optim.AdamW(self.parameters, lr=self.settings.learning_rate)
        self.step = 0
        if (task.folder / STATE).exists():
            self._restore()

    def to_the_end(self) -> None:
        settings: HfTraining = self.settings
        saved = time.monotonic()
        while self.step < settings.steps:
            ids = torch.from_numpy(self._rows())
            logits = self.model(input_ids=ids[:, :-1], use_cache=False).logits
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), ids[:, 1:].flatten())
            self.optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
            warm = max(1, settings.steps // 10)
            share = min((self.step + 1) / warm, (settings.steps - self.step) / max(1, settings.steps - warm))
            for group in self.optimiser.param_groups:
                group["lr"] = settings.learning_rate * min(1.0, share)
            self.optimiser.step()
            self.step += 1
            if time.monotonic() - saved >= settings.checkpoint_seconds and self.step < settings.steps:
                self._save()
                saved = time.monotonic()
            self.task.progress.update(self.step, settings.steps, loss=float(loss.detach()) / math.log(2))

    def _rows(self) -> npt.NDArray[np.int64]:
        """int64[batch, row + 1]: the empty context, then a stretch of the text; a function of (seed, step)."""
        symbols, settings = self.task.train.symbols, self.settings
        random = np.random.default_rng([self.task.seed & 0xFFFFFFFFFFFFFFFF, self.step])
        places = random.integers(0, len(symbols), settings.batch)
        rows = np.asarray(symbols[(places[:, None] + np.arange(settings.row)) % len(symbols)]).astype(np.int64)
        return np.concatenate([np.full((settings.batch, 1), self.task.alphabet), rows], 1)

    def _save(self) -> None:
        arrays = {f"model.{name}": array for name, array in _arrays(self.model).items()}
        for number, parameter in enumerate(self.parameters):
            for name, tensor in self.optimiser.state[parameter].items():
                arrays[f"optimiser.{number}.{name}"] = tensor.numpy()
        write_tensors(self.task.folder / STATE, {**arrays, "step": np.array([self.step])})

    def _restore(self) -> None:
        arrays = {k: torch.from_numpy(np.array(v)) for k, v in read_tensors(self.task.folder / STATE).items()}
        self.model.load_state_dict({k.removeprefix("model."): v for k, v in arrays.items() if k[:6] == "model."})
        for number, parameter in enumerate(self.parameters):
            names = ("step", "exp_avg", "exp_avg_sq")
            self.optimiser.state[parameter] = {name: arrays[f"optimiser.{number}.{name}"] for name in names}
        self.step = int(arrays["step"])


def _arrays(model: Any) -> dict[str, Any]:
    return {name: tensor.detach().numpy().copy() for name, tensor in model.state_dict().items()}


@attrs.define
class Lane:
    """A lane's inputs since its restart (or what is left of them), and the model's cache of all of them."""

    inputs: list[int]
    cache: Any = None


class HfPredictor:
    """A `stackc.api.Predictor`; lanes are evaluated one at a time."""

    portability: Portability = "same-machine"

    def __init__(self, model: Any, alphabet: int, context: int) -> None:
        self.model, self.alphabet, self.context = model, alphabet, context
        # Named anew in transformers 5.
        accepted = inspect.signature(model.forward).parameters
        self._cache = "cache" if "cache" in accepted else "past_key_values"
        self.parameters = sum(parameter.numel() for parameter in model.parameters())

    def start(self, lanes: int) -> list[Lane]:
        return [Lane([]) for _ in range(lanes)]

    def step(self, state: list[Lane], symbols: npt.NDArray[np.int64]) -> Frequencies:
        """See `stackc.api.Predictor.step`. Raises `CodingError` for a symbol outside the alphabet."""
        out = np.zeros((len(state), self.alphabet), np.uint32)
        for number, symbol in enumerate(np.asarray(symbols).tolist()):
            if symbol == IDLE:
                continue
            lane = state[number]
            if not RESTART <= symbol < self.alphabet:
                raise CodingError(f"a symbol outside the alphabet of {self.alphabet}")
            if symbol == RESTART:
                lane.inputs, lane.cache = [self.alphabet], None
            elif not lane.inputs:
                raise CodingError("a lane was stepped before it was restarted")
            else:
                lane.inputs.append(symbol)
            if len(lane.inputs) > self.context:
                lane.inputs, lane.cache = lane.inputs[-(self.context // 2) :], None
            out[number] = self._answer(lane)
        return out

    @torch.no_grad()
    def _answer(self, lane: Lane) -> Frequencies:
        new = lane.inputs if lane.cache is None else lane.inputs[-1:]
        lane.cache = transformers.DynamicCache() if lane.cache is None else lane.cache
        result = self.model(input_ids=torch.tensor([new]), use_cache=True, **{self._cache: lane.cache})
        p = torch.softmax(result.logits[0, -1, : self.alphabet].double(), -1)
        return normalise(torch.floor(p * (1 << COUNT_BITS)).long().numpy())


def _write(path: Path, content: bytes) -> None:
    with write_atomically(path) as file:
        file.write(content)
