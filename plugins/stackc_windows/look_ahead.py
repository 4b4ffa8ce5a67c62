"""The word starts that only the encoder knows: they follow from symbols outside the window (`stackc_windows.words`)."""

from __future__ import annotations

import attrs
import numpy as np

from stackc.api import Mask, Symbols


@attrs.frozen
class LookAhead:
    """Word starts that the table of cuts does not know of (`stackc.api.Windowing.cuts`)."""

    def __call__(self, segment: Symbols) -> Mask:
        from stackc_windows.word_kernels import look_ahead  # and numba with it

        cuts = np.zeros(len(segment), np.bool_)
        look_ahead(segment, cuts)
        return cuts
