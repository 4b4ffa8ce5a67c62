"""Frequencies: the integer distributions that coders consume (docs/concepts.md, "Frequencies").

A row of frequencies over an alphabet of A symbols sums to T = 2^P with P = 24, and every count is at
least 1, so that every symbol can always be coded. Floats never appear here: whatever decides a bit is
integer arithmetic with one written rule.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stackc.api.arrays import Float64, Int64
from stackc.api.errors import CodingError
from stackc.api.limits import MAX_ALPHABET, MAX_COUNT, PRECISION, TOTAL

Frequencies = npt.NDArray[np.uint32]
Counts = Int64


def normalise(counts: npt.NDArray[Any]) -> Frequencies:
    """Turn counts into frequencies that sum to T with every entry at least 1.

    f[s] = 1 + floor(e[s] * (T - A) / sum(e)); the rest goes to the largest f, to the lowest index on a
    tie. Counts that are all zero count as all one.

    Args:
        counts: integers, shape (..., A), each in 0 .. 2^38 - 1; A in 1 .. 2^20.

    Returns:
        uint32 array of the same shape; every row sums to 2^24.

    Raises:
        CodingError: an alphabet or a count out of range.
    """
    e = np.asarray(counts).astype(np.int64)
    alphabet = e.shape[-1]
    if not 1 <= alphabet <= MAX_ALPHABET:
        raise CodingError(f"an alphabet of {alphabet} symbols; frequencies allow 1 to {MAX_ALPHABET}")
    if e.size and (int(e.min()) < 0 or int(e.max()) >= MAX_COUNT):
        raise CodingError(f"counts must lie in 0 .. 2^38 - 1, found {int(e.min())} .. {int(e.max())}")
    rows = e.reshape(-1, alphabet)
    rows = np.where(rows.any(axis=1, keepdims=True), rows, 1)
    # e * (T - A) < 2^62. A sum of A counts stays below 2^58.
    f = 1 + rows * (TOTAL - alphabet) // rows.sum(axis=1, keepdims=True)
    best = f.argmax(axis=1)
    f[np.arange(len(f)), best] += TOTAL - f.sum(axis=1)
    rows32: Frequencies = f.astype(np.uint32).reshape(e.shape)
    return rows32


def check_frequencies(freqs: npt.NDArray[Any], alphabet: int, where: str) -> None:
    """Raise `CodingError` unless every row of `freqs` (shape (L, A)) is a distribution a coder may use.

    Args:
        freqs: the rows that a predictor gave.
        alphabet: the A that they must have.
        where: the plugin and the level, for the message.
    """
    if freqs.ndim != 2 or freqs.shape[1] != alphabet:
        raise CodingError(f"{where}: frequencies of shape {freqs.shape}, expected (lanes, {alphabet})")
    if freqs.dtype != np.uint32:
        raise CodingError(f"{where}: frequencies of type {freqs.dtype}, expected uint32 (coders take integers only)")
    if freqs.size and int(freqs.min()) < 1:
        raise CodingError(f"{where}: a frequency of 0; every symbol needs a count of at least 1")
    sums = freqs.sum(axis=1, dtype=np.int64)
    if (sums != TOTAL).any():
        raise CodingError(f"{where}: frequencies that sum to {int(sums[sums != TOTAL][0])}, expected 2^24 = {TOTAL}")


def cost_bits(freqs: npt.NDArray[Any], symbols: npt.NDArray[Any]) -> Float64:
    """Bits that each symbol costs under its row: -log2(f[s] / T). A measure only: it never decides a bit.

    Args:
        freqs: shape (n, A).
        symbols: shape (n,), each in 0 .. A - 1.
    """
    picked = freqs[np.arange(len(symbols)), symbols]
    cost: Float64 = PRECISION - np.log2(picked.astype(np.float64))
    return cost
