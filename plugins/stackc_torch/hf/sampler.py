"""Which rows a step trains on: a pure function of the seed and the step.

*Long rows* begin at a random place of the text and end with its document. *Window rows* begin where a window does
and end with it. Every row begins with the empty context. Where windows start is found by cutting a sample of the
text with the model so far; until that was done once, it is guessed.
"""

from __future__ import annotations

import math

import attrs
import numpy as np
import numpy.typing as npt

from stackc.api import Symbols, TrainingTask
from stackc_hf.config import HfTraining

UNSEEN = -100
"""A target that is not trained on, as torch's cross-entropy has it."""

GUESSED_WINDOW = 4
"""Mean length of a window before any was cut."""

_ROWS, _SAMPLE, _GUESS = range(3)

Ids = npt.NDArray[np.int64]


@attrs.frozen(kw_only=True, eq=False)
class Windows:
    """A sample of the text and where its windows start.

    Attributes:
        symbols: the sample.
        starts: int64[w], ascending, the first is 0.
        cuts: times that windows were cut so far; 0: these are guessed.
    """

    symbols: Symbols
    starts: Ids
    cuts: int


class Sampler:
    """Draws rows from a text of one or more symbols.

    Args:
        row: symbols of a long row.
    """

    def __init__(self, task: TrainingTask, row: int) -> None:
        self.task = task
        self.settings: HfTraining = task.settings
        self.share = self.settings.window_share if task.cut is not None else 0.0
        self.row = row
        self.window_row = min(self.settings.window_row, row)

    def step(self, step: int, windows: Windows) -> list[tuple[Ids, Ids]]:
        """(inputs, targets) int64[rows, length] of each block: long rows, and as many symbols' worth of windows."""
        batch, random = self.settings.batch, self._random(_ROWS, step)
        # The share holds over many steps, for batches of any size.
        short = math.floor((step + 1) * batch * self.share) - math.floor(step * batch * self.share)
        blocks = []
        if batch > short:
            text = self.task.train
            places = random.integers(0, len(text.symbols), batch - short)
            ends = text.offsets[np.searchsorted(text.offsets, places, side="right")]
            blocks.append(rows(text.symbols, places, ends, self.row, self.task.alphabet))
        if short:
            chosen = random.integers(0, len(windows.starts), short * math.ceil(self.row / self.window_row))
            ends = np.append(windows.starts[1:], len(windows.symbols))[chosen]
            places = windows.starts[chosen]
            blocks.append(rows(windows.symbols, places, ends, self.window_row, self.task.alphabet))
        return blocks

    def held_out(self, count: int) -> tuple[Ids, Ids] | None:
        """About `count` symbols of the held-out text in long rows; None where there is no such text."""
        text, row = self.task.valid, self.row
        if not len(text.symbols):
            return None
        places = np.unique(np.linspace(0, max(0, len(text.symbols) - row), math.ceil(count / row)).astype(np.int64))
        ends = text.offsets[np.searchsorted(text.offsets, places, side="right")]
        return rows(text.symbols, places, ends, row, self.task.alphabet)

    def sample(self, cuts: int) -> Symbols:
        """The text to cut for the `cuts`-th time: a stretch of it."""
        symbols, wanted = self.task.train.symbols, self.settings.recut_symbols
        place = self._random(_SAMPLE, cuts).integers(0, max(1, len(symbols) - wanted + 1))
        return np.asarray(symbols[place : place + wanted])

    def guess(self) -> Windows:
        """Windows to train on before any were cut."""
        symbols = self.sample(0)
        starts = self._random(_GUESS, 0).random(len(symbols)) < 1 / GUESSED_WINDOW
        starts[0] = True
        return Windows(symbols=symbols, starts=np.flatnonzero(starts), cuts=0)

    def _random(self, kind: int, number: int) -> np.random.Generator:
        return np.random.default_rng([self.task.seed & 0xFFFFFFFFFFFFFFFF, kind, number])


def rows(symbols: Symbols, places: Ids, ends: Ids, size: int, alphabet: int) -> tuple[Ids, Ids]:
    """Inputs and targets int64[len(places), size] of stretches that begin at `places` and stop before `ends`.

    Inputs are the empty context and the symbols before each target; what lies past an end is `UNSEEN`.
    """
    at = places[:, None] + np.arange(size)
    inside = at < ends[:, None]
    taken = np.asarray(symbols[np.minimum(at, len(symbols) - 1)]).astype(np.int64)
    inputs = np.concatenate([np.full((len(places), 1), alphabet), taken[:, :-1]], 1)
    return inputs, np.where(inside, taken, UNSEEN)
