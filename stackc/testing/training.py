"""Small training tasks for the contract of model backends: text, reports, and what is written."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from stackc.api.arrays import RESTART, Frequencies, Int64, Mask, Symbols
from stackc.api.frequencies import check_frequencies
from stackc.api.models import Device, Predictor, Text, TrainingTask
from stackc.api.offsets import offsets_of
from stackc.api.texts import SymbolTexts

SEGMENT = 96
"""Symbols in a segment of the text that backends are trained on."""


class Killed(BaseException):
    """Raised in the middle of training, as Ctrl-C would be."""


@attrs.define
class Reports:
    """A `Progress` that counts reports, and kills the training at one of them."""

    kill_at: int | None = None
    count: int = 0

    def update(self, done: int, total: int, **figures: float) -> None:
        assert 0 <= done <= total
        self._report()

    def say(self, text: str) -> None:
        """Nothing is shown."""

    def log(self, step: int, **scalars: float) -> None:
        self._report()

    def _report(self) -> None:
        self.count += 1
        if self.count == self.kill_at:
            raise Killed


def sample_text(alphabet: int, length: int = 3 * SEGMENT + 5, seed: int = 0) -> Text:
    """Symbols with something to learn: each tends to follow its predecessor by one. Two documents."""
    rng = np.random.default_rng([seed, alphabet])
    jumps = np.where(rng.random(length) < 0.8, 1, rng.integers(0, alphabet, length))
    symbols = (np.cumsum(jumps) % min(alphabet, 50)).astype(np.min_scalar_type(alphabet - 1))
    symbols[-1] = alphabet - 1
    return Text(symbols=symbols, offsets=np.array([0, length // 3, length]), source_bytes=length)


def sample_texts(alphabet: int) -> SymbolTexts:
    """Texts of 0 to 4 bytes for an alphabet; some symbols have the same."""
    texts = [b" ab cd ef"[symbol % 6 : symbol % 6 + symbol % 5] for symbol in range(alphabet)]
    return SymbolTexts(data=np.frombuffer(b"".join(texts), np.uint8), offsets=offsets_of([len(t) for t in texts]))


def training_task(alphabet: int, settings: Any, folder: Path, **changes: Any) -> TrainingTask:
    """A small `TrainingTask`, with texts where the settings ask for them; `changes` replace its fields."""
    folder.mkdir(parents=True, exist_ok=True)
    fields: dict[str, Any] = {
        "alphabet": alphabet,
        "segment": SEGMENT,
        "train": sample_text(alphabet),
        "valid": sample_text(alphabet, 60, seed=1),
        "seed": 3,
        "settings": settings,
        "folder": folder,
        "device": Device(),
        "progress": Reports(),
        "texts": sample_texts(alphabet) if getattr(settings, "needs_texts", "") else None,
    }
    return TrainingTask(**{**fields, **changes})


def every_five(predictor: Predictor, symbols: Symbols, offsets: Int64 | None = None) -> Int64:
    """A `TrainingTask.cut`: windows of five symbols. It asks the unfinished model for a row, as a real `cut` does."""
    state = predictor.start(1)
    rows = predictor.step(state, np.array([RESTART]))
    check_frequencies(rows, predictor.alphabet, "the predictor given to cut")
    return np.arange(0, len(symbols), 5, dtype=np.int64)


def step_rows(predictor: Predictor, symbols: Symbols, restarts: Mask | None = None) -> Frequencies:
    """The rows of a segment by stepping one lane: uint32[n, A]."""
    state, rows, last = predictor.start(1), [], RESTART
    for place, symbol in enumerate(symbols.tolist()):
        if restarts is not None and restarts[place] and last != RESTART:
            last = RESTART
        rows.append(predictor.step(state, np.array([last], dtype=np.int64))[0].copy())
        last = symbol
    return np.array(rows, dtype=np.uint32).reshape(len(rows), predictor.alphabet)


def digest(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
