"""Encoding by a dictionary if windows are taken back to their last border (`stackc.api.Windowing.borders`).

A window is the longest text that continues here; if it ends at no border but has one inside, it ends at the last of
these. Every prefix of a text is a text, so it has a code. The symbols behind that border are walked again: a symbol is
visited at most as often as the longest text has symbols.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stackc.api.kernels import kernel
from stackc.coding.dictionary.encoding import ONE, cut_at, find

Array = Any
Index = Any


@kernel
def retreat(
    symbols: Array, offsets: Array, low: Index, high: Index, document: Index, segment: Index, budget: Index,
    cuts: Array, borders: Array, first: Array, children: Array, symbol: Array, out: Array, code_offsets: Array,
) -> Index:  # fmt: skip
    """Same as `stackc.coding.dictionary.encoding.search`; `borders`, bool[n]: where words start."""
    count = 0
    while document < len(offsets) - 1 and (offsets[document] < high or offsets[document + 1] <= high):
        origin, stop = offsets[document], min(offsets[document + 1], high)
        begin = max(origin, low)
        while begin < stop:
            last = min(stop, origin + ((begin - origin) // segment + 1) * segment)
            code, at = find(first, children, symbol, np.int64(0), symbols[begin]), begin + 1
            border, shorter = np.int64(-1), np.int64(0)
            while at < last and at - begin < budget and cut_at(cuts, at) != ONE:
                longer = find(first, children, symbol, code, symbols[at])
                if longer == 0:
                    break
                if borders[at]:
                    border, shorter = at, code
                code = longer
                at += 1
            at_border = at == last or borders[at] or cut_at(cuts, at) == ONE
            if border >= 0 and not at_border:
                code, at = shorter, border
            out[count] = code
            count += 1
            begin = at
        if offsets[document + 1] <= high:
            code_offsets[document + 1] = count
        document += 1
    return count
