"""Compiled steps: a predictor and a coder as kernels, which stackc puts into one loop.

By `step`, `add` and `next` every symbol costs some 50 microseconds of Python, whatever the model itself takes. A part
that offers its kernels as well is called by a compiled loop (`stackc.coding.loops`): it holds the lanes of model and
coder, closes windows, and writes or reads tokens. Both parts have to offer theirs; all tokens stay as they are.

A kernel is a function of a module, compiled with `stackc.api.kernel`, or `inlined`, and its arguments are arrays,
integers and tuples of these. Arrays are contiguous, aligned and may be written to, so that a loop is compiled for one
type only. The loop is kept between processes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import attrs

from stackc.api.arrays import Frequencies

Kernel: TypeAlias = "Callable[..., Any]"
"""A function that `kernel` or `inlined` made."""


@attrs.frozen(kw_only=True, eq=False)
class CompiledStep:
    """`Predictor.step` as kernels: what ``compiled()`` of a predictor gives, a method found by `hasattr`.

    `advance` of the lanes that are not idle and then `fill` of each give exactly the rows that `step` gives. The state
    is an array whose first axis is the lanes, or a tuple of such arrays. `Predictor.start` makes it, and `step` and the
    kernels can take turns with it, unless `start` makes another.

    Attributes:
        advance: ``advance(tables, state, lane, symbol)`` moves a lane on by a symbol, 0 .. A - 1; RESTART empties its
            context.
        fill: ``fill(tables, state, lane, row)`` writes what may follow in a lane to `row`, uint32[A]: all entries, none
            of them zero, with the sum 2^24. It leaves the lane as it is: a second call gives the same row.
        tables: what the kernels read and never change: a tuple of arrays and integers.
        start: ``start(lanes)`` makes the state, if that of `Predictor.start` has another form; None: it has not.
        most_lanes: in more lanes `step` is faster, and is called; None: it never is.
    """

    advance: Kernel
    fill: Kernel
    tables: tuple[Any, ...] = ()
    start: Callable[[int], Any] | None = None
    most_lanes: int | None = None


@attrs.frozen(kw_only=True, eq=False)
class CompiledLanes:
    """The lanes of a coder as kernels: what ``compiled(window)`` of a coder gives, a method found by `hasattr`.

    Only for coders that mark where windows end (`CoderFlags.ends`). The tokens are exactly those of its encoders.

    Attributes:
        add: ``add(params, state, lane, row, symbol) -> bool``, `WindowEncoder.add` in a lane's open window.
        close: ``close(params, state, lane, full, out, at) -> int`` writes the window's tokens to `out` (uint32),
            starting at `at`, and returns where they end. An empty window is then open.
        open: ``open(params, state, lane, tokens, start, end)`` starts to read a window at tokens[start]; zeros are read
            from token `end` onwards.
        next: ``next(params, state, lane, tokens, row) -> int``, the window's next symbol; -1 if it ends here.
        used: ``used(params, state, lane, full) -> int``, the tokens that the window took up.
        params: a tuple of integers and arrays that never change.
        encoder: ``encoder(lanes, symbols)`` makes the state for encoding, an array or a tuple of arrays, with an empty
            window open in every lane and room for windows of up to `symbols` symbols.
        decoder: ``decoder(lanes)`` makes the state for decoding.
        most_tokens: (a, b): a window of n symbols has at most a + b n tokens.
        row: uint32[A], the one row that a coder without a model codes under.
    """

    add: Kernel
    close: Kernel
    open: Kernel
    next: Kernel
    used: Kernel
    encoder: Callable[[int, int], Any]
    decoder: Callable[[int], Any]
    most_tokens: tuple[int, int]
    params: tuple[Any, ...] = ()
    row: Frequencies | None = None
