"""A predictor that always gives the same row. Portable: it looks up integers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stackc.api import CodingError, CompiledStep, Frequencies, Int64, Mask, Portability, Symbols

BLOCK = 1 << 22
"""Counts in a block of rows that `score` yields: 16 MiB."""


class ConstantPredictor:
    """Frequencies uint32[A], for every symbol of every lane. Its state is the rows of all lanes."""

    portability: Portability = "portable"

    def __init__(self, row: Frequencies) -> None:
        self.row = row
        self.alphabet = len(row)

    def start(self, lanes: int) -> Frequencies:
        return np.tile(self.row, (lanes, 1))

    def step(self, state: Frequencies, symbols: Int64) -> Frequencies:
        if len(symbols) and int(symbols.max()) >= self.alphabet:
            raise CodingError(f"symbol {int(symbols.max())} in an alphabet of {self.alphabet}")
        return state

    def take(self, state: Frequencies, lanes: Int64) -> Frequencies:
        return self.start(len(lanes))

    def compiled(self) -> CompiledStep:
        from stackc_counted import steps

        return CompiledStep(advance=steps.stay, fill=steps.constant)

    def score(self, segment: Symbols, restarts: Mask | None = None) -> Iterator[Frequencies]:
        size = max(1, min(len(segment), BLOCK // self.alphabet))
        rows = self.start(size)
        for start in range(0, len(segment), size):
            yield rows[: len(segment) - start]
