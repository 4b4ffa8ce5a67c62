"""The bytes of a `.stk` file (docs/format.md specifies the same for other programs).

    header | block header, payload | block header, payload | … | index | trailer

A file of format 3 has the stack itself after the header (`pack_embedded`).

All integers are little-endian. A *check* is the first eight bytes of the SHA-256 of some bytes. Everything read is
untrusted: every size is checked against its bound before memory of that size is allocated.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from typing import Any

import attrs

from stackc.api.errors import ContainerError
from stackc.api.models import Portability

FORMAT = 3
"""The highest version that is read. Version 2 has larger blocks and is otherwise version 1, version 3 carries a stack
and is otherwise version 2. Each is written only for files that need it, so that all others are the same as before."""

MAGIC = b"\x89STK\r\n\x1a\n"
"""As in PNG: not ASCII, and damaged by any program that changes line ends or strips the high bit."""

MAX_BLOCK = 1 << 26
"""The most source bytes in a block: it bounds the memory of a decoder."""

SMALL_BLOCK = 1 << 20
"""The same in a file of version 1, and wherever the top model does not code bit by bit: others take many times a
block's size in memory."""

MAX_EMBEDDED = 1 << 24
"""The most bytes of a packed stack in a file: a reader holds it in memory, of pipes too."""

MAX_HOST = 512
MAX_BLOCKS = (1 << 32) - 1

RAW, CODED = 0, 1

NO_TIME = -(1 << 63)
"""In the header, if the modification time of the source is unknown."""

MAX_TIME = (1 << 63) - 1

PORTABILITIES: tuple[Portability, ...] = ("portable", "same-build", "same-machine")

BLOCK_MARKER, INDEX_MARKER, TRAILER_MARKER = b"\xf7BK", b"\xf7IX\x00", b"\xf7EN\x00"
EMBEDDED_MARKER = b"\xf7SK\x00"

_HEADER = struct.Struct("<8sHHI8s32sqBBH")
_BLOCK = struct.Struct("<3sB8sIQII8s8s")
_EMBEDDED = struct.Struct("<4s8sI8s")
_INDEX = struct.Struct("<4s8sI")
_TRAILER = struct.Struct("<4s8sIQ32s8s")
CHECK_SIZE = 8

BLOCK_HEADER_SIZE = _BLOCK.size + CHECK_SIZE
EMBEDDED_HEAD_SIZE = _EMBEDDED.size + CHECK_SIZE
INDEX_HEAD_SIZE = _INDEX.size
TRAILER_SIZE = _TRAILER.size + CHECK_SIZE
HEADER_SIZE = _HEADER.size + CHECK_SIZE
"""Bytes of the header of a portable file; the name of a host adds its length."""


def check(data: bytes) -> bytes:
    """The first eight bytes of the SHA-256 of `data`."""
    return hashlib.sha256(data).digest()[:CHECK_SIZE]


@attrs.frozen
class Header:
    """What a decoder needs before the first block; the fields in the order of the layout.

    Attributes:
        block_size: source bytes in every block but the last, 1 .. 2^26.
        file_id: eight bytes that every block repeats, so that blocks of two files can be distinguished.
        stack: SHA-256 of the stack, see `Stack.sha256`: 32 bytes.
        modified: nanoseconds since 1970, UTC; None if unknown. A time that does not fit (before 1678, after 2261) is
            written as unknown.
        portability: on which machines the models' predictions are the same.
        coder: the `bits_version` of the coder ``arithmetic``, 0 .. 255.
        host: the machine that wrote the file, see `stackc.coding.host.host`; "" for portable files.
        embedded: the packed stack that follows the header; b"" if only the header was read; None: none follows.
        damage: what is wrong with `embedded`, which must not be used then; "": nothing that its check tells.
    """

    block_size: int
    file_id: bytes
    stack: bytes
    modified: int | None
    portability: Portability
    coder: int
    host: str
    embedded: bytes | None = attrs.field(default=None, repr=False)
    damage: str = ""

    @property
    def format(self) -> int:
        """The version of the file: the lowest that allows its blocks, and the stack in it."""
        if self.embedded is not None:
            return 3
        return 1 if self.block_size <= SMALL_BLOCK else 2

    @property
    def max_block(self) -> int:
        """The most source bytes that a block of a file of this version may have."""
        return SMALL_BLOCK if self.format == 1 else MAX_BLOCK

    def pack(self) -> bytes:
        host = self.host.encode()[:MAX_HOST]
        known = self.modified is not None and NO_TIME < self.modified <= MAX_TIME
        fields = self.block_size, self.file_id, self.stack, self.modified if known else NO_TIME
        portability = PORTABILITIES.index(self.portability)
        body = _HEADER.pack(MAGIC, self.format, HEADER_SIZE + len(host), *fields, portability, self.coder, len(host))
        return body + host + check(body + host)


