"""Recovers the undamaged blocks of a damaged `.stk` file: every block whose own checks match, wherever it is found.

Blocks are found by scanning for their marker, not through the index, so that a damaged header, index, or neighbouring
block costs nothing but itself. Missing bytes are written as zeros, so that every recovered byte keeps its offset.
"""

from __future__ import annotations

import mmap
from collections import Counter
from collections.abc import Callable, Iterator
from typing import IO

import attrs

from stackc.api.errors import ContainerError, StackcError
from stackc.api.streams import write_all
from stackc.archive import format as layout
from stackc.archive.codec import BlockCodec
from stackc.archive.decoder import Opener, batches, decode_batch
from stackc.archive.format import BlockHeader, Header, Report, Trailer, check
from stackc.archive.reader import Block

MAX_OFFSET = 1 << 44
"""Blocks at a larger offset are treated as damage: no file of that size was ever written."""

RECHECKS = 8
"""How many times the file's size may be spent on payloads that fail their check, before their stated size is trusted.

After a damaged payload the scan resumes at the payload's start, because bytes may be missing inside it. Without a bound
a file full of forged headers would take quadratic time.
"""


@attrs.frozen(kw_only=True)
class Salvaged:
    """What `salvage` found.

    Attributes:
        recovered: source bytes written.
        missing: (start, end) of every gap of missing source bytes; `end` None: to an unknown end.
        problems: one line per problem found.
        size: size of the original, if the trailer is readable.
        modified: modification time of the original, if the header is readable.
    """

    recovered: int
    missing: tuple[tuple[int, int | None], ...]
    problems: tuple[str, ...]
    size: int | None
    modified: int | None

    @property
    def whole(self) -> bool:
        """Whether nothing is missing and the file's size is known."""
        return not self.missing


def salvage(
    source: IO[bytes],
    target: IO[bytes],
    opener: Opener,
    fallback: BlockCodec | None = None,
    report: Report = lambda done: None,
    unpack: Callable[[bytes], BlockCodec] | None = None,
) -> Salvaged:
    """Write every undamaged block of `source` to its place in `target`.

    Args:
        source: a file on disk (it is mapped).
        target: seekable and empty; missing bytes become zeros.
        opener: returns the codec for an undamaged header.
        fallback: the codec to use if the header is damaged; None: coded blocks are lost then.
        report: receives the bytes of the file that were scanned.
        unpack: returns the codec of a packed stack; used where the header is damaged and the stack after it is not.

    Raises:
        ContainerError: no block was found.
        StackcError: raised by `opener`.
    """
    size = source.seek(0, 2)
    if not size:
        raise ContainerError("the file is empty")
    with mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ) as data:
        problems: list[str] = []
        header = _header(data, problems)
        pack = _embedded(data, header, problems)
        trailer = _trailer(data, problems)
        file_id = header.file_id if header else trailer.file_id if trailer else _likely_id(data)
        codec = _opened(opener, header, pack) if header else fallback or _unpacked(unpack, pack, problems)
        places = _Places()
        found = _belonging(_scan(data, problems, report), file_id, header, problems)
        for batch in batches(_decodable(found, codec, problems), codec):
            assert codec is not None or not any(block.header.coded for block in batch), "see _decodable"
            results = decode_batch(batch, codec) if codec else [block.payload for block in batch]
            for block, result in zip(batch, results, strict=True):
                if isinstance(result, ContainerError):
                    problems.append(str(result))
                elif places.add(block.header, problems):
                    target.seek(block.header.offset)
                    write_all(target, result)
    known = trailer.size if trailer and trailer.file_id == file_id else None
    if not places.recovered and known != 0:
        raise ContainerError("; ".join(["no undamaged block was found", *problems[:3]]))
    missing = places.missing(known)
    if known is not None:
        target.truncate(known)
    return Salvaged(
        recovered=places.recovered,
        missing=tuple(missing),
        problems=tuple(problems),
        size=known,
        modified=header.modified if header else None,
    )


class _Places:
    """The places of recovered blocks. Each is taken once: of two blocks for one place the first is kept."""

    def __init__(self) -> None:
        self._taken: dict[int, BlockHeader] = {}  # by offset

    @property
    def recovered(self) -> int:
        return sum(header.length for header in self._taken.values())

    def add(self, header: BlockHeader, problems: list[str]) -> bool:
        first = self._taken.setdefault(header.offset, header)
        if first is header:
            return True
        differs = "" if first.source_check == header.source_check else ", with other bytes"
        problems.append(f"block {header.number}: found again{differs}; the first is kept")
        return False

    def missing(self, size: int | None) -> list[tuple[int, int | None]]:
        gaps: list[tuple[int, int | None]] = []
        at = 0
        for start in sorted(self._taken):
            if start > at:
                gaps.append((at, start))
            at = max(at, start + self._taken[start].length)
        if size is None:
            gaps.append((at, None))
        elif at < size:
            gaps.append((at, size))
        return gaps


