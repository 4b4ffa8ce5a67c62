"""Counts for the contexts that are fallen back to: in how many surroundings a text was seen, not how often.

"Francisco" is frequent, but nearly always after "San": where "San" did not help, it is a poor guess. So a text
shorter than the longest that is counted is counted by the different symbols before it (Kneser and Ney, 1995).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stackc.api import kernel
from stackc_counted.mixing import child
from stackc_counted.trie import COUNT, FIRST, SYMBOL, Trie

Row = Any


def continued(trie: Trie, longest: int, least: int) -> Trie:
    """The same texts, those shorter than `longest` counted by what stands before them.

    Args:
        trie: texts counted at every place.
        longest: symbols of the longest texts; these keep their counts.
        least: rarer texts were dropped, and are taken as seen least - 1 times each.
    """
    count, total = counts_and_totals(trie.table, longest, max(1, least - 1))
    return Trie.of(trie.symbol, count, trie.first, total)


@kernel
def counts_and_totals(trie: Row, longest: int, dropped: int) -> tuple[Row, Row]:
    """(count, total) uint32[N] of every text, see `continued` and `Trie`."""
    size = len(trie) - 1
    length, shorter = np.zeros(size, np.uint8), np.zeros(size, np.uint32)
    kinds, known = np.zeros(size, np.uint32), np.zeros(size, np.uint32)  # kept texts that are it with one symbol before
    for text in range(size):
        for longer in range(trie[text, FIRST], trie[text + 1, FIRST]):
            length[longer] = length[text] + 1
            if text == 0:
                continue
            # The same without its first symbol: it was counted too, at the next place.
            rest = child(trie, np.int64(shorter[text]), trie[longer, SYMBOL])
            assert rest >= 0
            shorter[longer] = rest
            kinds[rest] += 1
            known[rest] += trie[longer, COUNT]
    made, total = np.zeros(size, np.uint32), np.zeros(size, np.uint32)
    for text in range(1, size):
        if length[text] >= longest:
            made[text] = trie[text, COUNT]
        else:
            unknown = np.int64(trie[text, COUNT]) - np.int64(known[text])
            made[text] = kinds[text] + (unknown + dropped - 1) // dropped
    for text in range(size):
        unknown = np.int64(trie[text, COUNT])
        for longer in range(trie[text, FIRST], trie[text + 1, FIRST]):
            unknown -= trie[longer, COUNT]
            total[text] += made[longer]
        total[text] += (unknown + dropped - 1) // dropped
    return made, total