def header_rest(start: bytes) -> int:
    """The bytes of a header after its first `HEADER_SIZE`. Raises `ContainerError` if `start` is not a header."""
    if start[: len(MAGIC)] != MAGIC:
        raise ContainerError("not a .stk file (its first bytes are wrong)")
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
    """The header in `data`, which holds nothing else. Raises `ContainerError` if it is damaged."""
    rest = header_rest(data)
    fields = _checked(_HEADER, data, "the header", extra=rest)
    _, version, *_, block_size, file_id, stack, modified, portability, coder, host_size = fields
    host = data[_HEADER.size : -CHECK_SIZE]
    most = SMALL_BLOCK if version == 1 else MAX_BLOCK
    if not 1 <= block_size <= most or portability >= len(PORTABILITIES) or host_size != len(host):
        raise ContainerError("the header is damaged")
    time = None if modified == NO_TIME else modified
    name = host.decode(errors="replace")
    embedded = b"" if version == 3 else None
    return Header(block_size, file_id, stack, time, PORTABILITIES[portability], coder, name, embedded)


def pack_embedded(file_id: bytes, pack: bytes) -> bytes:
    """The packed stack of a file, as it follows the header."""
    body = _EMBEDDED.pack(EMBEDDED_MARKER, file_id, len(pack), check(pack))
    return body + check(body) + pack


@attrs.frozen
class Embedded:
    """Precedes a packed stack; the fields in the order of the layout.

    Attributes:
        file_id: the same as in the file's header.
        size: bytes of the pack, 1 .. 2^24.
        check: of the pack.
    """

    file_id: bytes
    size: int
    check: bytes


def unpack_embedded_head(data: bytes) -> Embedded:
    """What `data` (`EMBEDDED_HEAD_SIZE` bytes) says of the packed stack. Raises `ContainerError` if it is damaged."""
    marker, *fields = _checked(_EMBEDDED, data, "the head of the stack in the file")
    found = Embedded(*fields)
    if marker != EMBEDDED_MARKER or not 1 <= found.size <= MAX_EMBEDDED:
        raise ContainerError("the head of the stack in the file is damaged")
    return found


@attrs.frozen
class BlockHeader:
    """Precedes every payload; enough to decode the block if the rest of the file is lost. Fields as in the layout.

    Attributes:
        coded: the payload was coded with the stack; False: the payload is the source bytes themselves.
        file_id: the same as in the file's header.
        number: 0 for the first block.
        offset: where the block's source bytes start in the original.
        length: source bytes, 1 .. 2^26.
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
        coded, *fields = attrs.astuple(self)
        body = _BLOCK.pack(BLOCK_MARKER, CODED if coded else RAW, *fields)
        return body + check(body)


def unpack_block_header(data: bytes, most: int = MAX_BLOCK) -> BlockHeader:
    """The block header in `data` (`BLOCK_HEADER_SIZE` bytes), of a block of at most `most` source bytes.

    Raises:
        ContainerError: it is damaged.
    """
    marker, kind, *fields = _checked(_BLOCK, data, "the block header")
    block = BlockHeader(kind == CODED, *fields)
    wrong_size = not 1 <= block.size <= block.length <= most or (kind == RAW and block.size != block.length)
    if marker != BLOCK_MARKER or kind not in (RAW, CODED) or wrong_size or block.offset >= 1 << 62:
        raise ContainerError("the block header is damaged")
    return block


def pack_index(file_id: bytes, sizes: bytes, blocks: int) -> bytes:
    """The index: `sizes` holds the payload size of every block, four bytes each."""
    return _INDEX.pack(INDEX_MARKER, file_id, blocks) + sizes


def unpack_index_head(data: bytes) -> tuple[bytes, int]:
    """(file id, number of blocks) from the first `INDEX_HEAD_SIZE` bytes of an index."""
    if len(data) < INDEX_HEAD_SIZE:
        raise ContainerError("cut off inside the index")
    marker, file_id, blocks = _INDEX.unpack(data)
    if marker != INDEX_MARKER:
        raise ContainerError("the index is damaged")
    return file_id, blocks


@attrs.frozen
class Trailer:
    """The end of the file; the fields in the order of the layout.

    Attributes:
        file_id: the same as in the file's header.
        blocks: the number of blocks.
        size: source bytes.
        sha256: hash of all source bytes.
        index_check: check of the index, from its marker to its end.
    """

    file_id: bytes
    blocks: int
    size: int
    sha256: bytes
    index_check: bytes

    def pack(self) -> bytes:
        body = _TRAILER.pack(TRAILER_MARKER, *attrs.astuple(self))
        return body + check(body)


def unpack_trailer(data: bytes) -> Trailer:
    """The trailer in `data` (`TRAILER_SIZE` bytes). Raises `ContainerError` if it is damaged."""
    marker, *fields = _checked(_TRAILER, data, "the trailer")
    trailer = Trailer(*fields)
    if marker != TRAILER_MARKER or trailer.size > trailer.blocks * MAX_BLOCK:
        raise ContainerError("the trailer is damaged")
    return trailer


def index_size(blocks: int) -> int:
    """Bytes of the index of a file of `blocks` blocks."""
    return INDEX_HEAD_SIZE + 4 * blocks


def _checked(layout: struct.Struct, data: bytes, what: str, extra: int = 0) -> tuple[Any, ...]:
    """The fields of `layout`; `extra` bytes stand between them and the check that ends `data`."""
    if len(data) < layout.size + extra + CHECK_SIZE:
        raise ContainerError(f"cut off inside {what}")
    if check(data[:-CHECK_SIZE]) != data[-CHECK_SIZE:]:
        raise ContainerError(f"{what} is damaged")
    return layout.unpack_from(data)


Report = Callable[[int], None]
"""Receives the source bytes processed since the last call, for progress."""
