"""A windowing with a table of cuts for bytes, over symbols that represent texts: at any level above the first.

A window ends before a symbol whose text begins where the table cuts, or where the windowing's `cuts` say so; no symbol
is cut inside. So the table runs over the text of each symbol: if it cuts before the first byte, the symbol is cut; if
it cuts before a later one, it starts again there, as a window would. The table does not know what only `cuts` know of
the inside of a text: after a symbol of two blanks it cuts before a letter. A symbol without a text changes no state.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import attrs
import numpy as np

from stackc.api.arrays import Int32, Int64, Mask, Symbols
from stackc.api.texts import SymbolTexts
from stackc.api.windowings import CUT, Windowing
from stackc.coding.texts import expanded


def over_texts(windowing: Windowing, texts: SymbolTexts) -> Windowing:
    """The windowing of symbols that cuts where `windowing`, which has a table for bytes, cuts their texts."""
    table = None if windowing.table is None else lifted(windowing.table, texts)
    cuts, borders = (None if asked is None else TextCuts(asked, texts) for asked in (windowing.cuts, windowing.borders))
    return attrs.evolve(windowing, table=table, cuts=cuts, borders=borders)


def undecided(windowing: Windowing, alphabet: int) -> Windowing:
    """A stand-in for it while texts are unknown, to ask which route a level takes: never to code with."""
    return attrs.evolve(windowing, table=np.zeros((1, alphabet), np.int32), rule=None)


def lifted(table: Int32, texts: SymbolTexts) -> Int32:
    """int32[S, A]: the table over the texts of A symbols."""
    states = np.arange(len(table), dtype=np.int32)
    made = np.empty((len(table), len(texts)), np.int32)
    data, offsets = texts.data, texts.offsets.tolist()
    for symbol in range(len(texts)):
        now = states
        for place in range(offsets[symbol], offsets[symbol + 1]):
            moved = table[now, data[place]]
            if place > offsets[symbol]:  # cut inside: as if a window started here
                moved = np.where(moved == CUT, table[0, data[place]], moved)
            else:
                first = moved == CUT
                moved = np.where(first, 0, moved)
            now = moved
        made[:, symbol] = now
        if offsets[symbol + 1] > offsets[symbol]:
            made[first, symbol] = CUT
    return made


@attrs.frozen(eq=False)
class TextCuts:
    """`Windowing.cuts` or `borders` over the bytes of symbols: True at symbols whose text begins at a cut."""

    cuts: Callable[[Symbols], Mask]
    texts: SymbolTexts

    def __call__(self, segment: Symbols) -> Mask:
        return self.of_segments(segment, np.array([0, len(segment)], np.int64)[: 1 + (len(segment) > 0)])

    def of_segments(self, symbols: Symbols, edges: Int64) -> Mask:
        """The same of many segments at once (see `stackc.api.Windowing`)."""
        data, offsets = expanded(self.texts, symbols)
        bounds = offsets[edges]
        bounds = bounds[np.concatenate(([True], bounds[1:] > bounds[:-1]))]  # a segment may have no bytes
        cuts = self.cuts
        if hasattr(cuts, "of_segments"):
            found: Mask = cuts.of_segments(data, bounds)
        else:
            parts = [cuts(data[first:last]) for first, last in itertools.pairwise(bounds)]
            found = np.concatenate([np.zeros(0, np.bool_), *parts])
        starts, filled = offsets[:-1], offsets[1:] > offsets[:-1]
        made = np.zeros(len(symbols), np.bool_)
        made[filled] = found[starts[filled]]
        return made
