"""Where windows start under a table of cuts, compiled. The arrays around it are in `stackc.coding.borders`."""

from __future__ import annotations

from typing import Any

import numpy as np

from stackc.api.kernels import kernel
from stackc.api.windowings import CUT

Row = Any  # an array


@kernel
def mark_starts(symbols: Row, bounds: Row, table: Row, cuts: Row, budget: int, made: Row) -> None:
    """made[i] = True where a window starts at symbols[bounds[0] + i]. `cuts`: bool, or empty."""
    for run in range(len(bounds) - 1):
        state, size = np.int64(0), 0
        for i in range(bounds[run], bounds[run + 1]):
            longer = np.int64(table[state, symbols[i]])
            if size == 0 or size == budget or longer == CUT or (len(cuts) > 0 and cuts[i]):
                made[i - bounds[0]] = True
                state, size = np.int64(table[0, symbols[i]]), 1
            else:
                state, size = longer, size + 1
