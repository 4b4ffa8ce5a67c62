"""Writes a `.stk` file from a stream, batch by batch: memory is bounded by a batch, never by the file.

Index and trailer come last, because the size and the hash of a stream are unknown until it ends. A table in front, as
other formats have it, would need a seekable target or a second pass.
"""

from __future__ import annotations

import hashlib
import os
from array import array
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO

import attrs
import numpy as np

from stackc.api.errors import PartError, StackcError
from stackc.api.streams import read_up_to, write_all
from stackc.archive.codec import BlockCodec
from stackc.archive.format import MAX_BLOCKS, BlockHeader, Header, Report, Trailer, check, pack_embedded, pack_index
from stackc.coding.host import host

BATCH_BYTES = 1 << 21
"""Source bytes that are coded, and held in memory, at once; of larger blocks, one for each thread."""

THREADED_BYTES = 1 << 25
"""Up to here every thread has two blocks: a batch takes as long as its slowest block."""

BATCH_BLOCKS = 1 << 12
"""The most blocks in a batch: tiny blocks cost more than their bytes."""

ID_BYTES = 1 << 20
"""Source bytes that the file's id is derived from. It is not random: the same file and stack give the same bytes."""


@attrs.frozen(kw_only=True)
class Written:
    """The result of `compress`.

    Attributes:
        size: source bytes.
        written: bytes of the `.stk` file.
        blocks: number of blocks; `raw` of them are stored uncoded because they would not shrink.
        failed: blocks stored uncoded because they did not decode back; 0 unless a part is broken.
        sha256: hash of the source, hexadecimal.
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
    block_size: int | None = None,
    verify: bool = True,
    modified: int | None = None,
    embedded: bytes | None = None,
    report: Report = lambda done: None,
) -> Written:
    """Read `source` to its end and write it to `target` as a `.stk` file. Neither needs to be seekable.

    Args:
        codec: codes the blocks.
        stack: SHA-256 of the stack, 32 bytes.
        coder_version: `bits_version` of the coder ``arithmetic``.
        block_size: source bytes in a block, 1 .. `BlockCodec.max_block`; None: `BlockCodec.block_size`.
        verify: decode every batch and compare, before it is written; blocks that differ are stored uncoded.
        modified: nanoseconds since 1970, kept in the header.
        embedded: the packed stack to put into the file, 1 .. 2^24 bytes; None: the file only names its stack.
        report: receives the source bytes processed.

    Raises:
        StackcError: a block size out of range, or more than 2^32 - 1 blocks.
    """
    block_size = codec.block_size if block_size is None else block_size
    if not 1 <= block_size <= codec.max_block:
        raise StackcError(f"a block size of {block_size} bytes; with this stack it must be 1 to {codec.max_block}")
    portability = codec.portability
    bare = Header(block_size, bytes(8), stack, modified, portability, coder_version, host(portability), embedded)
    begin = read_up_to(source, ID_BYTES)
    frame = _Frame(target, attrs.evolve(bare, file_id=check(bare.pack() + begin)))
    failed = 0
    for batch, coded, wrong in _coded(codec, _batches(source, begin, block_size, codec.threads), verify):
        failed += len(wrong)
        for i, block in enumerate(batch):
            frame.add(block, None if i in wrong else coded[i])
            report(len(block))
    return frame.end(failed)


class _Frame:
    """A file being written: its header, then block after block, then index and trailer."""

    def __init__(self, target: IO[bytes], header: Header) -> None:
        self._target, self._file_id = target, header.file_id
        self._written = write_all(target, header.pack())
        if header.embedded is not None:
            self._written += write_all(target, pack_embedded(header.file_id, header.embedded))
        self._sizes = array("I")  # four bytes per block, and not a list: there may be 2^32 of them
        self._sha256 = hashlib.sha256()
        self._done = self._raw = 0

    def add(self, block: bytes, payload: bytes | None) -> None:
        """Write a block; without a payload its source bytes are stored."""
        if len(self._sizes) == MAX_BLOCKS:
            raise StackcError(f"more than {MAX_BLOCKS} blocks; use larger ones (--block-size)")
        stored = block if payload is None else payload
        place = len(self._sizes), self._done, len(block), len(stored)
        header = BlockHeader(payload is not None, self._file_id, *place, check(stored), check(block))
        self._written += write_all(self._target, header.pack()) + write_all(self._target, stored)
        self._sizes.append(len(stored))
        self._sha256.update(block)
        self._done += len(block)
        self._raw += payload is None

    def end(self, failed: int) -> Written:
        """Write index and trailer. `failed`: blocks that were stored because they did not decode back."""
        blocks = len(self._sizes)
        index = pack_index(self._file_id, np.array(self._sizes, "<u4").tobytes(), blocks)
        trailer = Trailer(self._file_id, blocks, self._done, self._sha256.digest(), check(index))
        self._written += write_all(self._target, index) + write_all(self._target, trailer.pack())
        return Written(
            size=self._done,
            written=self._written,
            blocks=blocks,
            raw=self._raw - failed,
            failed=failed,
            sha256=self._sha256.hexdigest(),
        )


Coded = tuple[list[bytes], list[bytes | None], set[int]]
"""A batch: its blocks, their payloads, and the numbers of the blocks that do not decode back."""


def _coded(codec: BlockCodec, batches: Iterator[list[bytes]], verify: bool) -> Iterator[Coded]:
    """Every batch, coded and verified; in a second thread, if that is of use, while the next batch is coded."""
    if not (verify and codec.verifies_beside and processors() > 1):
        for batch in batches:
            coded = codec.encode(batch, verify=not verify)
            yield batch, coded, _wrong(codec, batch, coded) if verify else set()
        return
    with ThreadPoolExecutor(1) as pool:
        before: tuple[list[bytes], list[bytes | None], Future[set[int]]] | None = None
        for batch in batches:
            coded = codec.encode(batch, verify=False)
            if before is not None:
                yield before[0], before[1], before[2].result()
            before = batch, coded, pool.submit(_wrong, codec, batch, coded)
        if before is not None:
            yield before[0], before[1], before[2].result()


def processors() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _wrong(codec: BlockCodec, batch: list[bytes], coded: list[bytes | None]) -> set[int]:
    """The blocks of a batch that do not decode back."""
    chosen = [i for i, payload in enumerate(coded) if payload is not None]
    if not chosen:
        return set()
    back = codec.decode([coded[i] or b"" for i in chosen], [len(batch[i]) for i in chosen])
    broken = next((data for data in back if isinstance(data, PartError)), None)
    if broken is not None:
        raise broken  # not damage: these payloads were made a moment ago
    return {i for i, data in zip(chosen, back, strict=True) if data != batch[i]}


def batch_bytes(block_size: int, threads: int) -> int:
    """The source bytes in a batch, at most: `BATCH_BYTES`, or more for threads that each work on a block."""
    return max(BATCH_BYTES, threads * block_size, min(2 * threads * block_size, THREADED_BYTES) if threads > 1 else 0)


def _batches(source: IO[bytes], held: bytes, block_size: int, threads: int) -> Iterator[list[bytes]]:
    """The blocks of a stream that begins with `held`, batch by batch."""
    batch = max(1, min(batch_bytes(block_size, threads) // block_size, BATCH_BLOCKS)) * block_size
    while held := held + read_up_to(source, batch - len(held)):
        now, held = held[:batch], held[batch:]
        yield [now[at : at + block_size] for at in range(0, len(now), block_size)]
