"""A level compiled: every code's text, found by walking the model through all texts that a window can hold.

Breadth first in chunks of at most `lanes` texts, depth first over chunks. A chunk's successors are processed
from the one with the fewest codes to the one with the most, and the last one no longer needs its predecessor's
model state. So every state that is kept during the work on another has at least twice its codes, and at most W + 1
states exist at once. Plain breadth first would keep the states of a whole length, up to 2^W lanes of them.

Legend: K texts of a chunk, A alphabet.
"""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from stackc.api import RESTART, CodingError, Frequencies, Int32, Int64, Predictor, Window
from stackc_coders import kernels
from stackc_coders.slot_kernels import NO_TABLE

MAX_BITS = 20
"""The largest W compiled: 2^20 texts."""


@attrs.frozen(kw_only=True, eq=False)
class _Chunk:
    """Texts of one length whose successors are still to be found.

    Attributes:
        state: the model's state of the texts without their last symbols; None: restart it.
        lanes: int64[K], which lane of it is each text's.
        lows, ranges: int64[K], each text's code, and how many codes it and its extensions have.
        places: int64[K], the states of the windowing's table of cuts after each.
        length: symbols in the texts.
    """

    state: Any
    lanes: Int64
    lows: Int64
    ranges: Int64
    places: Int64
    length: int


def compile_dictionary(predictor: Predictor, window: Window, lanes: int) -> tuple[Int32, Int32]:
    """The texts of all codes: (parent int32[2^W], symbol int32[2^W]), indexed by code.

    Entry c is the text of code c: the text of code `parent[c]` and `symbol[c]`. Entry 0, the empty text, has -1
    in both. A text that reached the symbol budget, or that the window's table cuts before every symbol, owns all codes
    of its range; they have the same entries.

    Args:
        predictor: restarts with every window; without `take`, texts are stepped again from their start.
        window: with a bit budget of at most 20.
        lanes: texts stepped side by side.
    """
    if window.bits is None or window.bits > MAX_BITS:
        raise CodingError(f"only windows of at most {MAX_BITS} bits are compiled, not of {window.bits}")
    size = 1 << window.bits
    parent, symbol = np.full(size, -1, np.int32), np.full(size, -1, np.int32)
    empty = np.zeros(1, np.int64)
    table = NO_TABLE if window.table is None else np.require(window.table, requirements=["C", "W"])
    stack = [_Chunk(state=None, lanes=empty, lows=empty, ranges=empty + size, places=empty, length=0)]
    while stack:
        chunk = stack.pop()
        kept = (chunk.state, chunk.lanes) if chunk.length else None
        state, freqs = advance(predictor, kept, chunk.lows, chunk.length, parent, symbol, window.alphabet)
        bound = int(chunk.ranges.sum()) // 2  # of two texts listed, neither has less than two codes
        owners, lows, ranges, places = found = tuple(np.empty(bound, np.int64) for _ in range(4))
        first, full = chunk.length == 0, chunk.length + 1 == window.symbols
        texts = (chunk.lows, chunk.ranges, chunk.places)
        count = kernels.spread(freqs, *texts, table, first, full, parent, symbol, *found)
        order = np.argsort(-ranges[:count], kind="stable")
        for piece in np.array_split(order, -(-count // lanes)) if count else []:
            stack.append(
                _Chunk(
                    state=state,
                    lanes=owners[piece],
                    lows=lows[piece],
                    ranges=ranges[piece],
                    places=places[piece],
                    length=chunk.length + 1,
                )
            )
    return parent, symbol


def advance(
    predictor: Predictor,
    kept: tuple[Any, Int64] | None,
    texts: Int64,
    length: int,
    parent: npt.NDArray[np.integer],
    symbol: npt.NDArray[np.integer],
    alphabet: int,
) -> tuple[Any, Frequencies]:
    """The model's state after K texts of one length, and its rows uint32[K, A].

    Args:
        kept: a state after the texts without their last symbols, and which lane of it is each text's. None, or a model
            without `take`: the texts are stepped from their starts.
        texts: int64[K], their numbers.
        length: symbols in each.
        parent, symbol: by a text's number, the text without its last symbol, and that symbol.
    """
    if kept is not None and hasattr(predictor, "take"):
        state = predictor.take(*kept)
        freqs = predictor.step(state, symbol[texts].astype(np.int64))
    else:
        state = predictor.start(len(texts))
        freqs = predictor.step(state, np.full(len(texts), RESTART, np.int64))
        for column in _spell(texts, length, parent, symbol):
            freqs = predictor.step(state, column)
    if freqs.shape != (len(texts), alphabet) or freqs.dtype != np.uint32:
        raise CodingError(f"a model returned {freqs.dtype}{list(freqs.shape)} for {len(texts)} texts; expected uint32")
    return state, np.require(freqs, requirements=["C", "W"])


def _spell(texts: Int64, length: int, parent: npt.NDArray[np.integer], symbol: npt.NDArray[np.integer]) -> Int64:
    """The texts: int64[length, K]."""
    spelt = np.empty((length, len(texts)), np.int64)
    for column in spelt[::-1]:
        column[:] = symbol[texts]
        texts = parent[texts].astype(np.int64)
    return spelt
