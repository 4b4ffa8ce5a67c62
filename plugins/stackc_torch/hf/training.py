"""Training a model of transformers: the loop, its state, and how it goes on after it was killed."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stackc.api import ArtifactError, CorpusError, Device, StackcError, TrainingTask, read_tensors, write_tensors
from stackc_hf.config import Hf, HfTraining
from stackc_hf.making import WEIGHTS, arrays, fill, fresh, save
from stackc_hf.predictor import HfPredictor
from stackc_hf.ranks import check_same, of_rank_0, sum_gradients, summed
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
    """Train to the end and leave the model in the task's folder; a finished training is left as it is.

    Of several ranks each computes the gradients of its share of every step's rows, and all take the same step with
    their sum. A training goes on with any number of ranks.

    Raises:
        StackcError: no such model or device, no text, or a loss that is not finite.
    """
    done = (task.folder / WEIGHTS).exists()
    check_same(int(done), task)
    if done:
        return
    if not len(task.train.symbols):
        raise CorpusError("hf: the training text has no symbols; give the corpus some text")
    with training_mode(task.device) as device, torch.random.fork_rng(devices=[]):
        torch.manual_seed(task.seed & 0x7FFFFFFFFFFFFFFF)
        model = fresh(config, task.alphabet)
        Run(model, config, task, device).to_the_end()
        if task.rank == 0:
            save(model, task.folder)
    if task.rank == 0:
        (task.folder / STATE).unlink(missing_ok=True)


@contextlib.contextmanager
def training_mode(device: Device) -> Iterator[torch.device]:
    """Settings under which a killed and resumed training ends in the same bytes (on CPU, same threads and build).

    Raises:
        StackcError: the device is not there.
    """
    if device.name == "cuda" and not torch.cuda.is_available():
        raise StackcError("device cuda: torch sees no CUDA device here; use device = cpu")
    threads, tf32 = torch.get_num_threads(), torch.backends.cuda.matmul.allow_tf32
    # The number of threads decides in which order a matrix product adds up.
    torch.set_num_threads(device.threads)
    # TF32 rounds operands to 10 bits: float32 is what the recipe says, or bf16.
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield torch.device(device.name)
    finally:
        torch.set_num_threads(threads)
        torch.backends.cuda.matmul.allow_tf32 = tf32


class Run:
    """A training in progress: the model, the optimiser, where windows start, and the steps done.

    Attributes:
        device: where the model lies, with its gradients and moments, but while it cuts windows.
    """

    def __init__(self, model: Any, config: Hf, task: TrainingTask, device: torch.device) -> None:
        settings: HfTraining = task.settings
        self.model, self.config, self.task, self.settings = model.to(device), config, task, settings
        self.device = device
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
        check_same(self.step, task)
        if task.ranks > 1:  # other processors may have drawn other last bits
            with torch.no_grad():
                for parameter in self.parameters:
                    parameter.copy_(of_rank_0(parameter, task))

    def to_the_end(self) -> None:
        """Every step that is left, with checkpoints and reports."""
        saved, total = time.monotonic(), self.settings.steps
        while self.step < total:
            loss = self._one_step()
            self.step += 1
            if self.task.rank:
                continue  # rank 0 saves and speaks
            self.losses.append(loss)
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
        symbols = sum(int((targets != UNSEEN).sum()) for _, targets in blocks)  # of all ranks
        self.optimiser.zero_grad()
        found = torch.zeros((), dtype=torch.float64, device=self.device)
        mine = slice(self.task.rank, None, self.task.ranks)
        for inputs, targets in blocks:
            if len(inputs[mine]):
                loss = self._nats(inputs[mine], targets[mine], self.settings.precision) / symbols
                loss.backward()
                found += loss.detach()
        sum_gradients(self.parameters, self.task.ranks)
        nats = float(summed(found, self.task.ranks))
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

    def _nats(self, inputs: Ids, targets: Ids, precision: str = "float32") -> Tensor:
        """Summed over the targets, among the symbols of the alphabet alone, as in coding."""
        ids, wanted = (torch.from_numpy(array).to(self.device) for array in (inputs, targets))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=precision == "bf16"):
            logits = self.model(input_ids=ids, use_cache=False).logits[..., : self.task.alphabet]
        return torch.nn.functional.cross_entropy(
            logits.flatten(0, 1).float(), wanted.flatten(), ignore_index=UNSEEN, reduction="sum"
        )

    def _cut(self, cuts: int) -> None:
        """Cut a sample of the text with the model so far, as the level's encoder will: on the CPU, by rank 0."""
        assert self.task.cut is not None
        symbols = self.sampler.sample(cuts)
        starts = torch.zeros(len(symbols), dtype=torch.uint8)
        if self.task.rank == 0:
            self.optimiser.zero_grad()  # gradients of the step before need not travel
            predictor = HfPredictor(self.model.to("cpu"), self.task.alphabet, self.config.context)
            starts[self.task.cut(predictor, symbols)] = 1
            self.model.to(self.device)  # its parameters are the same objects, so the optimiser has them still
        starts = of_rank_0(starts, self.task)
        self.windows = Windows(symbols=symbols, starts=np.flatnonzero(starts.numpy()), cuts=cuts)

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
            found |= {f"optimiser.{number}.{name}": state[name].cpu().numpy() for name in MOMENTS if name in state}
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
                    # The count of steps stays on the CPU, as AdamW has it.
                    moved = {name: state[name].to(self.device) for name in MOMENTS if name != "step"}
                    self.optimiser.state[parameter] = {**state, **moved}
            self.step, cuts = (int(number) for number in found["steps"])
            self.windows = Windows(symbols=found["windows.symbols"], starts=found["windows.starts"], cuts=cuts)
            self.losses = found.get("losses", np.zeros(0)).tolist()  # states of older versions lack it
        except KeyError as error:
            raise ArtifactError(f"{path}: {error} is missing; remove it to train from the start") from error
