"""Which rows a step trains on: a pure function of the seed and the step.

Two kinds are mixed. *Long rows* begin at a random place of the text; their context restarts there and where a
document begins. *Window rows* begin where a window does, and their context restarts with every window, as it
does in coding. Where windows start is found by cutting a sample of the text with the model so far; until that
was done once, it is guessed.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import torch

from stackc.api import Symbols, Text
from stackc_torch.training.rows import Rows

GUESSED_WINDOW = 4
"""Mean length of a window before any was cut."""

PIECES = 16
"""Places of the text from which a sample to cut is assembled."""

ROWS, SAMPLE, GUESS, CALIBRATION = range(4)
"""What random numbers are drawn for: part of their seed."""


@attrs.frozen(kw_only=True, eq=False)
class Windows:
    """A sample of the text and where its windows start.

    Attributes:
        symbols: the sample.
        starts: bool[len(symbols)], True where a window starts; the first always is.
        cuts: times that windows were cut so far; 0: these are guessed.
    """

    symbols: Symbols
    starts: npt.NDArray[np.bool_]
    cuts: int


class Sampler:
    """Draws rows from a text of one or more symbols, read as a circle of documents.

    Args:
        row: symbols of a long row.
        settings: a `TransformerTraining`, or one with the same names.
        windows: whether the model will code in windows that restart its context.
    """

    def __init__(self, text: Text, alphabet: int, seed: int, row: int, settings: Any, windows: bool) -> None:
        self.text = text
        self.alphabet = alphabet
        self.seed = seed
        self.settings = settings
        self.share: float = settings.window_share if windows else 0.0
        self.row = row
        self.pieces: int = math.ceil(self.row / settings.window_row)
        self.window_row = self.longest_window_row

    @property
    def longest_window_row(self) -> int:
        """Symbols of a window row: `pieces` of them are at least as long as a long row."""
        return math.ceil(self.row / self.pieces)

    def step(self, step: int, windows: Windows, rank: int = 0, ranks: int = 1, alike: bool = False) -> list[list[Rows]]:
        """The rows of a step: for each of its `accumulate` parts a block of long and one of window rows.

        Of several ranks each takes every `ranks`-th row of every block: together they see the rows that one alone sees.

        Args:
            alike: every rank gets as many blocks as rank 0: an idle one if it has no row of it.
        """
        batch, parts = self.settings.batch, self.settings.accumulate
        wanted = self._window_rows(step)
        random = self._random(ROWS, step)
        long = random.integers(0, len(self.text.symbols), batch - wanted)
        short = self.drawn(random, wanted * self.pieces, windows)

        def share(block: Callable[[Any], Rows], drawn: Any) -> list[Rows]:
            mine = drawn[rank::ranks]
            if len(mine):
                return [block(mine)]
            return [attrs.evolve(block(drawn[:1]), idle=True)] if alike and len(drawn) else []

        window_rows = functools.partial(self._window_block, windows)
        return [
            share(self._long_block, long[part::parts]) + share(window_rows, short[part::parts]) for part in range(parts)
        ]

    def drawn(self, random: np.random.Generator, count: int, windows: Windows) -> Any:
        """How `_window_block` estimates the number of windows: shares of all of them."""
        return random.random(count)

    def symbols(self, step: int, windows: Windows) -> int:
        """Symbols in the rows of a step, of all ranks together."""
        wanted = self._window_rows(step)
        return int(self.settings.batch - wanted) * self.row + wanted * self.pieces * self.window_row

    def _window_rows(self, step: int) -> int:
        """Rows of the step that are cut into window rows. The share holds over many steps, for batches of any size."""
        batch: int = self.settings.batch
        return math.floor((step + 1) * batch * self.share) - math.floor(step * batch * self.share)

    def calibration(self, symbols: int, windows: Windows) -> list[Rows]:
        """About `symbols` symbols, to choose scales by: long rows and, if the model will code in windows, those."""
        random = self._random(CALIBRATION, 0)
        rows = max(1, symbols // self.row)
        blocks = [self._long_block(random.integers(0, len(self.text.symbols), rows))]
        return [*blocks, self._window_block(windows, random.random(rows * self.pieces))] if self.share else blocks

    def sample(self, cuts: int) -> tuple[Symbols, npt.NDArray[np.bool_]]:
        """The text to cut for the `cuts`-th time, and where in it a context restarts whatever the model says."""
        count, wanted = len(self.text.symbols), self.settings.recut_symbols
        if count <= wanted:
            places, size = np.zeros(1, np.int64), count
        else:
            size = math.ceil(wanted / PIECES)
            places = self._random(SAMPLE, cuts).integers(0, count, PIECES)
        symbols, starts = self._stretches(places, size)
        return symbols.ravel(), starts.ravel()

    def guess(self) -> Windows:
        """Windows to train on before any were cut: restarts at random."""
        if not self.share:
            return Windows(symbols=self.text.symbols[:1], starts=np.ones(1, bool), cuts=0)
        symbols, starts = self.sample(0)
        random = self._random(GUESS, 0).random(len(symbols)) < 1 / GUESSED_WINDOW
        return Windows(symbols=symbols, starts=starts | random, cuts=0)

    def _long_block(self, places: Any) -> Rows:
        """Long rows from these places of the text."""
        return self._rows(*self._stretches(places, self.row))

    def _window_block(self, windows: Windows, shares: Any) -> Rows:
        """Window rows from these shares of all window starts."""
        starts = np.flatnonzero(windows.starts)
        places = starts[(shares * len(starts)).astype(np.int64)]
        at = (places[:, None] + np.arange(self.window_row)) % len(windows.symbols)
        return self._rows(windows.symbols[at], windows.starts[at])

    def _stretches(self, places: Any, size: int) -> tuple[Symbols, npt.NDArray[np.bool_]]:
        """`size` symbols from each of the places, around the circle, and where a context restarts: [places, size]."""
        symbols, documents = self.text.symbols, self.text.offsets[:-1]
        at = (places[:, None] + np.arange(size)) % len(symbols)
        starts = documents[np.minimum(np.searchsorted(documents, at), len(documents) - 1)] == at
        starts[:, 0] = True
        return np.asarray(symbols[at]), starts

    def _rows(self, symbols: Any, starts: Any) -> Rows:
        """Rows [B, T] of symbols and restarts, as the network takes them."""
        targets = symbols.astype(np.int64)
        starts = starts.copy()
        starts[:, 0] = True
        inputs = np.empty_like(targets)
        inputs[:, 1:] = targets[:, :-1]
        inputs[starts] = self.alphabet
        first = None
        if starts[:, 1:].any():
            positions = np.where(starts, np.arange(starts.shape[1]), 0)
            first = torch.from_numpy(np.maximum.accumulate(positions, 1))
        return Rows(inputs=torch.from_numpy(inputs), targets=torch.from_numpy(targets), first=first)

    def _random(self, kind: int, number: int) -> np.random.Generator:
        return np.random.default_rng([self.seed & 0xFFFFFFFFFFFFFFFF, kind, number])
