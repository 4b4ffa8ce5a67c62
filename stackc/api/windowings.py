"""Where windows end: data, not behaviour."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import attrs
from attrs.validators import and_, ge, in_, instance_of, is_callable, optional

from stackc.api.arrays import Mask, Symbols

_WHOLE: Any = optional(instance_of(int))


@attrs.frozen(kw_only=True)
class Windowing:
    """Where windows end. Windowings are data, so that the level can choose the fastest route.

    A window closes when its next symbol does not fit in `bits`, at `symbols` symbols, where `cuts` says
    that a window starts, and at the segment's end, whichever comes first.

    Attributes:
        bits: W, the bits of every window's code; None if windows are cut by symbols alone.
        symbols: the symbol budget, 1 .. 65,535; None: the length of the level's segments.
        restart: when the *model's* context is emptied (the coder's state always restarts with the window).
        context_windows: with `restart` "window": consecutive windows of a segment that share one context, 1 or more.
            With 2, the context is emptied before every other window.
        cuts: forced cuts, computed from a segment's symbols by the encoder only: bool[n], True where a
            window starts.
    """

    bits: int | None = attrs.field(default=None, validator=_WHOLE)
    symbols: int | None = attrs.field(default=1024, validator=_WHOLE)
    restart: Literal["window", "segment"] = attrs.field(default="window", validator=in_(("window", "segment")))
    context_windows: int = attrs.field(default=1, validator=and_(instance_of(int), ge(1)))
    cuts: Callable[[Symbols], Mask] | None = attrs.field(default=None, validator=optional(is_callable()))


@attrs.frozen(kw_only=True)
class Window:
    """What all windows of one level have in common, for the coder.

    Attributes:
        alphabet: A of the symbols.
        bits: W, or None without a bit budget.
        symbols: the symbol budget; a window with this many symbols is *full*.
        token_bits: the bits of a token; codes are padded to whole tokens.
    """

    alphabet: int
    bits: int | None
    symbols: int
    token_bits: int
