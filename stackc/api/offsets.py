"""Where sequences of values start and end when they are stored one after another."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stackc.api.arrays import Int64


def offsets_of(lengths: npt.ArrayLike) -> Int64:
    """int64[n + 1]: sequence i is at ``offsets[i]:offsets[i + 1]``.

    Args:
        lengths: of the n sequences, not negative.
    """
    offsets = np.zeros(np.size(lengths) + 1, np.int64)
    np.cumsum(lengths, dtype=np.int64, out=offsets[1:])
    return offsets
