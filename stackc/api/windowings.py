"""Where windows end: data, not behaviour."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import attrs
from attrs.validators import and_, ge, in_, instance_of, is_callable, optional

from stackc.api.arrays import Int32, Mask, Symbols

_WHOLE: Any = optional(instance_of(int))

CUT = -1
"""In a table: the symbol is not in the window."""

MAX_STATES = 1 << 12
"""States that a table may have."""


def table_problem(table: object) -> str | None:
    """Why an array is not a table of cuts (`Windowing.table`); None if it is one."""
    import numpy as np  # plugins are listed without it, and they import this module

    if not isinstance(table, np.ndarray) or table.dtype != np.int32 or table.ndim != 2 or not table.size:
        return "a table of cuts is int32[states, alphabet]"
    if len(table) > MAX_STATES:
        return f"a table of cuts has at most {MAX_STATES:,} states, not {len(table):,}"
    if int(table.min()) < CUT or int(table.max()) >= len(table):
        return f"an entry of a table of cuts is a state, 0 .. {len(table) - 1}, or {CUT}"
    if int(table[0].min()) < 0:
        return "state 0 of a table of cuts is a window's start, and cuts before no symbol"
    return None


def _check_table(instance: object, attribute: object, table: object) -> None:
    problem = None if table is None else table_problem(table)
    if problem:
        raise ValueError(problem)


def _same(one: object, other: object) -> bool:
    """Whether two tables are equal."""
    import numpy as np

    return np.array_equal(one, other)  # type: ignore[arg-type]


_CHECKED: Any = _check_table
_COMPARED: Any = attrs.cmp_using(eq=_same)


@attrs.frozen(kw_only=True)
class Windowing:
    """Where windows end. Windowings are data, so that the level can choose the fastest route.

    A window closes when its next symbol does not fit in `bits`, at `symbols` symbols, where `cuts` or `table` says
    that a window starts, and at the segment's end, whichever comes first.

    Attributes:
        bits: W, the bits of every window's code; None if windows are cut by symbols alone.
        symbols: the symbol budget, 1 .. 65,535; None: the length of the level's segments.
        restart: when the *model's* context is emptied (the coder's state always restarts with the window).
        context_windows: with `restart` "window": consecutive windows of a segment that share one context, 1 or more.
            With 2, the context is emptied before every other window.
        cuts: forced cuts, computed from a segment's symbols by the encoder only: bool[n], True where a
            window starts. It may have a method ``of_segments(symbols, edges)`` that gives the same for contiguous
            segments in one call (edges: int64[s + 1], their bounds; none of them is empty).
        table: forced cuts that follow from the window's own symbols, so that the decoder knows them too: int32[S, A],
            the state after a symbol in a state, or `CUT` if a window starts at that symbol. A window begins in state 0,
            which cuts before no symbol. A coder whose flag `masks` is True gives no code to a text that the table
            cuts; others are cut by the encoder only.
        borders: places where a window would rather end, computed like `cuts`, by the encoder only. A window that closes
            at none of them, because its next symbol does not fit or at the symbol budget, is taken back to the last one
            inside it. Every text has a code, so the decoder needs no rule. Requires `restart` "window".
        rule: a regular expression that says the same as `cuts` and `table`: its matches in a segment of bytes, read as
            the characters U+0000 to U+00FF, are the windows that nothing else ends. None without such an expression.
            At a level whose symbols represent texts the bytes are those of the texts.
    """

    bits: int | None = attrs.field(default=None, validator=_WHOLE)
    symbols: int | None = attrs.field(default=1024, validator=_WHOLE)
    restart: Literal["window", "segment"] = attrs.field(default="window", validator=in_(("window", "segment")))
    context_windows: int = attrs.field(default=1, validator=and_(instance_of(int), ge(1)))
    cuts: Callable[[Symbols], Mask] | None = attrs.field(default=None, validator=optional(is_callable()))
    table: Int32 | None = attrs.field(default=None, validator=_CHECKED, eq=_COMPARED, hash=False)
    borders: Callable[[Symbols], Mask] | None = attrs.field(default=None, validator=optional(is_callable()))
    rule: str | None = attrs.field(default=None, validator=optional(instance_of(str)))


@attrs.frozen(kw_only=True)
class Window:
    """What all windows of one level have in common, for the coder.

    Attributes:
        alphabet: A of the symbols.
        bits: W, or None without a bit budget.
        symbols: the symbol budget; a window with this many symbols is *full*.
        token_bits: the bits of a token; codes are padded to whole tokens.
        table: `Windowing.table`, for a coder that declares `masks`; None for other coders and windowings without one.
    """

    alphabet: int
    bits: int | None
    symbols: int
    token_bits: int
    table: Int32 | None = attrs.field(default=None, validator=_CHECKED, eq=_COMPARED, hash=False)
