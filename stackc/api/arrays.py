"""The arrays that parts exchange, and the marks in them. Nothing here imports numpy when it runs.

The types are text, which only type checkers read: numpy takes a quarter of the time of ``stackc plugins list``, which
needs no array.
"""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


Symbols: TypeAlias = "npt.NDArray[Any]"
"""One-dimensional integer array; every entry is below the alphabet size of the level that reads it."""

Frequencies: TypeAlias = "npt.NDArray[np.uint32]"
"""Rows of counts that sum to 2^24, on the last axis."""

Tokens: TypeAlias = "npt.NDArray[np.uint32]"
"""Tokens as coders write them."""

Mask: TypeAlias = "npt.NDArray[np.bool_]"
Uint8: TypeAlias = "npt.NDArray[np.uint8]"
Uint16: TypeAlias = "npt.NDArray[np.uint16]"
Int32: TypeAlias = "npt.NDArray[np.int32]"
Int64: TypeAlias = "npt.NDArray[np.int64]"
Float64: TypeAlias = "npt.NDArray[np.float64]"

RESTART = -1
"""In `Predictor.step`: empty this lane's context and predict its first symbol."""

IDLE = -2
"""In `Predictor.step` and `LaneEncoder.add`: leave this lane as it is; its row is not read."""


def release(array: Any) -> None:
    """Give back the memory of a memory-mapped array, a view of one too; it is read from its file again if needed.

    Only of one that is mapped for reading: what was written to a private map would be lost.
    """
    owner = array
    while owner is not None and not isinstance(owner, mmap.mmap):
        if getattr(owner, "mode", "r") != "r":
            return
        owner = getattr(owner, "base", None)
    if isinstance(owner, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED") and getattr(array, "mode", "") == "r":
        owner.madvise(mmap.MADV_DONTNEED)
