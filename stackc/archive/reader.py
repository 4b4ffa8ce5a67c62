"""Reads the frame of a `.stk` file: in order from a stream, or block by block through its index.

Nothing here decodes: payloads are returned with their headers, after their checks were verified. A block that is
missing, repeated, swapped or from another file is an error that names it.

Two readers and not one: a pipe cannot be searched for its index, and a range of a large file must not read all of it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from typing import IO

import attrs
import numpy as np

from stackc.api.arrays import Int64
from stackc.api.errors import ContainerError
from stackc.api.messages import amount
from stackc.api.offsets import offsets_of
from stackc.api.streams import read_some, read_up_to
from stackc.archive import format as layout
from stackc.archive.format import BlockHeader, Header, Trailer, check

_MARKER_SIZE = 4


@attrs.frozen(kw_only=True)
class Block:
    """A block's header and its payload, which passed its check."""

    header: BlockHeader
    payload: bytes


def read_header(file: IO[bytes]) -> Header:
    """The header, starting at the file's first byte, with the packed stack that may follow it.

    A damaged packed stack raises nothing here, because a stack of the same hash may be found elsewhere: `damage` says
    what is wrong with it.

    Raises:
        ContainerError: the header is missing or damaged, or where the packed stack ends is not known.
    """
    header = read_bare_header(file)
    if header.embedded is None:
        return header
    start = read_up_to(file, layout.EMBEDDED_HEAD_SIZE)
    try:
        head = layout.unpack_embedded_head(start)
    except ContainerError as error:
        if len(start) < layout.EMBEDDED_HEAD_SIZE:
            raise
        raise ContainerError(f"{error}, and it tells where the blocks begin: --salvage finds them") from error
    pack = read_up_to(file, head.size)
    if len(pack) < head.size:
        raise ContainerError("cut off inside the stack in it")
    damage = "" if check(pack) == head.check else "the stack in it is damaged"
    if head.file_id != header.file_id:
        damage = "the stack in it belongs to another file"
    return attrs.evolve(header, embedded=pack, damage=damage)


def read_bare_header(file: IO[bytes]) -> Header:
    """The header alone: `embedded` is b"" if a packed stack follows. Raises `ContainerError` as `read_header` does."""
    start = read_up_to(file, layout.HEADER_SIZE)
    return layout.unpack_header(start + read_up_to(file, layout.header_rest(start)))


