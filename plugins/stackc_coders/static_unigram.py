"""The slot rule under one fixed row of frequencies: symbol counts of the training text, and no model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stackc.api import (
    TOTAL,
    ArtifactError,
    BitSource,
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
from stackc_coders.arithmetic import check_window
from stackc_coders.compiler import compile_dictionary
from stackc_coders.lanes import SlotLaneDecoder, SlotLaneEncoder
from stackc_coders.twin import Interval, SlotDecoder, SlotEncoder

FILE = "static_unigram.safetensors"

_BLOCK = 1 << 22
"""Symbols counted at once, so that a memory-mapped text is never loaded whole."""


class StaticUnigramCoder:
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

    def encoder(self, window: Window) -> _ConstantEncoder:
        return _ConstantEncoder(SlotEncoder(window), self._row(window))

    def decoder(self, window: Window, bits: BitSource) -> _ConstantDecoder:
        return _ConstantDecoder(SlotDecoder(window, bits), self._row(window))

    def lane_encoder(self, window: Window, lanes: int) -> SlotLaneEncoder:
        return SlotLaneEncoder(window, lanes, self._row(window))

    def lane_decoder(self, window: Window, lanes: int, tokens: npt.NDArray[Any]) -> SlotLaneDecoder:
        return SlotLaneDecoder(window, lanes, tokens, self._row(window))

    def dictionary(self, predictor: Predictor | None, window: Window, lanes: int) -> tuple[Int32, Int32]:
        """The level compiled; the coder is its own model (see `compile_dictionary`)."""
        return compile_dictionary(_ConstantPredictor(self._row(window)), window, lanes)

    def _row(self, window: Window) -> Frequencies:
        check_window(window)
        if self._fitted is None:
            raise CodingError("static-unigram codes under counts; fit it to a text and load them first")
        if len(self._fitted) != window.alphabet:
            raise CodingError(
                f"static-unigram has counts of {len(self._fitted)} symbols, the level an alphabet of {window.alphabet}"
            )
        return self._fitted


class _ConstantEncoder:
    """`SlotEncoder` under one row."""

    def __init__(self, encoder: SlotEncoder, row: Frequencies) -> None:
        self._encoder, self._row = encoder, row
        self.close = encoder.close
        self.interval = encoder.interval

    def add(self, freqs: Frequencies | None, symbol: int) -> bool:
        return self._encoder.add(self._row, symbol)

    def sub_interval(self, freqs: Frequencies | None, first: int, last: int) -> Interval | None:
        return self._encoder.sub_interval(self._row, first, last)


class _ConstantDecoder:
    """`SlotDecoder` under one row."""

    def __init__(self, decoder: SlotDecoder, row: Frequencies) -> None:
        self._decoder, self._row = decoder, row
        self.used = decoder.used

    def next(self, freqs: Frequencies | None) -> int | None:
        return self._decoder.next(self._row)


class _ConstantPredictor:
    """A model that always answers the same row."""

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
