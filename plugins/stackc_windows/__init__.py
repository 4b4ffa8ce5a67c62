"""The windowings that ship with stackc: where windows end, as data (`stackc.api.Windowing`)."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import attrs
from attrs.validators import and_, ge, in_, le, optional

from stackc.api import MAX_WINDOW_SYMBOLS, Register, Windowing, fields, hookimpl

MAX_WORDS = 64
"""In a window of the windowing `words`: its table of cuts has twelve states for each."""

BYTES = 256
"""The alphabet of the first level."""

_SYMBOLS = and_(ge(1), le(MAX_WINDOW_SYMBOLS))
_BITS = and_(ge(1), le(1 << 16))  # a code is held in memory in every lane
_CONTEXT = in_(("window", "segment"))
_CONTEXT_HELP = "when the model's context restarts: with every 'window' or only with the 'segment'"


@attrs.frozen(kw_only=True)
class EqualInfo:
    """Windows that all compress to the same number of bits."""

    bits_version: ClassVar[int] = 1

    bits: int = fields.bits(check=_BITS, help="W, the bits of every window's code; 2^W - 1 is at least the alphabet")
    symbols: int = fields.bits(1024, check=_SYMBOLS, help="most symbols in a window, 1 to 65,535")
    context: Literal["window", "segment"] = fields.bits("window", check=_CONTEXT, help=_CONTEXT_HELP)
    context_windows: int = fields.bits(
        1,
        check=_SYMBOLS,
        help="with context = 'window': consecutive windows of a segment that share one context, 1 to 65,535",
        added=True,
    )

    def problems(self, alphabet: int, settings: None) -> list[str]:
        """Windows are counted, and restart no context."""
        if self.context_windows == 1 or self.context == "window":
            return []
        return ["context_windows: has no effect if the context restarts only with the segment; remove it, or context"]


@attrs.frozen(kw_only=True)
class Aligned:
    """Equal-info windows that also end where a word starts."""

    bits_version: ClassVar[int] = 1

    bits: int = fields.bits(check=_BITS, help="W, the bits of every window's code; 2^W - 1 is at least the alphabet")
    words: int = fields.bits(
        1, check=_SYMBOLS, help="n: a window ends before every n-th word start of a segment, 1 to 65,535"
    )
    symbols: int = fields.bits(1024, check=_SYMBOLS, help="most symbols in a window, 1 to 65,535")
    context: Literal["window", "segment"] = fields.bits("window", check=_CONTEXT, help=_CONTEXT_HELP)

    def problems(self, alphabet: int, settings: None) -> list[str]:
        """A level that does not read bytes."""
        if alphabet == BYTES:
            return []
        return [f"kind: 'aligned' finds words in bytes, and this level reads {alphabet} symbols; use 'equal-info' here"]


@attrs.frozen(kw_only=True)
class Words:
    """Windows that are words, or parts of words: no code is spent on texts that no word can be."""

    bits_version: ClassVar[int] = 1

    bits: int | None = fields.bits(
        None,
        check=optional(_BITS),
        help="W, the bits of every window's code, as in equal-info; none with a coder that sets its own vocabulary",
    )
    words: int = fields.bits(
        1,
        check=and_(ge(1), le(MAX_WORDS)),
        help="most words in a window, 1 to 64; above 1, one that ends inside a word is taken back to its last word end",
        added=True,
    )
    symbols: int = fields.bits(1024, check=_SYMBOLS, help="most symbols in a window, 1 to 65,535")
    context: Literal["window", "segment"] = fields.bits("window", check=_CONTEXT, help=_CONTEXT_HELP)

    def problems(self, alphabet: int, settings: None) -> list[str]:
        """Windows that are taken back, in a context that does not restart with them."""
        if self.words == 1 or self.context == "window":
            return []
        return ["context: windows of several words are taken back to a word end, which needs context = 'window'"]


@attrs.frozen(kw_only=True)
class FixedToken:
    """Windows of a fixed number of symbols, in as many bits as they take."""

    bits_version: ClassVar[int] = 1

    symbols: int = fields.bits(check=_SYMBOLS, help="symbols in every window, 1 to 65,535")
    context: Literal["window", "segment"] = fields.bits("window", check=_CONTEXT, help=_CONTEXT_HELP)


@attrs.frozen(kw_only=True)
class Longest:
    """Windows that end where the coder's dictionary has no longer text."""

    bits_version: ClassVar[int] = 1

    symbols: int = fields.bits(1024, check=_SYMBOLS, help="most symbols in a window, 1 to 65,535")


@attrs.frozen(kw_only=True)
class Whole:
    """One window per segment."""

    bits_version: ClassVar[int] = 1

    context: Literal["window", "segment"] = fields.bits("window", check=_CONTEXT, help=_CONTEXT_HELP)


def _equal_info(config: EqualInfo) -> Windowing:
    return Windowing(
        bits=config.bits, symbols=config.symbols, restart=config.context, context_windows=config.context_windows
    )


def _aligned(config: Aligned) -> Windowing:
    from stackc_windows.word_starts import Cuts

    return Windowing(bits=config.bits, symbols=config.symbols, restart=config.context, cuts=Cuts(config.words))


def _words(config: Words) -> Windowing:
    from stackc.api import WORD_RULE
    from stackc_windows.look_ahead import LookAhead, WordStarts
    from stackc_windows.words import word_table, words_table

    sizes: dict[str, Any] = {"bits": config.bits, "symbols": config.symbols, "restart": config.context}
    if config.words > 1:
        return Windowing(**sizes, table=words_table(config.words), borders=WordStarts())
    return Windowing(**sizes, cuts=LookAhead(), table=word_table(), rule=WORD_RULE)


def _fixed_token(config: FixedToken) -> Windowing:
    return Windowing(bits=None, symbols=config.symbols, restart=config.context)


def _longest(config: Longest) -> Windowing:
    return Windowing(bits=None, symbols=config.symbols, restart="window")


def _whole(config: Whole) -> Windowing:
    return Windowing(bits=None, symbols=None, restart=config.context)


@hookimpl
def stackc_register_windowings(register: Register) -> None:
    register("equal-info", _equal_info, EqualInfo, "windows that all compress to the same number of bits")
    register("aligned", _aligned, Aligned, "equal-info windows that also end where a word starts")
    register("words", _words, Words, "windows of one word, a blank with the word that follows it")
    register("fixed-token", _fixed_token, FixedToken, "windows of a fixed number of symbols")
    register("longest", _longest, Longest, "windows of the longest text that a dictionary coder holds")
    register("whole", _whole, Whole, "one window per segment")
