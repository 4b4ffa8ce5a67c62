"""The backends `uniform` and `unigram`: one row of frequencies, whatever came before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stackc.api import (
    MAX_COUNT,
    TOTAL,
    ArtifactError,
    CodingError,
    Device,
    Int64,
    TrainingTask,
    normalise,
    read_tensors,
    write_tensors,
)
from stackc_counted.constant import ConstantPredictor

CHUNK = 1 << 20
"""Symbols counted at a time: the text is memory-mapped and may be larger than memory."""

COUNTS, FREQUENCIES = "counts.safetensors", "frequencies.safetensors"


class Uniform:
    """Nothing to train, nothing to store."""

    def train(self, task: TrainingTask) -> None:
        pass

    def freeze(self, trained: Path, folder: Path, alphabet: int) -> None:
        pass

    def load(self, folder: Path, alphabet: int, device: Device) -> ConstantPredictor:
        return ConstantPredictor(normalise(np.ones(alphabet, dtype=np.int64)))


class Unigram:
    """Counts symbols; frozen, the normalised counts."""

    def train(self, task: TrainingTask) -> None:
        """Count the training text.

        Raises:
            CodingError: a symbol outside the alphabet.
        """
        symbols = task.train.symbols
        counts = np.zeros(task.alphabet, dtype=np.int64)
        for start in range(0, len(symbols), CHUNK):
            counts += count(symbols[start : start + CHUNK], task.alphabet)
            task.train.release()
            task.progress.update(min(start + CHUNK, len(symbols)), len(symbols))
        write_tensors(task.folder / COUNTS, {"counts": counts})

    def freeze(self, trained: Path, folder: Path, alphabet: int) -> None:
        counts = read_tensors(trained / COUNTS)["counts"]
        spare = max(0, int(counts.max()).bit_length() - (MAX_COUNT.bit_length() - 1))
        rounded = np.where(counts > 0, np.maximum(counts >> spare, 1), 0)  # what was seen stays above what was not
        write_tensors(folder / FREQUENCIES, {"frequencies": normalise(rounded)})

    def load(self, folder: Path, alphabet: int, device: Device) -> ConstantPredictor:
        row = read_tensors(folder / FREQUENCIES).get("frequencies")
        right = row is not None and row.shape == (alphabet,) and row.dtype == np.uint32
        if row is None or not right or int(row.min()) < 1 or int(row.sum(dtype=np.int64)) != TOTAL:
            raise ArtifactError(f"{folder / FREQUENCIES}: not frequencies of {alphabet} symbols; build the stack again")
        return ConstantPredictor(row)


def count(symbols: npt.NDArray[Any], alphabet: int) -> Int64:
    """How often each symbol occurs: int64[A]. Raises `CodingError` for one outside the alphabet."""
    if len(symbols) and not 0 <= int(symbols.min()) <= int(symbols.max()) < alphabet:
        raise CodingError(f"symbols {int(symbols.min())} .. {int(symbols.max())} in a text over {alphabet} symbols")
    return np.bincount(symbols, minlength=alphabet).astype(np.int64)
