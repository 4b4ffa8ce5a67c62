"""Any coder over lanes: its own lanes if it has them, else one window encoder or decoder per lane, in a loop.

If a coder does not mark where windows end, each window's symbol count is written before its code: 16 bits, padded with
zeros to whole tokens. A count and not an end symbol: an end symbol would change the alphabet that the model predicts,
and take probability from the other symbols at every step.

The level sees one type of lanes, whatever the coder has. Each code of a window encoder is checked here, where its bits
are still known; a coder's own lanes are checked by their results (`stackc.coding.routes`).

Legend: L lanes, A alphabet, K chosen lanes, m symbols.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from stackc.api.arrays import IDLE, Frequencies, Int64, Mask, Tokens
from stackc.api.coders import Coder, CoderFlags, LaneDecoder, LaneEncoder, WindowDecoder
from stackc.api.errors import CodingError, PartError
from stackc.api.windowings import Window
from stackc.parts.blame import blaming
from stackc.parts.packing import TokenBits, pack

Run: TypeAlias = "Callable[[int, Frequencies | None, Int64, Mask], tuple[Tokens, Int64]]"
"""`LaneEncoder.run`."""

COUNT_BITS = 16
"""Bits of the symbol count before a window of a coder that does not mark ends."""


def lane_encoder(coder: Any, flags: CoderFlags, window: Window, lanes: int, who: str = "the coder") -> LevelLaneEncoder:
    """The lanes that the level encodes in, in the highest tier that the coder has.

    Args:
        coder: any window coder.
        flags: the coder's configuration, which declares them.
        window: what the windows of all lanes have in common.
        lanes: L.
        who: the coder, for messages.
    """
    with blaming(who, "its encoder"):
        own = hasattr(coder, "lane_encoder")
        inner = coder.lane_encoder(window, lanes) if own else AdaptedLaneEncoder(coder, flags, window, lanes, who)
    return LevelLaneEncoder(inner, window, lanes, who, getattr(inner, "run", None))


def lane_decoder(
    coder: Any, flags: CoderFlags, window: Window, lanes: int, tokens: npt.NDArray[Any], who: str = "the coder"
) -> LaneDecoder:
    """The lanes that the level decodes `tokens` in; other arguments: see `lane_encoder`.

    Not wrapped: `stackc.coding.stepping` calls them inside `blaming`, and needs nothing that a coder's lanes lack.
    """
    with blaming(who, "its decoder"):
        if not hasattr(coder, "lane_decoder"):
            return AdaptedLaneDecoder(coder, flags, window, lanes, tokens, who)
        made: LaneDecoder = coder.lane_decoder(window, lanes, tokens)
        return made


class LevelLaneEncoder:
    """Lanes with `run` in any case; unexpected exceptions name the coder.

    Args:
        inner: codes the lanes.
        window: what their windows have in common.
        lanes: L.
        who: the coder, for messages.
        run: the `run` of `inner`. None: symbols are added one by one, which any lanes can do. That needs the open
            windows' sizes, which lanes do not tell, so they are counted here.
    """

    def __init__(
        self, inner: LaneEncoder, window: Window, lanes: int, who: str = "the coder", run: Run | None = None
    ) -> None:
        self._inner, self._budget, self._who, self._run = inner, window.symbols, who, run
        self._boundless = window.bits is None and window.table is None
        self._sizes = np.zeros(lanes, np.int64)

    def add(self, freqs: Frequencies | None, symbols: Int64) -> Mask:
        with blaming(self._who, "add"):
            fits = self._inner.add(freqs, symbols)
        if self._run is None:
            self._sizes += fits & (symbols != IDLE)
        return fits

    def close(self, lanes: Int64, full: Mask) -> tuple[Tokens, Int64]:
        self._sizes[lanes] = 0
        with blaming(self._who, "close"):
            return self._inner.close(lanes, full)

    def run(self, lane: int, freqs: Frequencies | None, symbols: Int64, cuts: Mask) -> tuple[Tokens, Int64]:
        """Code m known symbols of one lane one after another, closing windows as they fill.

        Args:
            lane: which; the others are left alone.
            freqs: uint32[m, A], row i is what symbol i is coded under; None without a model.
            symbols: int64[m].
            cuts: bool[m], True where a window is forced to start.

        Returns:
            The tokens of the windows closed, and how many symbols each holds. The last window stays open unless
            it is full.
        """
        if self._run is not None:
            with blaming(self._who, "run"):
                return self._run(lane, freqs, symbols, cuts)
        made: list[Tokens] = []
        lengths: list[int] = []

        def close(full: bool) -> None:
            lengths.append(int(self._sizes[lane]))
            made.append(self.close(np.array([lane]), np.array([full]))[0])

        def add(i: int) -> bool:
            offered = np.full(len(self._sizes), IDLE, np.int64)
            offered[lane] = symbols[i]
            rows = None if freqs is None else freqs[i : i + 1].repeat(len(self._sizes), axis=0)
            return bool(self.add(rows, offered)[lane])

        for i in range(len(symbols)):
            if cuts[i] and self._sizes[lane]:
                close(False)
            if not add(i):
                close(False)
                if not add(i):
                    raise first_symbol(self._who)
                if self._boundless:
                    raise turned_away(self._who)
            if self._sizes[lane] == self._budget:
                close(True)
        return np.concatenate([np.empty(0, np.uint32), *made]), np.array(lengths, np.int64)


class AdaptedLaneEncoder:
    """A `LaneEncoder` of any coder: one window encoder per lane, in a loop."""

    def __init__(self, coder: Coder, flags: CoderFlags, window: Window, lanes: int, who: str = "the coder") -> None:
        _check(flags, window)
        self._coder, self._flags, self._window, self._who = coder, flags, window, who
        self._encoders = [coder.encoder(window) for _ in range(lanes)]
        self._counts = [0] * lanes

    def add(self, freqs: Frequencies | None, symbols: Int64) -> Mask:
        fits = np.zeros(len(self._encoders), np.bool_)
        for lane in np.flatnonzero(symbols != IDLE).tolist():
            symbol = int(symbols[lane])
            if not 0 <= symbol < self._window.alphabet:
                raise CodingError(f"symbol {symbol} is outside the alphabet of {self._window.alphabet}")
            fits[lane] = self._encoders[lane].add(None if freqs is None else freqs[lane], symbol)
            self._counts[lane] += int(fits[lane])
        return fits

    def close(self, lanes: Int64, full: Mask) -> tuple[Tokens, Int64]:
        pieces = [np.empty(0, np.uint32)]
        counts = np.zeros(len(lanes), np.int64)
        for i, lane in enumerate(lanes.tolist()):
            value, bits = map(operator.index, self._encoders[lane].close(bool(full[i])))
            self._check_code(value, bits)
            code = pack(value, bits, self._window.token_bits)
            if not self._flags.ends:
                count = pack(self._counts[lane], COUNT_BITS, self._window.token_bits)
                code = np.concatenate([count, code])
            pieces.append(code)
            counts[i] = len(code)
            self._encoders[lane] = self._coder.encoder(self._window)
            self._counts[lane] = 0
        return np.concatenate(pieces), counts

    def _check_code(self, value: int, bits: int) -> None:
        if self._window.bits is not None and bits != self._window.bits:
            raise PartError(
                f"{self._who}: close gave a code of {bits} bits; every window has exactly {self._window.bits}"
            )
        if bits < 0 or not 0 <= value < 1 << bits:
            raise PartError(f"{self._who}: close gave a value that does not fit in the {bits} bits that it says")


class AdaptedLaneDecoder:
    """A `LaneDecoder` of any coder: one window decoder a lane."""

    def __init__(
        self,
        coder: Coder,
        flags: CoderFlags,
        window: Window,
        lanes: int,
        tokens: npt.NDArray[Any],
        who: str = "the coder",
    ) -> None:
        _check(flags, window)
        self._coder, self._flags, self._window, self._tokens, self._who = coder, flags, window, tokens, who
        self._decoders: list[WindowDecoder | None] = [None] * lanes
        self._spans = [
            (0, 0)
        ] * lanes  # of the open window: where its code begins, and where the zeros begin, from its first token
        self._left: list[int | None] = [None] * lanes  # symbols still to come, if the count was written

    def open(self, lanes: Int64, starts: Int64, ends: Int64) -> None:
        token_bits = self._window.token_bits
        for lane, start, end in zip(lanes.tolist(), starts.tolist(), ends.tolist(), strict=True):
            begin = start
            if not self._flags.ends:
                self._left[lane] = self._read_count(start, end)
                begin = min(start + -(-COUNT_BITS // token_bits), end)
            self._spans[lane] = (begin - start, end - start)
            self._decoders[lane] = self._coder.decoder(self._window, TokenBits(self._tokens, token_bits, begin, end))

    def next(self, freqs: Frequencies | None, active: Mask) -> Int64:
        out = np.full(len(self._decoders), -1, np.int64)
        for lane in np.flatnonzero(active).tolist():
            decoder, left = self._decoders[lane], self._left[lane]
            assert decoder is not None, "a window must be open"
            if left == 0:
                continue
            symbol = decoder.next(None if freqs is None else freqs[lane])
            if symbol is not None:
                if not 0 <= operator.index(symbol) < self._window.alphabet:
                    raise outside_alphabet(self._who, symbol, self._window.alphabet)
                out[lane] = symbol
                self._left[lane] = None if left is None else left - 1
            elif left is not None:
                raise PartError(f"{self._who}: next ended a window with {left} symbols still to come")
        return out

    def used(self, lanes: Int64, full: Mask) -> Int64:
        out = np.zeros(len(lanes), np.int64)
        for i, lane in enumerate(lanes.tolist()):
            decoder, (begin, end) = self._decoders[lane], self._spans[lane]
            assert decoder is not None, "a window must be open"
            tokens = begin - (-operator.index(decoder.used(bool(full[i]))) // self._window.token_bits)
            out[i] = min(tokens, end)
        return out

    def _read_count(self, start: int, end: int) -> int:
        count = TokenBits(self._tokens, self._window.token_bits, start, end).read(COUNT_BITS)
        if count > self._window.symbols and not self._flags.total:
            raise CodingError(f"a window of {count} symbols, more than the {self._window.symbols} that one may have")
        return min(count, self._window.symbols)


def first_symbol(who: str) -> PartError:
    """The error for an encoder that refuses the first symbol of a window: it could never be coded."""
    return PartError(f"{who}: add refused the first symbol of a window; one symbol must always fit")


def turned_away(who: str) -> PartError:
    """The error for an encoder that refuses a symbol although its windows have no bit budget."""
    return PartError(f"{who}: add refused a symbol, and its windows have no bit budget; every symbol must fit")


def outside_alphabet(who: str, symbol: int, alphabet: int) -> PartError:
    """The error for a decoder that gives a number outside the alphabet."""
    return PartError(f"{who}: next gave symbol {symbol}, outside the alphabet of {alphabet}")


def not_there(who: str, used: int, left: int) -> PartError:
    """The error for a decoder whose window has no tokens, or more than there are."""
    return PartError(
        f"{who}: used returned {used} tokens for a window, and {left} were left; every window has at least one"
    )


def _check(flags: CoderFlags, window: Window) -> None:
    if flags.ends:
        return
    if window.bits is not None:
        raise CodingError(f"a coder that does not mark ends cannot fill windows of exactly {window.bits} bits")
    if window.symbols >= 1 << COUNT_BITS:
        most = (1 << COUNT_BITS) - 1
        raise CodingError(
            f"windows of up to {window.symbols} symbols need a coder that marks ends; others hold {most} at most"
        )
