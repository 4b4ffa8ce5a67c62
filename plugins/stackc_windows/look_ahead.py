"""The word starts that only the encoder knows: they depend on symbols outside the window (`stackc_windows.words`)."""

from __future__ import annotations

import attrs
import numpy as np

from stackc.api import Int64, Mask, Symbols
from stackc_windows.words import word_table


@attrs.frozen
class LookAhead:
    """Word starts that the table of cuts does not know of (`stackc.api.Windowing.cuts`)."""

    def __call__(self, segment: Symbols) -> Mask:
        return self.of_segments(segment, np.array([0, len(segment)], np.int64)[: 1 + (len(segment) > 0)])

    def of_segments(self, symbols: Symbols, edges: Int64) -> Mask:
        """The same of many segments at once: symbols[edges[k] : edges[k + 1]], contiguous and not empty."""
        from stackc_windows.word_kernels import look_ahead  # and numba with it

        words = np.zeros(-(-len(symbols) // 8), np.uint64)
        cuts = words.view(np.bool_)[: len(symbols)]
        look_ahead(symbols, edges, cuts, words)
        return cuts


@attrs.frozen
class WordStarts:
    """All word starts (`stackc.api.Windowing.borders`)."""

    def __call__(self, segment: Symbols) -> Mask:
        return self.of_segments(segment, np.array([0, len(segment)], np.int64)[: 1 + (len(segment) > 0)])

    def of_segments(self, symbols: Symbols, edges: Int64) -> Mask:
        """The same of many segments at once: symbols[edges[k] : edges[k + 1]], contiguous and not empty."""
        from stackc_windows.word_kernels import word_starts  # and numba with it

        starts = LookAhead().of_segments(symbols, edges)
        word_starts(symbols, edges, word_table(), starts)
        return starts
