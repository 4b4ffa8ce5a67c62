"""Where windows start under a table of cuts, compiled. The arrays around it are in `stackc.coding.borders`."""

from __future__ import annotations

from typing import Any

import numpy as np

from stackc.api.kernels import kernel
from stackc.api.windowings import CUT
from stackc.api.word_borders import find_words

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


@kernel
def mark_words(text: Row, bounds: Row, budget: int, made: Row) -> None:
    """made[i] = True where a word of text[bounds[r] : bounds[r + 1]] starts, and after each `budget` bytes of it.

    Args:
        text: uint8.
    """
    longest = 0
    for run in range(len(bounds) - 1):
        longest = max(longest, bounds[run + 1] - bounds[run])
    places = np.empty(longest + 1, np.int64)
    for run in range(len(bounds) - 1):
        count = find_words(text, bounds[run], bounds[run + 1], places, 0)
        places[count] = bounds[run + 1]
        for k in range(count):
            made[places[k]] = True
            if places[k + 1] - places[k] > budget:
                for at in range(places[k] + budget, places[k + 1], budget):
                    made[at] = True
