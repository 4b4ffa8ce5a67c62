"""Gzip symbol by symbol, as it was before it coded whole windows: slow, and the oracle of what it writes now."""

from __future__ import annotations

import zlib

import numpy as np

from stackc.api import BitSource, CodingError, Frequencies, Int64, Window

READ_BYTES = 512


class GzipBySymbol:
    """Codes windows as zlib streams (`stackc.api.Coder`). Symbols are big-endian, of as many bytes as A - 1 needs.

    Args:
        level: zlib's effort, 1 to 9.
    """

    def __init__(self, level: int = 6) -> None:
        self._level = level

    def encoder(self, window: Window) -> GzipEncoder:
        _check(window)
        return GzipEncoder(window, self._level)

    def decoder(self, window: Window, bits: BitSource) -> GzipDecoder:
        _check(window)
        return GzipDecoder(window, bits)


class GzipEncoder:
    """Gathers a window's symbols, and compresses them when it closes."""

    def __init__(self, window: Window, level: int) -> None:
        self._level, self._width = level, symbol_bytes(window.alphabet)
        self._text = bytearray()

    def add(self, freqs: Frequencies | None, symbol: int) -> bool:
        self._text += symbol.to_bytes(self._width, "big")
        return True

    def close(self, full: bool) -> tuple[int, int]:
        stream = zlib.compress(self._text, self._level)
        return int.from_bytes(stream, "big"), 8 * len(stream)


class GzipDecoder:
    """Inflates a whole window when its first symbol is asked for, never more of it than the symbol budget."""

    def __init__(self, window: Window, bits: BitSource) -> None:
        self._window, self._bits = window, bits
        self._symbols: list[int] | None = None
        self._at = self._used = 0

    def next(self, freqs: Frequencies | None) -> int | None:
        if self._symbols is None:
            self._symbols = self._inflate().tolist()
        if self._at == len(self._symbols):
            return None
        self._at += 1
        return self._symbols[self._at - 1]

    def used(self, full: bool) -> int:
        return self._used

    def _inflate(self) -> Int64:
        """The window's symbols: int64[n], n <= the symbol budget."""
        width = symbol_bytes(self._window.alphabet)
        limit = self._window.symbols * width
        inflater, text = zlib.decompressobj(), bytearray()
        while not inflater.eof:
            count = min(READ_BYTES, -(-self._bits.left // 8))
            if count <= 0:
                raise CodingError("a gzip window is cut off: its zlib stream does not end within the tokens")
            self._used += 8 * count
            piece = self._bits.read(8 * count).to_bytes(count, "big")
            while (piece or inflater.unconsumed_tail) and not inflater.eof:
                try:
                    text += inflater.decompress(piece, limit + 1 - len(text))
                except zlib.error as error:
                    raise CodingError(f"a gzip window is damaged: {error}") from error
                if len(text) > limit:
                    raise CodingError(f"a gzip window of more than {self._window.symbols} symbols")
                piece = inflater.unconsumed_tail
        self._used -= 8 * len(inflater.unused_data)
        return _symbols(bytes(text), width, self._window.alphabet)


def symbol_bytes(alphabet: int) -> int:
    """Bytes per symbol: as many as the largest needs, at least one."""
    return max(1, -(-(alphabet - 1).bit_length() // 8))


def _symbols(text: bytes, width: int, alphabet: int) -> Int64:
    if len(text) % width:
        raise CodingError(
            f"a gzip window of {len(text)} bytes, which is not a multiple of {width}, the bytes per symbol"
        )
    digits = np.frombuffer(text, np.uint8).reshape(-1, width).astype(np.int64)
    symbols = digits @ (256 ** np.arange(width - 1, -1, -1, dtype=np.int64))
    if len(symbols) and int(symbols.max()) >= alphabet:
        raise CodingError(f"a gzip window with symbol {int(symbols.max())}, outside the alphabet of {alphabet}")
    return symbols


def _check(window: Window) -> None:
    if window.bits is not None:
        raise CodingError(f"gzip cannot obey a bit budget of {window.bits}; use fixed-token or whole windows")
