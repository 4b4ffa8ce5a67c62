"""Coding with a causal language model: floats turned into integer frequencies by one rule.

    p = softmax of the logits of the alphabet, in float64;   counts = floor(p * 2^30);   frequencies = normalise(counts)

The logits are floats, so the outputs hold on one machine alone, under one build of its software. There they repeat:
a lane is evaluated alone, in one thread, in calls whose shapes follow from the symbols since its restart, and the
decoder makes the same calls.
"""

from __future__ import annotations

import copy
import inspect
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import torch
import transformers
from torch import Tensor

from stackc.api import IDLE, RESTART, CodingError, Frequencies, Portability, normalise
from stackc_torch.frozen.numerics import one_thread
from stackc_torch.hf.inputs import rename_empty
from stackc_torch.hf.making import REFUSALS
from stackc_torch.hf.sizes import sizes_of

COUNT_BITS = 30
"""Probabilities become counts below 2^30, of which `normalise` makes frequencies."""


PROBE = 32
"""Positions that a model's cache is tried on."""

ABREAST = 1 << 24
"""Logits of contexts that are scored side by side, about."""


@attrs.frozen
class Context:
    """Symbols first .. last - 1 of a run, in one context behind the empty one; the first `known` are not predicted."""

    first: int
    last: int
    known: int

    @property
    def shape(self) -> tuple[int, int]:
        return self.last - self.first, self.known


def _contexts(count: int, most: int) -> Iterator[Context]:
    """The contexts of a run of `count` symbols, of `most` positions at most, as a lane has them when it is stepped."""
    if count:
        yield Context(0, min(most, count), 0)
    at = most
    while at < count:
        first = at - most // 2
        last = min(first + most, count)
        yield Context(first, last, at - first)
        at = last


def own(model: Any) -> Any:
    """A copy of a model that shares the weights: modules write to themselves while they run (rotary tables do)."""
    return copy.deepcopy(model, {id(weights): weights for weights in model.parameters()})


@attrs.define
class Lane:
    """A lane's inputs since its restart (or what is left of them), and the model's cache of them."""

    inputs: list[int]
    cache: Any = None


@attrs.define
class State:
    """Lanes in the middle of their texts, and the copy of the model (`own`) that runs for them."""

    lanes: list[Lane]
    model: Any


