"""Compressed files, unpacked as a stream and to their last byte: what their own tools refuse is an error here."""

from __future__ import annotations

import bz2
import lzma
import sys
import zlib
from collections.abc import Iterator
from typing import IO, Any

from stackc.api.errors import CorpusError

PACKED = 1 << 16
"""Compressed bytes that are read at once."""

UNPACKED = 1 << 20
"""Bytes of the longest piece; before Python 3.14, those of .zst may be longer by what 4 KiB unpack to."""

ZST_WINDOW = 31
"""zstd itself reads windows of at most 2^31 bytes."""

_XZ = b"\xfd"
"""How a .xz begins; a .lzma, which the tool takes under this name too, does not."""


class _Damage(Exception):
    """The damage of a compressed file."""


def unpacked(raw: IO[bytes], packing: str, name: str, zst_window: int = ZST_WINDOW) -> Iterator[bytes]:
    """The content of a compressed file, of all its streams (members, frames), in pieces.

    A stream must be followed by another one, or padding where the format has any: a damaged stream is never taken for
    the end of the file.

    Args:
        raw: the file, open for reading.
        packing: ".gz", ".xz", ".bz2" or ".zst".
        name: of the file, for messages.
        zst_window: 2^this bytes are the longest window of a .zst file that is read, and the memory that it may take.

    Raises:
        CorpusError: the file is empty, cut off or damaged, or needs a package or memory that is not there.
    """
    source, number, start = _Source(raw), 0, 0
    try:
        while _begins(source, packing, number):
            number, start = number + 1, source.at
            yield from _content(source, _decompressor(packing, source.held, name, number, zst_window))
    except MemoryError as error:  # files of .xz and .zst say how much it takes
        raise CorpusError(f"{name}: unpacking it takes more memory than there is; compress it with less") from error
    except _Damage as damage:
        if "too much memory" in str(damage):  # libzstd has no other way to tell it
            raise CorpusError(_long_window(name, zst_window)) from damage
        where = f", in stream {number}, which begins at byte {start}" if number > 1 else ""
        raise CorpusError(f"{name}: damaged {packing} file ({damage}{where}); copy or compress it again") from damage


def _long_window(name: str, limit: int) -> str:
    other = f"set corpus.zst_window to {limit + 1} or more, or " if limit < ZST_WINDOW else ""
    return f"{name}: its window is longer than 2^{limit} bytes; {other}compress it again with `zstd --long=27`"


class _Source:
    """A file that is read ahead: `held` is what was read and not yet used, `at` its place in the file."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self._read = 0
        self.held = b""
        self.more()
        self.first = self.held[:1]

    @property
    def at(self) -> int:
        return self._read - len(self.held)

    def more(self) -> bool:
        """Have something at hand, unless the file ends here."""
        if not self.held:
            self.held = self._raw.read(PACKED)
            self._read += len(self.held)
        return bool(self.held)

    def take(self) -> bytes:
        taken, self.held = self.held, b""
        return taken

    def skip_zeros(self) -> int:
        """Pass over zero bytes, and say how many there were."""
        count = 0
        while self.more():
            rest = self.held.lstrip(b"\0")
            count += len(self.held) - len(rest)
            self.held = rest
            if rest:
                break
        return count


def _begins(source: _Source, packing: str, number: int) -> bool:
    """Whether another stream follows the first `number`; passes over the padding that may stand between."""
    if number == 0:
        if not source.more():
            raise _Damage("it has no bytes")
        return True
    if packing == ".xz" and source.first != _XZ and source.more():
        raise _Damage(f"something follows its end, from byte {source.at}")  # a .lzma is one stream
    # Blocks of zeros: xz has them in its format, tapes leave them behind .gz files.
    zeros = source.skip_zeros() if packing in (".xz", ".gz") else 0
    if packing == ".xz" and zeros % 4:
        raise _Damage(f"{zeros} zero bytes of padding end at byte {source.at}, no multiple of 4")
    if packing == ".gz" and zeros and source.more():
        raise _Damage(f"something follows the {zeros} zero bytes that end at byte {source.at}")
    return source.more()


def _content(source: _Source, stream: Any) -> Iterator[bytes]:
    """The content of one stream; the source is left where the stream ends."""
    while not stream.eof:
        packed = b""
        if stream.needs_input:
            if not source.more():
                raise _Damage("it ends in the middle of a stream")
            packed = source.take()
        try:
            piece = stream.decompress(packed, UNPACKED)
        except MemoryError:
            raise
        except Exception as error:  # each library has a class of its own for damage
            raise _Damage(" ".join(str(error).split())) from error
        if piece:
            yield piece
    source.held = stream.unused_data


def _decompressor(packing: str, begin: bytes, name: str, number: int, zst_window: int) -> Any:
    """An unpacker of one stream, with the attributes that `lzma.LZMADecompressor` has."""
    if packing == ".gz":
        return _Inflater()
    if packing == ".bz2":
        return bz2.BZ2Decompressor()
    if packing == ".xz":
        return lzma.LZMADecompressor(lzma.FORMAT_AUTO if number == 1 else lzma.FORMAT_XZ)
    if sys.version_info >= (3, 14):
        from compression import zstd

        return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: zst_window})
    return _Frame(name, zst_window)


class _Inflater:
    """A member of a .gz file. zlib compares its checksum and length, and those of its header."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def decompress(self, packed: bytes, most: int) -> bytes:
        piece = self._stream.decompress(packed or self._stream.unconsumed_tail, most)
        self.needs_input = len(piece) < most and not self._stream.unconsumed_tail
        return piece


class _Frame:
    """A frame of a .zst file, by the package zstandard.

    It unpacks all that it is given, however much that is: it is given less if the text is dense.
    """

    least, most = 1 << 6, 1 << 12

    def __init__(self, name: str, window: int) -> None:
        try:
            import zstandard
        except ImportError:
            raise CorpusError(f"{name}: reading .zst needs a package: pip install 'stackc[zstd]'") from None
        self._frame = zstandard.ZstdDecompressor(max_window_size=1 << window).decompressobj()
        self._size = self.least
        self._held, self._at = b"", 0
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return bool(self._frame.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._frame.unused_data) + self._held[self._at :]

    def decompress(self, packed: bytes, most: int) -> bytes:
        if packed:
            self._held, self._at = packed, 0
        given = self._held[self._at : self._at + self._size]
        self._at += len(given)
        self.needs_input = self._at == len(self._held)
        piece = bytes(self._frame.decompress(given))
        dense = len(piece) > most // 2
        self._size = max(self.least, self._size // 4) if dense else min(self.most, 2 * self._size)
        return piece
