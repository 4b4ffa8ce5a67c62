"""A zlib stream per window. The stream marks its own end; no model, no bit budget.

The codes depend on the zlib that Python was built with; any zlib decodes them.
"""

from __future__ import annotations

import itertools
import math
import zlib
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from stackc.api import CodingError, Int64, Symbols, Tokens, Window, bytes_of_tokens, tokens_of_bytes

Piece: TypeAlias = "memoryview"
Inflater: TypeAlias = "Any"  # of zlib.decompressobj, whose type has no public name

FIRST = 512
"""Tokens given to zlib at once for a first window; a multiple of 8, so that they are whole bytes. Later windows are
expected to be about as long as the one before: what is given too much is copied in vain, what is missing costs a call.
"""


BLOCK = 1 << 14
"""Tokens that are converted to bytes together, twice as many."""


class Source(Protocol):
    """The bytes of tokens first..last - 1, from the first bit of the first token on."""

    def __getitem__(self, which: slice) -> Piece: ...


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
        token_bits, width = self._window.token_bits, self._width
        source, new = _source(tokens, token_bits), zlib.decompressobj
        texts, counts, room = [b""], [], most * width
        # One more than the budget: reaching it is an error, and 0 would be no limit to zlib.
        limit, step = self._window.symbols * width + 1, FIRST
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            at, before = start, room
            while at < end:  # a short window takes zlib a microsecond: what is done here counts
                inflater, piece = new(), source[at : at + step if at + step < end else end]
                try:
                    text = inflater.decompress(piece, limit)
                except zlib.error as error:
                    raise CodingError(f"a gzip window is damaged: {error}") from error
                used = piece.nbytes - len(inflater.unused_data)
                if not inflater.eof:
                    text, used = self._rest(inflater, text, source, at + step, end, used)
                size = len(text)
                if size == limit or size % width:
                    raise self._wrong(size)
                room -= size
                if room < 0:
                    raise CodingError(f"gzip windows that decode to more than the expected {most} symbols")
                texts.append(text)
                count = -(-8 * used // token_bits)
                at += count
                step = 8 * (count // 6 + 4)  # tokens of whole bytes, a third more than this window had
            counts.append((before - room) // width)
        return self._symbols(b"".join(texts)), np.array(counts, np.int64)

    def _rest(
        self, inflater: Inflater, text: bytes, source: Source, at: int, end: int, given: int
    ) -> tuple[bytes, int]:
        """A window that needs more than its first bytes: its text, and the bytes of its stream."""
        texts, room, step = [text], self._window.symbols * self._width + 1 - len(text), FIRST
        while room and not inflater.eof:
            piece: Piece = memoryview(inflater.unconsumed_tail)
            if not piece.nbytes:
                if at >= end:
                    raise CodingError("a gzip window is cut off: its zlib stream does not end within the tokens")
                piece = source[at : min(at + step, end)]
                at, step, given = at + step, 2 * step, given + piece.nbytes
            try:
                texts.append(inflater.decompress(piece, room))
            except zlib.error as error:
                raise CodingError(f"a gzip window is damaged: {error}") from error
            room -= len(texts[-1])
        return b"".join(texts), given - len(inflater.unused_data)

    def _wrong(self, size: int) -> CodingError:
        """The error for a window whose text has this many bytes."""
        if size > self._window.symbols * self._width:
            return CodingError(f"a gzip window of more than {self._window.symbols} symbols")
        return CodingError(
            f"a gzip window of {size} bytes, which is not a multiple of {self._width}, the bytes per symbol"
        )

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


def _source(tokens: npt.NDArray[np.integer], token_bits: int) -> Source:
    """The bits of tokens, as bytes; tokens of whole bytes are converted once."""
    if token_bits == 8:
        return memoryview(tokens.astype(np.uint8))  # type: ignore[arg-type]
    return memoryview(tokens.astype(">u2")) if token_bits == 16 else _Bits(tokens, token_bits)  # type: ignore[arg-type]


class _Bits:
    """Tokens that are not whole bytes. A window may begin at any of the eight bits of a byte.

    Blocks of tokens are converted, once for each of these places. Converting every window by itself takes ten times as
    long as zlib does with a short one; converting all tokens at once, eight times their memory.
    """

    def __init__(self, tokens: npt.NDArray[np.integer], token_bits: int) -> None:
        self._tokens, self._token_bits = tokens, token_bits
        self._first = self._last = 0  # the tokens of the block; below, its bytes starting at each bit of the first
        self._shifted: list[Piece] = [memoryview(b"")] * 8

    def __getitem__(self, which: slice) -> Piece:
        start, stop, size = which.start, which.stop, self._token_bits
        if stop - start > BLOCK:
            return memoryview(bytes_of_tokens(self._tokens[which], size))
        if not self._first <= start <= stop <= self._last:
            self._convert(start)
        low, bits = (start - self._first) * size, (stop - start) * size
        piece: Piece = self._shifted[low & 7][low >> 3 : (low >> 3) + (bits + 7 >> 3)]
        if bits % 8:  # what is behind the last token counts as zeros
            last = bytearray(piece)
            last[-1] &= 256 - (1 << -bits % 8)
            piece = memoryview(last)
        return piece

    def _convert(self, start: int) -> None:
        """Convert a block that begins with token `start`, or up to seven before it: with a byte."""
        self._first = start - start % 8
        self._last = min(self._first + 2 * BLOCK, len(self._tokens))
        data = bytes_of_tokens(self._tokens[self._first : self._last], self._token_bits)
        block = np.frombuffer(data + b"\0", np.uint8)
        for shift in range(0, 8, math.gcd(self._token_bits, 8)):
            moved = block[:-1] << shift | block[1:] >> (8 - shift) if shift else block[:-1]
            self._shifted[shift] = memoryview(moved)  # type: ignore[arg-type]
