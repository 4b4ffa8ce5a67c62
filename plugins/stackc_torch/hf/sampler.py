"""Which rows a step of an hf model trains on: as `stackc_torch.training.sampler`, but no row has more than one context.

Long rows end with their document and window rows with their window, since a model of transformers restarts nowhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from stackc.api import Symbols
from stackc_torch.training.rows import Rows
from stackc_torch.training.sampler import SAMPLE, Sampler, Windows

UNSEEN = -100
"""A target that is not trained on, in the words of torch's cross-entropy."""


class HfSampler(Sampler):
    """See `Sampler`."""

    @property
    def longest_window_row(self) -> int:
        return min(int(self.settings.window_row), self.row)

    def drawn(self, random: np.random.Generator, count: int, windows: Windows) -> Any:
        return random.integers(0, int(windows.starts.sum()), count)

    def symbols(self, step: int, windows: Windows) -> int:
        blocks = self.step(step, windows)[0]
        return sum(int((rows.targets != UNSEEN).sum()) for rows in blocks)

    def sample(self, cuts: int) -> tuple[Symbols, npt.NDArray[np.bool_]]:
        """One stretch of the text."""
        symbols, wanted = self.text.symbols, self.settings.recut_symbols
        place = self._random(SAMPLE, cuts).integers(0, max(1, len(symbols) - wanted + 1))
        found = np.asarray(symbols[place : place + wanted])
        return found, np.arange(len(found)) == 0

    def _long_block(self, places: Any) -> Rows:
        offsets = self.text.offsets
        ends = offsets[np.searchsorted(offsets, places, side="right")]
        return self._until(self.text.symbols, places, ends, self.row)

    def _window_block(self, windows: Windows, chosen: Any) -> Rows:
        starts = np.flatnonzero(windows.starts)
        ends = np.append(starts[1:], len(windows.symbols))
        return self._until(windows.symbols, starts[chosen], ends[chosen], self.window_row)

    def _until(self, symbols: Symbols, places: Any, ends: Any, size: int) -> Rows:
        """Rows of this size that begin at `places`; targets past `ends` are `UNSEEN`."""
        at = places[:, None] + np.arange(size)
        taken = np.asarray(symbols[np.minimum(at, len(symbols) - 1)]).astype(np.int64)
        inputs = np.concatenate([np.full((len(places), 1), self.alphabet), taken[:, :-1]], 1)
        targets = np.where(at < ends[:, None], taken, UNSEEN)
        return Rows(inputs=torch.from_numpy(inputs), targets=torch.from_numpy(targets), first=None)
