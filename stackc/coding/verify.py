"""A level tested on the text that it is going to code: decoding must restore it.

A build tests each level once (`prove`), so that a broken part is named before a long run, and compares all of its
held-out text (`not_restored`). Opened levels are not tested again: the build that wrote the stack has done it.
"""

from __future__ import annotations

import numpy as np

from stackc.api.arrays import Int64, Symbols
from stackc.api.errors import CodingError, PartError
from stackc.coding.documents import Encoding
from stackc.coding.level import Level
from stackc.parts.checked import GuardedPredictor, cuts_of

CODED, MOST_CODED = 64, 1024
"""Symbols that a coder must restore: the first number, or about two windows, but at most the second number."""


def prove(level: Level, symbols: Symbols) -> None:
    """Test a level on the first symbols that it is going to encode: windowing, model and coder, each by its own rules.

    A model that is still being trained is not tested. Tokens of a model that is not portable are always decoded before
    they are returned (`stackc.coding.routes.Verified`).

    Raises:
        PartError: cuts that differ when computed again, a model that is less portable than it declares, a coder that
            does not restore the symbols.
    """
    spec = level.spec
    if spec.windowing.cuts is not None and len(symbols):
        cuts_of(spec.windowing, symbols[: spec.segment], spec.windowing_name, twice=True)
    if level.texts is not None or not len(symbols):
        return
    if spec.model is not None:
        if not isinstance(spec.model, GuardedPredictor):
            return
        spec.model.prove(symbols[: spec.segment])
        if spec.model.portability != "portable":
            return
    # A window of W bits usually holds fewer than W symbols.
    two_windows = 2 * spec.window.symbols + 1 if spec.window.bits is None else 2 * spec.window.bits
    known = symbols[: min(max(CODED, two_windows), MOST_CODED, spec.segment)]
    offsets = np.array([0, len(known)], np.int64)
    if problem := not_restored(level, level.route.encode(known, offsets, None), known, offsets):
        raise PartError(problem)


def not_restored(level: Level, coded: Encoding, symbols: Symbols, offsets: Int64) -> str | None:
    """Why decoding does not restore the symbols of these documents, naming the coder; None if it does.

    Raises:
        PartError: a part that breaks another rule while it decodes.
    """
    who = level.spec.coder_name
    try:
        back = level.decode(coded.tokens, coded.offsets)
    except PartError:
        raise
    except CodingError as error:
        return f"{who}: does not decode its own output ({error})"
    if len(back.symbols) != len(symbols):
        return f"{who}: {len(symbols)} symbols decode to {len(back.symbols)}; decoding must restore all of them"
    differing = np.flatnonzero(back.symbols != symbols)
    if len(differing):
        place = int(differing[0])
        return f"{who}: symbol {symbols[place]} decodes to {back.symbols[place]}, at position {place}"
    if not np.array_equal(back.offsets, offsets):
        return f"{who}: documents decode to other lengths"
    return None
