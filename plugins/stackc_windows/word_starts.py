"""Where words start in bytes: the forced cuts of the windowing `aligned`."""

from __future__ import annotations

import attrs
import numpy as np

from stackc.api import Mask, Symbols

_IN_WORD = np.zeros(256, np.bool_)
_IN_WORD[np.frombuffer(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", np.uint8)] = True
_IN_WORD[0x80:] = True  # every byte of a character beyond ASCII, so that no cut falls inside one


def word_starts(segment: Symbols) -> Mask:
    """bool[n]: a letter or digit that follows neither. Bytes of 0x80 and above are letters.

    Args:
        segment: integers below 256; what came before the segment is not seen.
    """
    inside = _IN_WORD[segment]
    starts = inside.copy()
    starts[1:] &= ~inside[:-1]
    return starts


@attrs.frozen
class Cuts:
    """Every `words`-th word start of a segment, the first one included (`stackc.api.Windowing.cuts`)."""

    words: int

    def __call__(self, segment: Symbols) -> Mask:
        starts = word_starts(segment)
        if self.words > 1:
            places = np.flatnonzero(starts)
            starts[:] = False
            starts[places[:: self.words]] = True
        return starts