def _header(data: mmap.mmap, problems: list[str]) -> Header | None:
    try:
        rest = layout.header_rest(data[: layout.HEADER_SIZE])
        return layout.unpack_header(data[: layout.HEADER_SIZE + rest])
    except ContainerError as error:
        problems.append(str(error))
        return None


def _opened(opener: Opener, header: Header, pack: bytes | None) -> BlockCodec:
    """The codec for an undamaged header; the stack may be found elsewhere if that in the file is damaged."""
    try:
        return opener(attrs.evolve(header, embedded=pack))
    except StackcError as error:
        if header.embedded is None or pack is not None:
            raise
        raise ContainerError(f"the stack in it is damaged, and it was {error}") from error


def _unpacked(
    unpack: Callable[[bytes], BlockCodec] | None, pack: bytes | None, problems: list[str]
) -> BlockCodec | None:
    """The codec of the stack in the file. If it cannot be opened, blocks that are stored as they are still count."""
    if unpack is None or pack is None:
        return None
    try:
        return unpack(pack)
    except StackcError as error:
        problems.append(str(error))
        return None


def _embedded(data: mmap.mmap, header: Header | None, problems: list[str]) -> bytes | None:
    """The packed stack after the header, if there is one and it is whole."""
    if header is not None and header.embedded is None:
        return None
    at = data.find(layout.EMBEDDED_MARKER, 0, layout.HEADER_SIZE + layout.MAX_HOST + len(layout.EMBEDDED_MARKER))
    try:
        head = layout.unpack_embedded_head(data[at : at + layout.EMBEDDED_HEAD_SIZE] if at >= 0 else b"")
    except ContainerError as error:
        if header is not None:
            problems.append(str(error))
        return None
    begin = at + layout.EMBEDDED_HEAD_SIZE
    pack = data[begin : begin + head.size]
    if check(pack) == head.check and (header is None or header.file_id == head.file_id):
        return pack
    problems.append("the stack in it is damaged")
    return None


def _trailer(data: mmap.mmap, problems: list[str]) -> Trailer | None:
    try:
        return layout.unpack_trailer(data[max(0, len(data) - layout.TRAILER_SIZE) :])
    except ContainerError:
        problems.append("no trailer at the end: cut off, or damaged")
        return None


def _likely_id(data: mmap.mmap) -> bytes:
    """The file id of most blocks: the only evidence left if header and trailer are damaged."""
    ids = Counter(block.header.file_id for block in _scan(data, [], lambda done: None))
    return ids.most_common(1)[0][0] if ids else b""


def _scan(data: mmap.mmap, problems: list[str], report: Report) -> Iterator[Block]:
    """Every block whose header and payload match their checks, in the order of the file."""
    at = reported = 0
    budget = RECHECKS * len(data) + (1 << 26)
    while (at := data.find(layout.BLOCK_MARKER, at)) >= 0:
        report(at - reported)
        reported = at
        try:
            header = layout.unpack_block_header(data[at : at + layout.BLOCK_HEADER_SIZE])
        except ContainerError:
            at += 1
            continue
        begin = at + layout.BLOCK_HEADER_SIZE
        payload = data[begin : begin + header.size]
        if len(payload) == header.size and check(payload) == header.payload_check:
            yield Block(header=header, payload=payload)
            at = begin + header.size
            continue
        problems.append(f"block {header.number}: its payload is damaged or cut off")
        # Bytes may be missing inside it, so that the next block begins before its stated end.
        budget -= header.size
        at = begin if budget > 0 else begin + header.size
    report(len(data) - reported)


def _belonging(blocks: Iterator[Block], file_id: bytes, header: Header | None, problems: list[str]) -> Iterator[Block]:
    """The blocks of this file that are at a possible place."""
    for block in blocks:
        one = block.header
        wrong = header is not None and (one.offset != one.number * header.block_size or one.length > header.block_size)
        if one.file_id != file_id:
            problems.append(f"block {one.number}: belongs to another file, left out")
        elif wrong or one.offset + one.length > MAX_OFFSET:
            problems.append(f"block {one.number}: its place is impossible, left out")
        else:
            yield block


def _decodable(blocks: Iterator[Block], codec: BlockCodec | None, problems: list[str]) -> Iterator[Block]:
    for block in blocks:
        if codec is None and block.header.coded:
            text = "the header that names its stack is damaged; give the stack with --stack"
            problems.append(f"block {block.header.number}: {text}")
        else:
            yield block