class Reader:
    """Reads a stream from its start to its end.

    Args:
        file: positioned at the header; need not be seekable.

    Attributes:
        header: read by the constructor.
        trailer: None until `blocks` has reached its end.

    Raises:
        ContainerError: a header that is missing or damaged. Not a damaged stack in the file, see `read_header`.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.header = read_header(file)
        self.trailer: Trailer | None = None

    def blocks(self) -> Iterator[Block]:
        """Every block in order; then index and trailer are read and compared with the blocks.

        Raises:
            ContainerError: at the first damage, with the number of its block.
        """
        number = done = 0
        sizes = hashlib.sha256()
        short = False
        while True:
            marker = read_up_to(self._file, _MARKER_SIZE)
            if marker[:3] != layout.BLOCK_MARKER:
                break
            block = self._block(marker, number)
            check_place(block.header, self.header, number, done, short)
            yield block
            short = block.header.length < self.header.block_size
            done += block.header.length
            sizes.update(block.header.size.to_bytes(4, "little"))
            number += 1
        if marker != layout.INDEX_MARKER:
            what = "what follows is neither a block nor the index" if marker else "the file is cut off before it"
            raise ContainerError(what, number)
        self._end(marker, number, done, sizes.digest())

    def _block(self, marker: bytes, number: int) -> Block:
        data = marker + read_up_to(self._file, layout.BLOCK_HEADER_SIZE - len(marker))
        header = _block_header(data, number, self.header)
        payload = read_up_to(self._file, header.size)
        return checked_block(header, payload, number)

    def _end(self, marker: bytes, blocks: int, size: int, sizes: bytes) -> None:
        head = marker + read_up_to(self._file, layout.INDEX_HEAD_SIZE - len(marker))
        file_id, listed = layout.unpack_index_head(head)
        if file_id != self.header.file_id or listed != blocks:
            raise ContainerError(
                f"the index lists {amount(listed, 'block')} of file {file_id.hex()}, but {blocks} were read"
            )
        whole = hashlib.sha256(head)
        found = hashlib.sha256()
        left = 4 * blocks
        while left:
            piece = read_up_to(self._file, min(left, 1 << 16))
            if not piece:
                raise ContainerError("cut off inside the index")
            whole.update(piece)
            found.update(piece)
            left -= len(piece)
        trailer = layout.unpack_trailer(read_up_to(self._file, layout.TRAILER_SIZE))
        if whole.digest()[: layout.CHECK_SIZE] != trailer.index_check or found.digest() != sizes:
            raise ContainerError("the index is damaged")
        check_trailer(trailer, self.header, blocks, size)
        if read_some(self._file, 1):
            raise ContainerError("bytes follow the end of the file's content")
        self.trailer = trailer


class Index:
    """Reads blocks of a seekable file by their number, and otherwise only header, index and trailer.

    Attributes:
        header, trailer: as in the file.
        positions: int64[n + 1], where each block starts in the file; the last entry is the end of the last block.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.header = read_header(file)
        begin = file.tell()
        end = file.seek(0, os.SEEK_END)
        if end < begin + layout.INDEX_HEAD_SIZE + layout.TRAILER_SIZE:
            raise ContainerError("the file is cut off: it has no index")
        file.seek(end - layout.TRAILER_SIZE)
        self.trailer = layout.unpack_trailer(read_up_to(file, layout.TRAILER_SIZE))
        at = end - layout.TRAILER_SIZE - layout.index_size(self.trailer.blocks)
        if at < begin + self.trailer.blocks * (layout.BLOCK_HEADER_SIZE + 1):
            raise ContainerError("the index names more blocks than the file has room for")
        file.seek(at)
        index = read_up_to(file, layout.index_size(self.trailer.blocks))
        file_id, blocks = layout.unpack_index_head(index[: layout.INDEX_HEAD_SIZE])
        if check(index) != self.trailer.index_check or blocks != self.trailer.blocks:
            raise ContainerError("the index is damaged")
        if file_id != self.header.file_id:
            raise ContainerError("the index belongs to another file")
        sizes = np.frombuffer(index, "<u4", offset=layout.INDEX_HEAD_SIZE).astype(np.int64)
        self.positions: Int64 = begin + offsets_of(sizes + layout.BLOCK_HEADER_SIZE)
        if int(self.positions[-1]) != at:
            raise ContainerError("the index does not match the blocks")
        expected = -(-self.trailer.size // self.header.block_size)
        check_trailer(self.trailer, self.header, expected, self.trailer.size)

    def blocks(self, first: int, last: int) -> Iterator[Block]:
        """Blocks first .. last - 1. Raises `ContainerError` if one is damaged or not in its place."""
        for number in range(first, last):
            self._file.seek(int(self.positions[number]))
            header = _block_header(read_up_to(self._file, layout.BLOCK_HEADER_SIZE), number, self.header)
            if header.size != self.positions[number + 1] - self.positions[number] - layout.BLOCK_HEADER_SIZE:
                raise ContainerError("its size differs from the index", number)
            block = checked_block(header, read_up_to(self._file, header.size), number)
            offset = number * self.header.block_size
            check_place(header, self.header, number, offset, False)
            if header.length != min(self.header.block_size, self.trailer.size - offset):
                raise ContainerError("its length is wrong for its place", number)
            yield block


def _block_header(data: bytes, number: int, file: Header) -> BlockHeader:
    """The header of block `number` of a file. Raises `ContainerError`, with the number, if it is damaged."""
    try:
        return layout.unpack_block_header(data, file.max_block)
    except ContainerError as error:
        raise ContainerError(str(error), number) from error


def checked_block(header: BlockHeader, payload: bytes, number: int) -> Block:
    """The block. Raises `ContainerError` if the payload is cut off or damaged."""
    if len(payload) < header.size:
        raise ContainerError("cut off inside its payload", number)
    if check(payload) != header.payload_check:
        raise ContainerError("its payload is damaged", number)
    return Block(header=header, payload=payload)


def check_place(block: BlockHeader, header: Header, number: int, offset: int, after_short: bool) -> None:
    """Raise `ContainerError` unless `block` is the one that belongs at `number`, `offset`."""
    if block.file_id != header.file_id:
        raise ContainerError("a block of another file is in its place", number)
    if block.number != number or block.offset != offset:
        raise ContainerError(f"block {block.number} is in its place: blocks were dropped, repeated or swapped", number)
    if block.length > header.block_size or after_short:
        raise ContainerError("it is too long, or follows a shorter block, which can only be the last", number)


def check_trailer(trailer: Trailer, header: Header, blocks: int, size: int) -> None:
    """Raise `ContainerError` unless the trailer belongs to the header and to the blocks between them."""
    if trailer.file_id != header.file_id:
        raise ContainerError("the trailer belongs to another file")
    if trailer.blocks != blocks or trailer.size != size:
        raise ContainerError(
            f"the trailer records {amount(trailer.blocks, 'block')} and {amount(trailer.size, 'byte')}, but {blocks} "
            f"and {size} were read"
        )
