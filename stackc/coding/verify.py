"""A level tried on what it is to code: decoding must give it back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stackc.api.arrays import Symbols
from stackc.api.errors import CodingError, PartError

if TYPE_CHECKING:
    from stackc.coding.documents import Encoding
    from stackc.coding.level import Level
from stackc.parts.checked import GuardedPredictor

TRIED = 16
"""Symbols on which a portable predictor must answer alike however it is asked."""


CODED, MOST_CODED = 64, 1024
"""Symbols that a coder must give back before any are kept: so many, or some two windows, but no more than these."""


def prove(level: Level, symbols: Symbols) -> None:
    """Try a level that is coded in lanes on the first symbols of what it is to encode.

    A model that is still learning is not tried; what one that is not portable codes is decoded as a whole in any case.

    Raises:
        PartError: a model that is not as portable as it says, a coder that does not give back what it coded.
    """
    if level.coder.needs_model:
        if not isinstance(level.predictor, GuardedPredictor):
            return
        level.predictor.prove(symbols[: level.segment])
        if level.predictor.portability != "portable":
            return
    from stackc.coding.stepping import encode_segments

    # A window of W bits holds fewer symbols than bits, as a rule.
    two_windows = 2 * level.window.symbols + 1 if level.window.bits is None else 2 * level.window.bits
    known = symbols[: min(max(CODED, two_windows), MOST_CODED, level.segment)]
    offsets = np.array([0, len(known)], np.int64)
    coded = encode_segments(level, known, offsets, None)
    if problem := not_restored(level, coded, known, offsets):
        raise PartError(problem)


def not_restored(level: Level, coded: Encoding, symbols: Symbols, offsets: npt.NDArray[np.int64]) -> str | None:
    """Why decoding does not give back the symbols of these documents, naming the coder; None where it does.

    Raises:
        PartError: a part that breaks another rule while it decodes.
    """
    try:
        back = level.decode(coded.tokens, coded.offsets)
    except PartError:
        raise
    except CodingError as error:
        return f"{level.coder_name}: does not decode what it encoded ({error})"
    if len(back.symbols) != len(symbols):
        return f"{level.coder_name}: {len(symbols)} symbols decode to {len(back.symbols)}; all of them must come back"
    differing = np.flatnonzero(back.symbols != symbols)
    if len(differing):
        place = int(differing[0])
        return f"{level.coder_name}: symbol {symbols[place]} decodes to {back.symbols[place]}, at {place}"
    if not np.array_equal(back.offsets, offsets):
        return f"{level.coder_name}: documents of other lengths come back"
    return None
