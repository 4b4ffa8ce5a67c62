"""The bytes of a `.stk` file (docs/format.md says the same for other programs).

    header | block header, payload | block header, payload | … | index | trailer

All integers are little-endian. A *check* is the first eight bytes of the SHA-256 of some bytes. Everything read is
untrusted: every size is held against its bound before anything of that size is allocated.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from typing import Any

import attrs

from stackc.api.errors import ContainerError
from stackc.api.models import Portability

FORMAT = 1

MAGIC = b"\x89STK\r\n\x1a\n"
"""As in PNG: not ASCII, and broken by anything that changes line ends or strips the high bit."""

MAX_BLOCK = 1 << 20
"""Source bytes in a block, at most: what a decoder holds at once is bounded by it."""

MAX_HOST = 512
MAX_BLOCKS = (1 << 32) - 1

RAW, CODED = 0, 1

NO_TIME = -(1 << 63)
"""In the header, where the time of the source is not known."""

MAX_TIME = (1 << 63) - 1

PORTABILITIES: tuple[Portability, ...] = ("portable", "same-build", "same-machine")

BLOCK_MARKER, INDEX_MARKER, TRAILER_MARKER = b"\xf7BK", b"\xf7IX\x00", b"\xf7EN\x00"

_HEADER = struct.Struct("<8sHHI8s32sqBBH")
_BLOCK = struct.Struct("<3sB8sIQII8s8s")
_INDEX = struct.Struct("<4s8sI")
_TRAILER = struct.Struct("<4s8sIQ32s8s")
CHECK_SIZE = 8

BLOCK_HEADER_SIZE = _BLOCK.size + CHECK_SIZE
INDEX_HEAD_SIZE = _INDEX.size
TRAILER_SIZE = _TRAILER.size + CHECK_SIZE
HEADER_SIZE = _HEADER.size + CHECK_SIZE
"""Of a portable file; a host adds its length."""


def check(data: bytes) -> bytes:
    """The first eight bytes of the SHA-256 of `data`."""
    return hashlib.sha256(data).digest()[:CHECK_SIZE]


@attrs.frozen(kw_only=True)
class Header:
    """What decoding needs to know before the first block.

    Attributes:
        block_size: source bytes in every block but the last, 1 .. 2^20.
        file_id: eight bytes that every block repeats, so that blocks of two files are told apart.
        stack: SHA-256 of the stack, as `Stack.sha256`: 32 bytes.
        modified: nanoseconds since 1970, UTC; None where not known. A time that does not fit (before 1678, after 2261)
            is written as not known.
        portability: how far the models' answers travel.
        coder: the `bits_version` of the coder ``arithmetic``, 0 .. 255.
        host: where the file was written, as `stackc.coding.host.host` says it; "" for portable files.
    """

    block_size: int
    file_id: bytes
    stack: bytes
    modified: int | None
    portability: Portability
    coder: int
    host: str

    def pack(self) -> bytes:
        host = self.host.encode()[:MAX_HOST]
        body = _HEADER.pack(
            MAGIC,
            FORMAT,
            HEADER_SIZE + len(host),
            self.block_size,
            self.file_id,
            self.stack,
            NO_TIME if self.modified is None or not NO_TIME < self.modified <= MAX_TIME else self.modified,
            PORTABILITIES.index(self.portability),
            self.coder,
            len(host),
        )
        return body + host + check(body + host)


def header_rest(start: bytes) -> int:
    """How many bytes of a header follow its first `HEADER_SIZE`. Raises `ContainerError` for what is no header."""
    if start[: len(MAGIC)] != MAGIC:
        raise ContainerError("not a .stk file (its first bytes are not those of one)")
    if len(start) < HEADER_SIZE:
        raise ContainerError("cut off inside the header")
    version, size = struct.unpack_from("<HH", start, len(MAGIC))
    if version > FORMAT:
        raise ContainerError(
            f"a .stk file of format {version}; this stackc reads up to {FORMAT}: pip install --upgrade stackc"
        )
    if version < 1 or not HEADER_SIZE <= size <= HEADER_SIZE + MAX_HOST:
        raise ContainerError("the header is damaged")
    return int(size) - HEADER_SIZE


def unpack_header(data: bytes) -> Header:
    """The header in `data`, all of it. Raises `ContainerError` where it is damaged."""
    rest = header_rest(data)
    fields = _checked(_HEADER, data, "the header", extra=rest)
    _, _, _, block_size, file_id, stack, modified, portability, coder, host_size = fields
    host = data[_HEADER.size : -CHECK_SIZE]
    if not 1 <= block_size <= MAX_BLOCK or portability >= len(PORTABILITIES) or host_size != len(host):
        raise ContainerError("the header is damaged")
    return Header(
        block_size=block_size,
        file_id=file_id,
        stack=stack,
        modified=None if modified == NO_TIME else modified,
        portability=PORTABILITIES[portability],
        coder=coder,
        host=host.decode(errors="replace"),
    )


@attrs.frozen(kw_only=True)
class BlockHeader:
    """What stands before every payload; enough to decode the block when all else of the file is lost.

    Attributes:
        coded: the payload is the stack's code; False: the payload is the source bytes themselves.
        file_id: that of the file's header.
        number: 0 for the first.
        offset: where the block's source bytes start in the original.
        length: source bytes, 1 .. 2^20.
        size: payload bytes, 1 .. length.
        payload_check, source_check: checks of the payload and of the source bytes.
    """

    coded: bool
    file_id: bytes
    number: int
    offset: int
    length: int
    size: int
    payload_check: bytes
    source_check: bytes

    def pack(self) -> bytes:
        body = _BLOCK.pack(
            BLOCK_MARKER,
            CODED if self.coded else RAW,
            self.file_id,
            self.number,
            self.offset,
            self.length,
            self.size,
            self.payload_check,
            self.source_check,
        )
        return body + check(body)


def unpack_block_header(data: bytes) -> BlockHeader:
    """The block header in `data` (`BLOCK_HEADER_SIZE` bytes). Raises `ContainerError` where it is damaged."""
    fields = _checked(_BLOCK, data, "the block header")
    marker, kind, file_id, number, offset, length, size, payload_check, source_check = fields
    wrong_size = not 1 <= size <= length <= MAX_BLOCK or (kind == RAW and size != length)
    if marker != BLOCK_MARKER or kind not in (RAW, CODED) or wrong_size or offset >= 1 << 62:
        raise ContainerError("the block header is damaged")
    return BlockHeader(
        coded=kind == CODED,
        file_id=file_id,
        number=number,
        offset=offset,
        length=length,
        size=size,
        payload_check=payload_check,
        source_check=source_check,
    )


def pack_index(file_id: bytes, sizes: bytes, blocks: int) -> bytes:
    """The index: `sizes` holds the payload size of every block, four bytes each."""
    return _INDEX.pack(INDEX_MARKER, file_id, blocks) + sizes


def unpack_index_head(data: bytes) -> tuple[bytes, int]:
    """(file id, number of blocks) of an index's first `INDEX_HEAD_SIZE` bytes."""
    if len(data) < INDEX_HEAD_SIZE:
        raise ContainerError("cut off inside the index")
    marker, file_id, blocks = _INDEX.unpack(data)
    if marker != INDEX_MARKER:
        raise ContainerError("the index is damaged")
    return file_id, blocks


@attrs.frozen(kw_only=True)
class Trailer:
    """The end of the file.

    Attributes:
        file_id: that of the file's header.
        blocks: how many there are.
        size: source bytes.
        sha256: of all source bytes.
        index_check: check of the index, from its marker to its end.
    """

    file_id: bytes
    blocks: int
    size: int
    sha256: bytes
    index_check: bytes

    def pack(self) -> bytes:
        body = _TRAILER.pack(TRAILER_MARKER, self.file_id, self.blocks, self.size, self.sha256, self.index_check)
        return body + check(body)


def unpack_trailer(data: bytes) -> Trailer:
    """The trailer in `data` (`TRAILER_SIZE` bytes). Raises `ContainerError` where it is damaged."""
    marker, file_id, blocks, size, sha256, index_check = _checked(_TRAILER, data, "the trailer")
    if marker != TRAILER_MARKER or size > blocks * MAX_BLOCK:
        raise ContainerError("the trailer is damaged")
    return Trailer(file_id=file_id, blocks=blocks, size=size, sha256=sha256, index_check=index_check)


def index_size(blocks: int) -> int:
    """Bytes of the index of so many blocks."""
    return INDEX_HEAD_SIZE + 4 * blocks


def _checked(layout: struct.Struct, data: bytes, what: str, extra: int = 0) -> tuple[Any, ...]:
    """The fields of `layout`; `extra` bytes stand between them and the check that ends `data`."""
    if len(data) < layout.size + extra + CHECK_SIZE:
        raise ContainerError(f"cut off inside {what}")
    if check(data[:-CHECK_SIZE]) != data[-CHECK_SIZE:]:
        raise ContainerError(f"{what} is damaged")
    return layout.unpack_from(data)


Report = Callable[[int], None]
"""Told how many source bytes were done since the last call, for progress."""
