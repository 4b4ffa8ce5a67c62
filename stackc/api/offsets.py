"""Where runs of values stand when they are laid end to end."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stackc.api.arrays import Int64


def offsets_of(lengths: npt.ArrayLike) -> Int64:
    """int64[n + 1]: run i stands at ``offsets[i]:offsets[i + 1]``.

    Args:
        lengths: of the n runs, not negative.
    """
    offsets = np.zeros(np.size(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets
