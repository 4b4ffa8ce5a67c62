"""What ``stackc plugins check`` tries with a model that codes by itself or offers kernels, trained on a line."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from stackc.api.models import Device, ModelBackend, Text, TrainingTask
from stackc.coding.runs import Copies, decode_runs, encode_runs
from stackc.parts.abilities import codes_bitwise, compiles_step
from stackc.parts.bitwise import GuardedBitwise
from stackc.parts.checked import GuardedPredictor

ALPHABET = 256
LINE = np.frombuffer(b"what is coded is decoded, " * 20, np.uint8)


class Quiet:
    """Reports to nobody."""

    def update(self, done: int, total: int, **figures: float) -> None: ...

    def log(self, step: int, **scalars: float) -> None: ...

    def say(self, text: str) -> None: ...


def try_bitwise(backend: ModelBackend, settings: Any) -> list[str]:
    """Train, freeze and load a model that codes bit by bit, and code a text: the problems that were found."""
    loaded = _loaded(backend, settings)
    if not codes_bitwise(loaded):
        return [f"bitwise is True, and load gives a {type(loaded).__name__} without encode_block and decode_block"]
    return _coded(GuardedBitwise(loaded, ALPHABET, "check"))


def try_compiled(backend: ModelBackend, settings: Any) -> list[str]:
    """Train, freeze and load a model that offers its kernels: the problems that were found.

    Raises:
        PartError: kernels that give other rows than `step`.
    """
    loaded: Any = _loaded(backend, settings)
    if not compiles_step(loaded):
        return [f"compiled is True, and load gives a {type(loaded).__name__} without compiled"]
    if loaded.portability != "portable":
        return [f"compiled is True, and its model is {loaded.portability}; only a portable one is put into a loop"]
    GuardedPredictor(loaded, ALPHABET, "check").prove(LINE)
    return []


def _loaded(backend: ModelBackend, settings: Any) -> Any:
    """A model trained on a line."""
    offsets = np.array([0, len(LINE)], np.int64)
    text = Text(symbols=LINE, offsets=offsets, source_bytes=len(LINE))
    with tempfile.TemporaryDirectory() as folder:
        trained, frozen = Path(folder) / "model", Path(folder) / "frozen"
        trained.mkdir()
        frozen.mkdir()
        backend.train(
            TrainingTask(
                alphabet=ALPHABET,
                segment=100,
                train=text,
                valid=text,
                seed=0,
                settings=settings,
                folder=trained,
                device=Device(),
                progress=Quiet(),
            )
        )
        backend.freeze(trained, frozen, ALPHABET)
        return backend.load(frozen, ALPHABET, Device())


def _coded(model: GuardedBitwise) -> list[str]:
    """Problems with a text, and with payloads of zeros and of ones."""
    copies, offsets = Copies(model, 1, None), np.array([0, len(LINE)], np.int64)
    tokens, bounds = encode_runs(model, copies, LINE, offsets, None)
    problems = []
    for hostile in (np.zeros(9, np.uint8), np.full(9, 255, np.uint8)):
        model.decode_block(model.begin(), hostile, np.zeros(50, np.uint8))
    back = decode_runs(model, copies, tokens, bounds, None, len(LINE), "check")
    if not np.array_equal(back.symbols, LINE):
        problems.append("a text that it coded decodes to another")
    if not np.array_equal(encode_runs(model, copies, LINE, offsets, None)[0], tokens):
        problems.append(
            "the same text is coded differently the second time; every sequence starts from the primed state"
        )
    return problems
