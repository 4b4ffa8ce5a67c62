"""A zlib stream per window. The stream marks its own end; no model, no bit budget.

The codes depend on the zlib that Python was built with; any zlib decodes them.
"""

from __future__ import annotations

import functools
import itertools
import math
import zlib
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from stackc.api import CodingError, Int64, Symbols, Tokens, Window, bytes_of_tokens, tokens_of_bytes
from stackc_coders.gzip_kernels import shift_into

Inflater: TypeAlias = "Any"  # of zlib.decompressobj, whose type has no public name

FIRST = 256
"""Bytes that a first window is expected to have. Every window is given twice as many as the last one that did not fit
into what it was given, or that began a block: what is too much is copied in vain, what is missing costs a call."""

SHORT = 1024
"""Streams of fewer bytes have their number of tokens in a table."""

BLOCK = 1 << 15
"""Tokens that are converted to bytes together."""


class GzipCoder:
    """Codes windows as zlib streams (`stackc.api.WholeWindowCoder`).

    Args:
        level: zlib's effort, 1 to 9.
    """

    def __init__(self, level: int = 6) -> None:
        self._level = level

    def whole(self, window: Window) -> GzipWindows:
        if window.bits is not None:
            raise CodingError(f"gzip cannot obey a bit budget of {window.bits}; use fixed-token or whole windows")
        return GzipWindows(window, self._level)


