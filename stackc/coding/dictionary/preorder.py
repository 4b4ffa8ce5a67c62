"""The order among the texts of a dictionary, from each one's parent and last symbol."""

from __future__ import annotations

import numpy as np

from stackc.api.arrays import Int32
from stackc.api.kernels import kernel


@kernel
def index(parent: Int32, symbol: Int32) -> tuple[bool, Int32, Int32, Int32, Int32, Int32]:
    """Each text's place among the others.

    Returns:
        whether siblings ascend by symbol; first int32[N + 1] and children: the extensions of text c by one symbol
        are children[first[c] : first[c + 1]]; length; canonical, the lowest code of the same text; end of the codes
        of the texts that extend each.
    """
    size = len(parent)
    ascending = True
    first = np.zeros(size + 1, np.int32)
    length = np.zeros(size, np.int32)
    canonical = np.arange(size).astype(np.int32)
    last = np.zeros(size, np.int32)  # the last child seen of each
    for code in range(1, size):
        above = parent[code]
        length[code] = length[above] + 1
        before = last[above]
        if before and symbol[before] == symbol[code]:
            canonical[code] = before
            continue
        ascending &= before == 0 or symbol[before] < symbol[code]
        last[above] = code
        first[above + 1] += 1
    for code in range(size):
        first[code + 1] += first[code]
    children = np.empty(first[size], np.int32)
    place = first[:-1].copy()
    end = np.arange(1, size + 1).astype(np.int32)
    for code in range(1, size):
        if canonical[code] == code:
            children[place[parent[code]]] = code
            place[parent[code]] += 1
    for code in range(size - 1, 0, -1):
        end[parent[code]] = max(end[parent[code]], end[code])
        end[canonical[code]] = max(end[canonical[code]], end[code])
    return ascending, first, children, length, canonical, end
