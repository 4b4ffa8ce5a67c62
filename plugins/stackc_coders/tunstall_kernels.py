"""Growing a dictionary of the most probable texts, compiled. The rule is in `tunstall`.

Legend: K texts, A alphabet, N texts found so far (a text's number is above its parent's).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stackc.api import CUT, PRECISION, kernel

ONE_BITS = 38
"""p of the empty text is 2^38: with 24 bits of frequency a product stays below 2^62."""

Row = Any


@kernel
def extensions(freqs: Row, weights: Row, table: Row, places: Row, least: int) -> tuple[Row, Row, Row]:
    """The texts one symbol longer than K texts, of p at least `least`: (whose, last symbol, p), int64.

    Args:
        freqs: uint32[K, A], what follows each text.
        weights: int64[K], p of each text.
        table: int32[S, A], the windowing's table of cuts; no rows if it has none.
        places: int64[K], the table's state after each text.
    """
    count, cuts = 0, len(table) > 0
    for i in range(len(weights)):
        for s in range(freqs.shape[1]):
            if not (cuts and table[places[i], s] == CUT):
                count += (weights[i] * np.int64(freqs[i, s])) >> PRECISION >= least
    owners, symbols, longer = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count, np.int64)
    at = 0
    for i in range(len(weights)):
        for s in range(freqs.shape[1]):
            p = (weights[i] * np.int64(freqs[i, s])) >> PRECISION
            if p >= least and not (cuts and table[places[i], s] == CUT):
                owners[at], symbols[at], longer[at] = i, s, p
                at += 1
    return owners, symbols, longer


@kernel
def preorder(parent: Row, symbol: Row, order: Row, inside: Row) -> Row:
    """Codes of the chosen texts in preorder: int64[N], -1 for the others. Their prefixes must be chosen too.

    Args:
        order: int64[N], all texts by symbol.
        inside: bool[N], the chosen ones.
    """
    size = np.zeros(len(parent), np.int64)  # texts that extend it, itself included
    for text in range(len(parent) - 1, -1, -1):
        if inside[text]:
            size[text] += 1
            if text:
                size[parent[text]] += size[text]
    # Children lists by ascending symbol.
    count = np.zeros(len(parent) + 1, np.int64)
    for text in range(1, len(parent)):
        count[parent[text] + 1] += 1
    first = np.cumsum(count)
    children, filled = np.empty(len(parent), np.int64), first.copy()
    for text in order:
        if text:
            children[filled[parent[text]]] = text
            filled[parent[text]] += 1
    code = np.full(len(parent), -1, np.int64)
    code[0] = 0
    for text in range(len(parent)):  # a text comes after its parent, so its own code is known
        if code[text] < 0:
            continue
        following = code[text] + 1
        for i in range(first[text], first[text + 1]):
            if inside[children[i]]:
                code[children[i]] = following
                following += size[children[i]]
    return code