class HfPredictor:
    """A `stackc.api.Predictor`; lanes are evaluated one at a time. Its model never runs: every state has a copy.

    Args:
        model: on the CPU, in evaluation mode, of more tokens than the alphabet has symbols.
        context: positions that it sees at most.
    """

    portability: Portability = "same-machine"

    def __init__(self, model: Any, alphabet: int, context: int) -> None:
        self.model, self.alphabet, self.context = model, alphabet, context
        sizes = sizes_of(model)
        self.parameters, self.body_ops, self.softmax_ops = sizes.parameters, sizes.body_ops, sizes.softmax_ops
        names = inspect.signature(model.forward).parameters
        self._cache_name = next((name for name in ("cache", "past_key_values") if name in names), None)
        with one_thread(), torch.no_grad():
            self._caches = self._cache_name is not None and self._cache_is_right()

    def save_pretrained(self, folder: Path, empty: int | None = None) -> None:
        """Write the model as `transformers` loads it, into a folder that exists.

        Args:
            folder: the folder.
            empty: a symbol that no text has. It represents the empty context in place of the token A, and the model
                has the A tokens of the alphabet alone: nothing was trained to leave A, or any further token, out.
        """
        model = copy.deepcopy(self.model)
        if empty is not None:
            rename_empty(model, self.alphabet, empty)
        model.save_pretrained(folder)

    def start(self, lanes: int) -> State:
        return State([Lane([]) for _ in range(lanes)], own(self.model))

    def step(self, state: State, symbols: npt.NDArray[np.int64]) -> Frequencies:
        """See `stackc.api.Predictor.step`. Raises `CodingError` for a symbol outside the alphabet."""
        out = np.zeros((len(state.lanes), self.alphabet), np.uint32)
        with one_thread(), torch.no_grad():
            for number, symbol in enumerate(np.asarray(symbols).tolist()):
                if symbol != IDLE:
                    self._advance(state.lanes[number], symbol)
                    out[number] = self._answer(state.model, state.lanes[number])
        return out

    def pick(
        self, segment: npt.NDArray[np.integer], restarts: npt.NDArray[np.bool_] | None = None
    ) -> Iterator[npt.NDArray[np.uint32]]:
        """See `stackc.api.Predictor`. Each context in one call, several side by side: stepping takes a call a symbol.

        The last bits of floats depend on the shapes of calls, so a frequency may be another one than stepping gives.
        """
        model, symbols = own(self.model), np.asarray(segment).astype(np.int64)
        marks = np.zeros(len(symbols), np.bool_) if restarts is None else restarts.copy()
        marks[:1] = True
        abreast = max(1, ABREAST // (self.context * self.alphabet))
        for run in np.split(symbols, np.flatnonzero(marks)[1:]):
            for _, alike in itertools.groupby(_contexts(len(run), self.context), lambda one: one.shape):
                while some := list(itertools.islice(alike, abreast)):
                    yield self._picked(model, run, some)

    def _picked(self, model: Any, run: npt.NDArray[np.int64], contexts: list[Context]) -> npt.NDArray[np.uint32]:
        """The frequencies of the symbols that contexts of one shape predict, in order."""
        inputs = [[self.alphabet, *run[one.first : one.last - 1].tolist()] for one in contexts]
        with one_thread(), torch.no_grad():
            logits = model(input_ids=torch.tensor(inputs), use_cache=False).logits
        picked = []
        for one, rows in zip(contexts, logits, strict=True):
            wanted = run[one.first + one.known : one.last]
            frequencies = map(self._frequencies, rows[one.known :])
            picked += [int(row[symbol]) for row, symbol in zip(frequencies, wanted, strict=True)]
        return np.array(picked, np.uint32)

    def _advance(self, lane: Lane, symbol: int) -> None:
        if not RESTART <= symbol < self.alphabet:
            raise CodingError(f"a symbol outside the alphabet of {self.alphabet}")
        if symbol == RESTART:
            lane.inputs, lane.cache = [self.alphabet], None
            return
        if not lane.inputs:
            raise CodingError("a lane was stepped before it was restarted")
        lane.inputs.append(symbol)
        if len(lane.inputs) > self.context:
            lane.inputs, lane.cache = [self.alphabet, *lane.inputs[-(self.context // 2) :]], None

    def _answer(self, model: Any, lane: Lane) -> Frequencies:
        return self._frequencies(self._logits(model, lane, self._caches))

    def _frequencies(self, outputs: Tensor) -> Frequencies:
        """The row of integers for the logits of all tokens."""
        logits = outputs[: self.alphabet].double()
        if not torch.isfinite(logits).all():
            raise CodingError("the hf model's outputs are not finite; train it at a lower learning rate")
        return normalise(torch.floor(torch.softmax(logits, -1) * (1 << COUNT_BITS)).long().numpy())

    def _logits(self, model: Any, lane: Lane, caches: bool) -> Tensor:
        """Of the lane's next symbol; its cache, if there is one, is that of all inputs but the last."""
        if not caches:
            return _forward(model, lane.inputs, use_cache=False)
        new = lane.inputs if lane.cache is None else lane.inputs[-1:]
        if lane.cache is None:
            lane.cache = transformers.DynamicCache(config=self.model.config)
        return _forward(model, new, use_cache=True, **{str(self._cache_name): lane.cache})

    def _cache_is_right(self) -> bool:
        """Whether the model gives the same with a cache as without. If not, every symbol is run from the start."""
        inputs = [self.alphabet, *(i % self.alphabet for i in range(min(PROBE, self.context) - 1))]
        lane, model = Lane([]), own(self.model)
        try:
            whole = model(input_ids=torch.tensor([inputs]), use_cache=False).logits[0]
            for place, symbol in enumerate(inputs):
                lane.inputs.append(symbol)
                if not torch.allclose(self._logits(model, lane, True), whole[place], rtol=1e-3, atol=1e-4):
                    return False
        except REFUSALS:
            return False
        return True


def _forward(model: Any, inputs: list[int], **options: Any) -> Tensor:
    """The logits after the last of the inputs."""
    logits: Tensor = model(input_ids=torch.tensor([inputs]), **options).logits[0, -1]
    return logits
