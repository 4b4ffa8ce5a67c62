"""Tiny models with known answers, for the tests of the framework."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from stackc.api import IDLE, RESTART, Frequencies, Portability, normalise


class ToyPredictor:
    """Frequencies that depend on the last `order` symbols since the restart, drawn once per context.

    Skewed by `sharpness`: 0 is flat, 3 makes some symbols nearly certain.
    """

    portability: Portability = "portable"

    def __init__(self, alphabet: int, order: int = 2, seed: int = 0, sharpness: float = 1.0) -> None:
        self.alphabet, self.order, self.seed, self.sharpness = alphabet, order, seed, sharpness
        self._rows: dict[tuple[int, ...], Frequencies] = {}

    def row(self, context: tuple[int, ...]) -> Frequencies:
        context = context[len(context) - self.order :] if len(context) > self.order else context
        if context not in self._rows:
            rng = np.random.default_rng([self.seed, len(context), *context])
            weights = np.exp(self.sharpness * rng.normal(size=self.alphabet) * 2)
            self._rows[context] = normalise((weights / weights.max() * 2**30).astype(np.int64))
        return self._rows[context]

    def start(self, lanes: int) -> list[tuple[int, ...]]:
        return [()] * lanes

    def step(self, state: list[tuple[int, ...]], symbols: npt.NDArray[np.int64]) -> Frequencies:
        out = np.zeros((len(state), self.alphabet), np.uint32)
        for lane, symbol in enumerate(symbols):
            if symbol == IDLE:
                continue
            state[lane] = () if symbol == RESTART else (*state[lane], int(symbol))[-self.order :] if self.order else ()
            out[lane] = self.row(state[lane])
        return out

    def take(self, state: list[tuple[int, ...]], lanes: npt.NDArray[np.int64]) -> list[tuple[int, ...]]:
        return [state[lane] for lane in lanes]

    def score(
        self, segment: npt.NDArray[np.integer], restarts: npt.NDArray[np.bool_] | None = None
    ) -> Iterator[Frequencies]:
        context: tuple[int, ...] = ()
        rows = []
        for i, symbol in enumerate(segment):
            context = () if restarts is not None and restarts[i] else context
            rows.append(self.row(context))
            context = (*context, int(symbol))
        for first in range(0, len(rows), 7):
            yield np.stack(rows[first : first + 7])


class StepOnly(ToyPredictor):
    """The same answers, but neither scored nor stepped beside others."""

    portability: Portability = "same-machine"
    score = None  # type: ignore[assignment]


def sample(predictor: ToyPredictor, length: int, seed: int = 0) -> npt.NDArray[np.int64]:
    """Symbols that the model itself would write, so that windows hold several."""
    rng = np.random.default_rng(seed)
    out: list[int] = []
    for _ in range(length):
        row = predictor.row(tuple(out[-predictor.order :]) if predictor.order else ())
        out.append(int(np.searchsorted(np.cumsum(row.astype(np.int64)), rng.integers(1 << 24), side="right")))
    return np.array(out, np.int64)
