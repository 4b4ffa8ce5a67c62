"""Compressed files, whole and damaged, with what a reader must make of each: its content, or an error."""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
import zlib

import zstandard

ONE, TWO = b"first\n" * 3, b"second\n" * 2
BOTH = ONE + TWO

PACK = {
    ".gz": lambda data: gzip.compress(data, mtime=0),
    ".xz": lzma.compress,
    ".bz2": bz2.compress,
    ".zst": zstandard.ZstdCompressor(write_checksum=True).compress,
}
TOOLS = {".gz": "gzip", ".xz": "xz", ".bz2": "bzip2", ".zst": "zstd"}


def packed_files(packing: str) -> dict[str, tuple[bytes, bytes | None]]:
    """By name: (the bytes of a file, its content; None where the file is an error)."""
    a, b = PACK[packing](ONE), PACK[packing](TWO)
    flipped = b[:-5] + bytes([b[-5] ^ 0xFF]) + b[-4:]
    return {
        "one": (a, ONE),
        "two": (a + b, BOTH),
        "nothing-packed": (PACK[packing](b""), b""),
        "nothing-between": (a + PACK[packing](b"") + b, BOTH),
        "no-bytes": (b"", None),
        "zeros-alone": (bytes(8), None),
        "zeros-first": (bytes(4) + a, None),
        "text": (b"no archive at all", None),
        "text-behind": (a + b"no archive at all", None),
        "byte-behind": (a + b"x", None),
        "text-behind-zeros": (a + bytes(4) + b"x", None),
        "cut": ((a + b)[:-3], None),
        "cut-in-the-first": (a[:-3], None),
        "cut-to-a-byte": (a + b[:1], None),
        "cut-to-five": (a + b[:5], None),
        "second-of-another-kind": (a + bytes([b[0] ^ 1]) + b[1:], None),
        "second-of-no-version": (a + b[:1] + bytes([b[1] ^ 1]) + b[2:], None),
        "second-flipped": (a + flipped, None),
        **{f"zeros-{n}": (a + bytes(n), _padded(packing, n, ONE)) for n in (1, 2, 3, 4, 5, 8, 1 << 17)},
        **{f"zeros-between-{n}": (a + bytes(n) + b, _between(packing, n)) for n in (1, 3, 4, 8, 1 << 17)},
        **_OWN[packing],
    }


def _padded(packing: str, count: int, content: bytes) -> bytes | None:
    """Tapes leave any number of zeros behind a .gz; the format .xz pads to four bytes; the others know no padding."""
    return content if packing == ".gz" or (packing == ".xz" and count % 4 == 0) else None


def _between(packing: str, count: int) -> bytes | None:
    return BOTH if packing == ".xz" and count % 4 == 0 else None


def _gzip(flags: int, more: bytes = b"") -> bytes:
    inner = zlib.compressobj(wbits=-15)
    return (
        struct.pack("<4sIBB", b"\x1f\x8b\x08" + bytes([flags]), 0, 0, 3)
        + more
        + (inner.compress(ONE) + inner.flush() + struct.pack("<II", zlib.crc32(ONE), len(ONE)))
    )


_ALONE = lzma.compress(ONE, lzma.FORMAT_ALONE)
_SKIPPED = b"\x50\x2a\x4d\x18" + struct.pack("<I", 5) + b"hello"
_ZST = PACK[".zst"](ONE)
_OWN: dict[str, dict[str, tuple[bytes, bytes | None]]] = {
    ".gz": {
        "with-a-name": (_gzip(8, b"name\0"), ONE),
        "with-reserved-flags": (_gzip(32), None),
        "of-wrong-length": (_gzip(0)[:-4] + struct.pack("<I", len(ONE) + 1), None),
    },
    ".xz": {
        "no-check": (lzma.compress(ONE, check=lzma.CHECK_NONE), ONE),
        "lzma": (_ALONE, ONE),
        "lzma-and-xz": (_ALONE + lzma.compress(TWO), None),
        "lzma-and-zeros": (_ALONE + bytes(4), None),
        "xz-and-lzma": (lzma.compress(ONE) + _ALONE, None),
    },
    ".bz2": {},
    ".zst": {
        "no-checksum": (zstandard.compress(ONE), ONE),
        "checksum-cut-off": (_ZST[:-4], None),
        "skippable": (_SKIPPED + _ZST + _SKIPPED + PACK[".zst"](TWO) + _SKIPPED, BOTH),
        "skippable-alone": (_SKIPPED, b""),
        "skippable-cut": (_ZST + _SKIPPED[:-2], None),
    },
}
