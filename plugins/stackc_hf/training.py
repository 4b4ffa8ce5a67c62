"""Training a model of transformers: the loop, its state, and how it goes on after it was killed."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stackc.api import ArtifactError, CorpusError, StackcError, TrainingTask, read_tensors, write_tensors
from stackc_hf.config import Hf, HfTraining
from stackc_hf.making import arrays, fill, fresh, save
from stackc_hf.predictor import HfPredictor
from stackc_hf.sampler import UNSEEN, Ids, Sampler, Windows

STATE = "state.safetensors"
MOMENTS = ("step", "exp_avg", "exp_avg_sq")

HELD_OUT_SYMBOLS = 4096
"""Held-out symbols that a loss is reported on, and"""
HELD_OUT_TIMES = 8
"""how many times."""

LOGGED_TIMES = 200
"""Points of a learning curve, each the mean since the last one, at steps that nothing else decides."""


def train(config: Hf, task: TrainingTask) -> None:
    """Train to the end and leave the model in the task's folder.

    Raises:
        StackcError: no such model, no text, or a loss that is not finite.
    """
    if not len(task.train.symbols):
        raise CorpusError("hf: the training text has no symbols; give the corpus some text")
    if task.device.name == "cuda":
        task.progress.say("hf models train and code on the CPU; --device cuda has no effect on them")
    threads = torch.get_num_threads()
    # The number of threads decides in which order a matrix product adds up.
    torch.set_num_threads(task.device.threads)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(task.seed & 0x7FFFFFFFFFFFFFFF)
            model = fresh(config, task.alphabet)
            Run(model, config, task).to_the_end()
        save(model, task.folder)
    finally:
        torch.set_num_threads(threads)
    (task.folder / STATE).unlink(missing_ok=True)


class Run:
    """A training in progress: the model, the optimiser, where windows start, and the steps done."""

    def __init__(self, model: Any, config: Hf, task: TrainingTask) -> None:
        settings: HfTraining = task.settings
        self.model, self.config, self.task, self.settings = model, config, task, settings
        self.parameters = list(model.parameters())
        decays = [p for p in self.parameters if p.ndim > 1]
        groups = [
            {"params": decays, "weight_decay": settings.weight_decay},
            {"params": [p for p in self.parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]
        self.optimiser = torch.optim.AdamW([g for g in groups if g["params"]], lr=settings.learning_rate)
        self.sampler = Sampler(task, settings.row_symbols(config.context))
        self.windows = self.sampler.guess()
        self.step = 0
        self.losses: list[float] = []  # of steps that are not logged yet
        if (task.folder / STATE).exists():
            self._restore()

    def to_the_end(self) -> None:
        """Every step that is left, with checkpoints and reports."""
        saved, total = time.monotonic(), self.settings.steps
        while self.step < total:
            loss = self._one_step()
            self.losses.append(loss)
            self.step += 1
            measured = self.step % max(1, total // HELD_OUT_TIMES) == 0 or self.step == total
            held_out = self._held_out() if measured else {}
            if measured or self.step % math.ceil(total / LOGGED_TIMES) == 0:
                self.task.progress.log(self.step, loss=sum(self.losses) / len(self.losses), **held_out)
                self.losses = []
            self.task.progress.update(self.step, total, loss=loss, **held_out)
            if time.monotonic() - saved >= self.settings.checkpoint_seconds and self.step < total:
                self._save()
                saved = time.monotonic()

    def _one_step(self) -> float:
        """One optimiser step; bits a symbol before it."""
        total = self.settings.steps
        due = sum(self.step >= total * (cut + 1) // (self.settings.recuts + 1) for cut in range(self.settings.recuts))
        if self.sampler.share and self.windows.cuts < due:
            self._cut(due)
        blocks = self.sampler.step(self.step, self.windows)
        symbols = sum(int((targets != UNSEEN).sum()) for _, targets in blocks)
        self.optimiser.zero_grad()
        nats = 0.0
        for inputs, targets in blocks:
            loss = self._nats(inputs, targets) / symbols
            loss.backward()
            nats += float(loss.detach())
        if not math.isfinite(nats):
            raise StackcError(f"hf: the loss of step {self.step} is not finite; lower train.learning_rate")
        if self.settings.clip:
            torch.nn.utils.clip_grad_norm_(self.parameters, self.settings.clip)
        warm = max(1, total // 10)
        share = min((self.step + 1) / warm, (total - self.step) / max(1, total - warm))
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.learning_rate * min(1.0, share)
        self.optimiser.step()
        return nats / math.log(2)

    def _nats(self, inputs: Ids, targets: Ids) -> Tensor:
        """Summed over the targets, among the symbols of the alphabet alone, as in coding."""
        logits = self.model(input_ids=torch.from_numpy(inputs), use_cache=False).logits[..., : self.task.alphabet]
        wanted = torch.from_numpy(targets).flatten()
        return torch.nn.functional.cross_entropy(
            logits.flatten(0, 1).float(), wanted, ignore_index=UNSEEN, reduction="sum"
        )

    def _cut(self, cuts: int) -> None:
        """Cut a sample of the text with the model so far, as the level's encoder will."""
        assert self.task.cut is not None
        symbols = self.sampler.sample(cuts)
        predictor = HfPredictor(self.model, self.task.alphabet, self.config.context)
        self.windows = Windows(symbols=symbols, starts=self.task.cut(predictor, symbols), cuts=cuts)

    @torch.no_grad()
    def _held_out(self) -> dict[str, float]:
        """Bits a symbol of a fixed part of the held-out text, in long rows."""
        found = self.sampler.held_out(HELD_OUT_SYMBOLS)
        if found is None:
            return {}
        inputs, targets = found
        size = self.settings.batch
        nats = sum(
            float(self._nats(inputs[at : at + size], targets[at : at + size])) for at in range(0, len(inputs), size)
        )
        return {"valid_loss": nats / int((targets != UNSEEN).sum()) / math.log(2)}

    def _save(self) -> None:
        """Write everything that the next step depends on, and what is not logged yet."""
        found = {f"model.{name}": array for name, array in arrays(self.model).items()}
        for number, parameter in enumerate(self.parameters):
            state = self.optimiser.state.get(parameter, {})  # none where no gradient reached it
            found |= {f"optimiser.{number}.{name}": state[name].numpy() for name in MOMENTS if name in state}
        found["windows.symbols"] = np.asarray(self.windows.symbols)
        found["windows.starts"] = self.windows.starts
        found["steps"] = np.array([self.step, self.windows.cuts])
        found["losses"] = np.array(self.losses, np.float64)
        write_tensors(self.task.folder / STATE, found)

    def _restore(self) -> None:
        """Go on from `_save`."""
        path = self.task.folder / STATE
        found = read_tensors(path)
        fill(self.model, {n.removeprefix("model."): a for n, a in found.items() if n.startswith("model.")}, path)
        try:
            for number, parameter in enumerate(self.parameters):
                keys = {name: f"optimiser.{number}.{name}" for name in MOMENTS}
                if keys["step"] in found:
                    state = {name: torch.from_numpy(np.array(found[key])) for name, key in keys.items()}
                    self.optimiser.state[parameter] = state
            self.step, cuts = (int(number) for number in found["steps"])
            self.windows = Windows(symbols=found["windows.symbols"], starts=found["windows.starts"], cuts=cuts)
            self.losses = found.get("losses", np.zeros(0)).tolist()  # states of older versions lack it
        except KeyError as error:
            raise ArtifactError(f"{path}: {error} is missing; remove it to train from the start") from error
