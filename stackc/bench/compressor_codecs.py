"""Compressors as entrants, one thread each."""

from __future__ import annotations


class ByteCodec:
    """Bytes in, bytes out."""

    vocabulary: int | None = None

    def __init__(self, variant: str) -> None:
        self.level = int(variant)

    def prepare(self, data: bytes) -> bytes:
        return data

    def size(self, encoded: bytes) -> int:
        return len(encoded)

    def restore(self, decoded: bytes) -> bytes:
        return decoded


class Gzip(ByteCodec):
    def encode(self, prepared: bytes) -> bytes:
        import gzip

        return gzip.compress(prepared, self.level, mtime=0)

    def decode(self, encoded: bytes) -> bytes:
        import gzip

        return gzip.decompress(encoded)


class Bzip2(ByteCodec):
    def encode(self, prepared: bytes) -> bytes:
        import bz2

        return bz2.compress(prepared, self.level)

    def decode(self, encoded: bytes) -> bytes:
        import bz2

        return bz2.decompress(encoded)


class Xz(ByteCodec):
    def encode(self, prepared: bytes) -> bytes:
        import lzma

        return lzma.compress(prepared, preset=self.level)

    def decode(self, encoded: bytes) -> bytes:
        import lzma

        return lzma.decompress(encoded)


class Zstd(ByteCodec):
    def encode(self, prepared: bytes) -> bytes:
        import zstandard

        return zstandard.ZstdCompressor(level=self.level).compress(prepared)

    def decode(self, encoded: bytes) -> bytes:
        import zstandard

        return zstandard.ZstdDecompressor().decompress(encoded)


class Brotli(ByteCodec):
    def encode(self, prepared: bytes) -> bytes:
        import brotli

        compressed: bytes = brotli.compress(prepared, quality=self.level)
        return compressed

    def decode(self, encoded: bytes) -> bytes:
        import brotli

        text: bytes = brotli.decompress(encoded)
        return text
