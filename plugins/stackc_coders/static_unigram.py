"""The slot rule under one fixed row of frequencies: symbol counts of the training text, and no model."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stackc.api import (
    TOTAL,
    ArtifactError,
    CodingError,
    Frequencies,
    Int32,
    Int64,
    Portability,
    Predictor,
    Text,
    Window,
    normalise,
    read_tensors,
    write_tensors,
)
from stackc_coders.arithmetic import ArithmeticCoder, check_window
from stackc_coders.compiler import compile_dictionary

FILE = "static_unigram.safetensors"

_BLOCK = 1 << 22
"""Symbols counted at once, so that a memory-mapped text is never loaded whole."""


class StaticUnigramCoder(ArithmeticCoder):
    """Codes under the frequencies of the training text's symbols (`stackc.api.Coder`); `load` comes before coding."""

    def __init__(self) -> None:
        self._fitted: Frequencies | None = None

    def fit(self, train: Text, alphabet: int, folder: Path) -> None:
        """Count the training symbols and write their frequencies to `folder`."""
        counts = np.zeros(alphabet, np.int64)
        for start in range(0, len(train.symbols), _BLOCK):
            block = np.asarray(train.symbols[start : start + _BLOCK])
            found = np.bincount(block.astype(np.int64), minlength=alphabet)
            if len(found) > alphabet:
                raise CodingError(f"symbol {len(found) - 1} is outside the alphabet of {alphabet}")
            counts += found
            train.release()
        write_tensors(folder / FILE, {"frequencies": normalise(counts)})

    def load(self, folder: Path) -> None:
        """Read back what `fit` wrote."""
        path = folder / FILE
        freqs = read_tensors(path).get("frequencies")
        if freqs is None or freqs.dtype != np.uint32 or freqs.ndim != 1 or not len(freqs):
            raise ArtifactError(f"{path}: no frequencies in it; build the stack again")
        if int(freqs.min()) < 1 or int(freqs.sum(dtype=np.int64)) != TOTAL:
            raise ArtifactError(f"{path}: frequencies that do not sum to 2^24; build the stack again")
        self._fitted = np.require(freqs, requirements=["C", "W"])

    def dictionary(self, predictor: Predictor | None, window: Window, lanes: int) -> tuple[Int32, Int32]:
        """The level compiled; the coder is its own model (see `compile_dictionary`)."""
        return compile_dictionary(_ConstantPredictor(self.row(window)), window, lanes)

    def row(self, window: Window) -> Frequencies:
        check_window(window)
        if self._fitted is None:
            raise CodingError("static-unigram codes under counts; fit it to a text and load them first")
        if len(self._fitted) != window.alphabet:
            raise CodingError(
                f"static-unigram has counts of {len(self._fitted)} symbols, the level an alphabet of {window.alphabet}"
            )
        return self._fitted


class _ConstantPredictor:
    """A model that always gives the same row."""

    portability: Portability = "portable"

    def __init__(self, row: Frequencies) -> None:
        self.alphabet = len(row)
        self._row = row.reshape(1, -1)

    def start(self, lanes: int) -> None:
        return None

    def take(self, state: None, lanes: Int64) -> None:
        return None

    def step(self, state: None, symbols: Int64) -> Frequencies:
        return self._row.repeat(len(symbols), axis=0)
