"""From blocks to source bytes: whole files, ranges, and checks. Salvage is in `stackc.archive.salvage`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import IO

from stackc.api.errors import CodingError, ContainerError, StackcError
from stackc.api.messages import amount
from stackc.api.streams import write_all
from stackc.archive.codec import BlockCodec
from stackc.archive.format import Header, Report, check
from stackc.archive.reader import Block, Index, Reader
from stackc.archive.writer import BATCH_BLOCKS, batch_bytes

Opener = Callable[[Header], BlockCodec]
"""Returns the codec of the stack that wrote a file; raises `StackcError` if it is not here or cannot decode here."""


def decompress_blocks(
    source: IO[bytes], target: IO[bytes], opener: Opener, report: Report = lambda done: None
) -> Header:
    """Write the original of the `.stk` file `source` to `target`. Neither needs to be seekable.

    Every block's checks, and at the end the SHA-256 of the whole, are compared with the decoded bytes. Bytes written
    before an error are correct but incomplete: the caller discards `target`.

    Raises:
        ContainerError: a damaged file; the message names the block.
    """
    reader = Reader(source)
    codec = opener(reader.header)
    whole = hashlib.sha256()
    for data in decoded(reader.blocks(), codec, report):
        whole.update(data)
        write_all(target, data)
    assert reader.trailer is not None, "blocks end with the trailer"
    if whole.digest() != reader.trailer.sha256:
        raise ContainerError("the SHA-256 of the decoded bytes does not match the original's")
    return reader.header


def decompress_range(
    source: IO[bytes],
    target: IO[bytes],
    opener: Opener,
    start: int | None,
    end: int | None,
    report: Report = lambda done: None,
) -> int:
    """Write bytes start .. end - 1 of the original, reading only the blocks that hold them; returns their number.

    Args:
        source: seekable.
        start, end: None: from the beginning, to the end.

    Raises:
        ContainerError: damage in the header, the index or one of those blocks.
        StackcError: a range outside the original.
    """
    index = Index(source)
    size, block = index.trailer.size, index.header.block_size
    start, end = 0 if start is None else start, size if end is None else end
    if not 0 <= start <= end <= size:
        raise StackcError(f"no bytes {start}:{end} in a file of {amount(size, 'byte')}")
    if start == end:
        return 0
    codec = opener(index.header)
    at = start // block * block
    for data in decoded(index.blocks(start // block, -(-end // block)), codec, report):
        write_all(target, data[max(0, start - at) : end - at])
        at += len(data)
    return end - start


def check_blocks(source: IO[bytes], report: Report = lambda done: None) -> Header:
    """Compare every check of the file with its bytes, without decoding. Raises `ContainerError` at a mismatch.

    That of the stack in the file is the last to be said: what else is damaged is worse.
    """
    reader = Reader(source)
    for block in reader.blocks():
        if not block.header.coded and check(block.payload) != block.header.source_check:
            raise ContainerError("its bytes differ from the original", block.header.number)
        report(block.header.length)
    if reader.header.damage:
        raise ContainerError(f"{reader.header.damage}; all other checksums match")
    return reader.header


def decoded(blocks: Iterable[Block], codec: BlockCodec, report: Report = lambda done: None) -> Iterator[bytes]:
    """The source bytes of blocks, decoded batch by batch. Raises `ContainerError` at the first that fails."""
    for batch in batches(blocks, codec):
        # After an error there may be fewer results, but then the last one is the error.
        for block, data in zip(batch, decode_batch(batch, codec, all_of_them=False), strict=False):
            if isinstance(data, StackcError):
                raise data
            yield data
            report(block.header.length)


def decode_batch(batch: list[Block], codec: BlockCodec, all_of_them: bool = True) -> list[bytes | ContainerError]:
    """The source bytes of each block, verified by its check, or the error that says why it does not decode.

    Args:
        all_of_them: False: the first error is the last result.
    """
    coded = [block for block in batch if block.header.coded and block.header.length <= codec.max_block]
    payloads, lengths = [block.payload for block in coded], [block.header.length for block in coded]
    made = iter(codec.decode(payloads, lengths, all_of_them))
    results: list[bytes | ContainerError] = []
    for block in batch:
        data: bytes | CodingError = block.payload
        if block.header.coded and block.header.length > codec.max_block:
            data = CodingError(f"it is longer than the {codec.max_block} bytes that its stack allows")
        elif block.header.coded:
            data = next(made)
        if isinstance(data, CodingError):
            results.append(ContainerError(f"it does not decode ({data})", block.header.number))
            if not all_of_them:
                break
        elif check(data) != block.header.source_check:
            text = "it does not decode to the original; is this the stack that wrote it?"
            results.append(ContainerError(text, block.header.number))
        else:
            results.append(data)
    return results


def batches(blocks: Iterable[Block], codec: BlockCodec | None) -> Iterator[list[Block]]:
    """Batches of blocks, each of about as many source bytes as the writer codes at once (`batch_bytes`)."""
    held: list[Block] = []
    size, threads = 0, 1 if codec is None else codec.threads
    for block in blocks:
        full = held and size + block.header.length > batch_bytes(held[0].header.length, threads)
        if full or len(held) == BATCH_BLOCKS:
            yield held
            held, size = [], 0
        held.append(block)
        size += block.header.length
    if held:
        yield held
