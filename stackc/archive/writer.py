"""Writes a `.stk` file from a stream, batch by batch: memory is bounded by a batch, never by the file."""

from __future__ import annotations

import hashlib
import sys
from array import array
from collections.abc import Iterator
from typing import IO

import attrs

from stackc.api.errors import PartError, StackcError
from stackc.api.streams import read_up_to, write_all
from stackc.archive.codec import BlockCodec
from stackc.archive.format import (
    MAX_BLOCK,
    MAX_BLOCKS,
    BlockHeader,
    Header,
    Report,
    Trailer,
    check,
    pack_index,
)
from stackc.coding.host import host

BLOCK_SIZE = 1 << 16
"""Source bytes in a block, unless asked otherwise: longer blocks shrink more, shorter ones are found faster."""

BATCH_BYTES = 1 << 21
"""Source bytes that are coded, and held, at once."""

BATCH_BLOCKS = 1 << 12
"""Blocks in a batch, at most: tiny ones cost more than their bytes."""

ID_BYTES = 1 << 20
"""Source bytes that the file's id is made from, so that the same file and stack give the same bytes again."""


@attrs.frozen(kw_only=True)
class Written:
    """What `compress` made.

    Attributes:
        size: source bytes.
        written: bytes of the `.stk` file.
        blocks: how many; `raw` of them are stored as they are because they would not shrink.
        failed: blocks stored as they are because they did not decode back; 0 unless something is wrong.
        sha256: of the source, hexadecimal.
    """

    size: int
    written: int
    blocks: int
    raw: int
    failed: int
    sha256: str


def compress(
    codec: BlockCodec,
    stack: bytes,
    coder_version: int,
    source: IO[bytes],
    target: IO[bytes],
    *,
    block_size: int = BLOCK_SIZE,
    verify: bool = True,
    modified: int | None = None,
    report: Report = lambda done: None,
) -> Written:
    """Read `source` to its end and write it to `target` as a `.stk` file. Neither needs to be seekable.

    Args:
        codec: codes the blocks.
        stack: SHA-256 of the stack, 32 bytes.
        coder_version: `bits_version` of the coder ``arithmetic``.
        block_size: source bytes in a block, 1 .. 2^20.
        verify: decode every batch and compare, before it is written; what differs is stored as it is.
        modified: nanoseconds since 1970, kept in the header.
        report: told the source bytes done.

    Raises:
        StackcError: a block size out of range, or more than 2^32 - 1 blocks.
    """
    if not 1 <= block_size <= MAX_BLOCK:
        raise StackcError(f"blocks of {block_size} bytes; they may have 1 to {MAX_BLOCK}")
    pieces = _Pieces(source, block_size)
    portability = codec.portability
    bare = Header(
        block_size=block_size,
        file_id=bytes(8),
        stack=stack,
        modified=modified,
        portability=portability,
        coder=coder_version,
        host=host(portability),
    )
    header = attrs.evolve(bare, file_id=check(bare.pack() + pieces.begin()))
    written = write_all(target, header.pack())
    sizes = array("I")
    assert sizes.itemsize == 4, "four bytes a block in the index"
    whole = hashlib.sha256()
    done = raw = failed = 0
    for batch in pieces.batches():
        coded = codec.encode(batch, verify=not verify)
        wrong = _wrong(codec, batch, coded) if verify else set()
        failed += len(wrong)
        for i, block in enumerate(batch):
            payload = None if i in wrong else coded[i]
            stored = block if payload is None else payload
            raw += payload is None
            if len(sizes) == MAX_BLOCKS:
                raise StackcError(f"more than {MAX_BLOCKS} blocks; take larger ones (--block-size)")
            block_header = BlockHeader(
                coded=payload is not None,
                file_id=header.file_id,
                number=len(sizes),
                offset=done,
                length=len(block),
                size=len(stored),
                payload_check=check(stored),
                source_check=check(block),
            )
            written += write_all(target, block_header.pack()) + write_all(target, stored)
            sizes.append(len(stored))
            whole.update(block)
            done += len(block)
            report(len(block))
    index = pack_index(header.file_id, _little_endian(sizes), len(sizes))
    trailer = Trailer(
        file_id=header.file_id, blocks=len(sizes), size=done, sha256=whole.digest(), index_check=check(index)
    )
    written += write_all(target, index) + write_all(target, trailer.pack())
    return Written(
        size=done, written=written, blocks=len(sizes), raw=raw - failed, failed=failed, sha256=whole.hexdigest()
    )


def _wrong(codec: BlockCodec, batch: list[bytes], coded: list[bytes | None]) -> set[int]:
    """The blocks of a batch that do not decode back."""
    chosen = [i for i, payload in enumerate(coded) if payload is not None]
    if not chosen:
        return set()
    back = codec.decode([coded[i] or b"" for i in chosen], [len(batch[i]) for i in chosen])
    broken = next((data for data in back if isinstance(data, PartError)), None)
    if broken is not None:
        raise broken  # not damage: these tokens were made a moment ago
    return {i for i, data in zip(chosen, back, strict=True) if data != batch[i]}


class _Pieces:
    """A stream cut into batches of blocks, with its beginning known before the first."""

    def __init__(self, source: IO[bytes], block_size: int) -> None:
        self._source = source
        self._block_size = block_size
        self._begin = read_up_to(source, ID_BYTES)

    def begin(self) -> bytes:
        return self._begin

    def batches(self) -> Iterator[list[bytes]]:
        size = self._block_size
        batch = max(1, min(BATCH_BYTES // size, BATCH_BLOCKS)) * size
        held = self._begin
        self._begin = b""
        while True:
            held += read_up_to(self._source, batch - len(held))
            if not held:
                return
            now, held = held[:batch], held[batch:]
            yield [now[at : at + size] for at in range(0, len(now), size)]


def _little_endian(sizes: array[int]) -> bytes:
    if sys.byteorder == "big":
        sizes = sizes[:]
        sizes.byteswap()
    return sizes.tobytes()