class GzipWindows:
    """Windows as zlib streams. Symbols are big-endian, of as many bytes as A - 1 needs.

    Args:
        window: what the windows have in common.
        level: zlib's effort.
    """

    def __init__(self, window: Window, level: int) -> None:
        self._window, self._level, self._width = window, level, symbol_bytes(window.alphabet)

    def encode(self, symbols: Symbols, bounds: Int64) -> tuple[Tokens, Int64]:
        text, level = memoryview(_digits(symbols, self._width)), self._level
        edges = itertools.pairwise((bounds * self._width).tolist())
        return tokens_of_bytes([zlib.compress(text[low:high], level) for low, high in edges], self._window.token_bits)

    def decode(self, tokens: Tokens, starts: Int64, ends: Int64, most: int) -> tuple[Symbols, Int64]:
        token_bits, width, new = self._window.token_bits, self._width, zlib.decompressobj
        source = _Source(tokens, token_bits)
        texts, counts, room = [b""], [], most * width
        # One more than the budget: reaching it is an error, and 0 would be no limit to zlib.
        limit, append = self._window.symbols * width + 1, texts.append
        shifted: list[bytes] = []
        size, used, lengths, short = 0, FIRST, _lengths(token_bits), SHORT
        for first, end in zip(starts.tolist(), ends.tolist(), strict=True):
            low, stop, before, bound = 0, (end - first) * token_bits, room, -1  # positions are bits behind `first`
            while low < stop:  # a short window takes zlib a microsecond: each line here is a thirtieth of that
                if low <= bound:
                    byte, used = low >> 3, size
                    piece = shifted[low & 7][byte : byte + size]
                else:
                    at = first + low // token_bits
                    step, size = _about(2 * used, token_bits)
                    first, last, shifted = source.block(at, step)
                    low, stop = (at - first) * token_bits, (end - first) * token_bits
                    bound = (min(last, end) - step - first) * token_bits
                    piece = source.cut(at, end, step)
                    used = len(piece)
                inflater = new()
                try:
                    text = inflater.decompress(piece, limit)
                except zlib.error as error:
                    raise CodingError(f"a gzip window is damaged: {error}") from error
                if unused := inflater.unused_data:
                    used -= len(unused)
                elif not inflater.eof:
                    text, used = self._rest(inflater, text, source, first + low // token_bits + step, end, used)
                    bound = -1  # the next window is given more
                found = len(text)
                room -= found
                if room < 0 or found == limit or (width > 1 and found % width):
                    raise self._wrong(found, most)
                append(text)
                low += lengths[used] if used < short else -(-8 * used // token_bits) * token_bits
            counts.append((before - room) // width)
        return self._symbols(b"".join(texts)), np.array(counts, np.int64)

    def _rest(
        self, inflater: Inflater, text: bytes, source: _Source, at: int, end: int, given: int
    ) -> tuple[bytes, int]:
        """A window that needs more than its first bytes: its text, and the bytes of its stream."""
        texts, room = [text], self._window.symbols * self._width + 1 - len(text)
        step = _about(2 * FIRST, self._window.token_bits)[0]
        while room and not inflater.eof:
            piece: bytes = inflater.unconsumed_tail
            if not piece:
                if at >= end:
                    raise CodingError("a gzip window is cut off: its zlib stream does not end within the tokens")
                piece = source.cut(at, end, step)
                at, step, given = at + step, 2 * step, given + len(piece)
            try:
                texts.append(inflater.decompress(piece, room))
            except zlib.error as error:
                raise CodingError(f"a gzip window is damaged: {error}") from error
            room -= len(texts[-1])
        return b"".join(texts), given - len(inflater.unused_data)

    def _wrong(self, size: int, most: int) -> CodingError:
        """The error for a window whose text has this many bytes, if not that there are too many windows."""
        if size > self._window.symbols * self._width:
            return CodingError(f"a gzip window of more than {self._window.symbols} symbols")
        if size % self._width:
            return CodingError(
                f"a gzip window of {size} bytes, which is not a multiple of {self._width}, the bytes per symbol"
            )
        return CodingError(f"gzip windows that decode to more than the expected {most} symbols")

    def _symbols(self, text: bytes) -> Symbols:
        width, alphabet = self._width, self._window.alphabet
        symbols: Symbols = np.frombuffer(text, f">u{width}" if width < 3 else np.uint8)
        if width == 3:
            digits = symbols.reshape(-1, 3).astype(np.uint32)
            symbols = digits[:, 0] << 16 | digits[:, 1] << 8 | digits[:, 2]
        if len(symbols) and int(symbols.max()) >= alphabet:
            raise CodingError(f"a gzip window with symbol {int(symbols.max())}, outside the alphabet of {alphabet}")
        return symbols


def symbol_bytes(alphabet: int) -> int:
    """Bytes per symbol: as many as the largest needs, at least one."""
    return max(1, -(-(alphabet - 1).bit_length() // 8))


def _digits(symbols: Symbols, width: int) -> bytes:
    if width == 3:
        return symbols.astype(">u4").view(np.uint8).reshape(-1, 4)[:, 1:].tobytes()
    return symbols.astype(f">u{width}").tobytes()


def _about(size: int, token_bits: int) -> tuple[int, int]:
    """(tokens, bytes): about so many bytes, as tokens that are whole bytes together."""
    eights = 8 * size // token_bits // 8 + 1
    return 8 * eights, eights * token_bits


@functools.lru_cache(maxsize=32)
def _lengths(token_bits: int) -> list[int]:
    """How many bits the tokens of 0, 1, … SHORT - 1 bytes have: a look-up is faster than dividing."""
    return [-(-8 * size // token_bits) * token_bits for size in range(SHORT)]


class _Source:
    """The bits of tokens, as bytes. A window of tokens that are not whole bytes may begin at any of the eight bits.

    Blocks of tokens are converted, once for each of these places. Converting every window by itself takes ten times as
    long as zlib does with a short one; converting all tokens at once, eight times their memory.
    """

    def __init__(self, tokens: npt.NDArray[np.integer], token_bits: int) -> None:
        self._tokens, self._token_bits = tokens, token_bits
        self._first = self._last = 0
        self._shifted: list[bytes] = []

    def block(self, start: int, step: int) -> tuple[int, int, list[bytes]]:
        """(first token, token behind the last, bytes starting at each of the eight bits) of a block.

        It holds the `step` tokens that begin with `start`, or all that there are.
        """
        if start < self._first or start + step > self._last < len(self._tokens) or not self._shifted:
            self._convert(start, step)
        return self._first, self._last, self._shifted

    def cut(self, start: int, end: int, step: int) -> bytes:
        """The bytes of the tokens from `start`, of `step` or up to `end`; what is behind the last counts as zeros."""
        stop, size = min(start + step, end), self._token_bits
        if not self._first <= start <= stop <= self._last:
            return bytes_of_tokens(self._tokens[start:stop], size)
        low, bits = (start - self._first) * size, (stop - start) * size
        piece = self._shifted[low & 7][low >> 3 : (low >> 3) + (bits + 7 >> 3)]
        return piece[:-1] + bytes([piece[-1] & 256 - (1 << -bits % 8)]) if bits % 8 else piece

    def _convert(self, start: int, step: int) -> None:
        size, self._first = self._token_bits, start - start % 8  # a token that begins with a byte
        self._last = min(self._first + max(BLOCK, 2 * step), len(self._tokens))
        tokens, apart = self._tokens[self._first : self._last], math.gcd(size, 8)
        if apart == 8:
            self._shifted = [bytes_of_tokens(tokens, size)] * 8
            return
        rows = np.empty((8, len(tokens) * size // 64 + 2), np.uint64)
        shift_into(tokens, size, apart, rows)
        self._shifted = [rows[shift].astype(">u8").tobytes() if shift % apart == 0 else b"" for shift in range(8)]
