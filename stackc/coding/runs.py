"""Sequences that a bitwise model codes by itself (*runs*): their frames in a document's tokens, and their threads.

A document is cut into runs: its segments, or all of it. Its tokens are bytes, the frames of its runs one after another:

    symbols        n, the number of symbols; seven bits in each byte, the lowest first, the last byte below 128
    bytes          m, the same way, only if n is the length of a segment: another run may follow
    payload        m bytes from `BitwisePredictor.encode_block`; without m, all bytes to the document's end

Any tokens decode: a number ends after five bytes, zeros follow the end, and numbers that are too large count as the
largest that is allowed. Every run takes at least one byte, so that decoding ends.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from stackc.api.arrays import Int64, Symbols, Uint8
from stackc.api.errors import CodingError
from stackc.api.models import BitwisePredictor
from stackc.api.offsets import offsets_of
from stackc.coding.documents import Decoding, segments
from stackc.parts.bitwise import bitwise_dtype, decisions
from stackc.parts.symbols import check_room

MOST_SYMBOLS = (1 << 32) - 1
"""The most symbols of a run that is not a segment."""

NUMBER_BYTES = 5

SLACK = 1024
"""Bytes of room beyond what equally likely symbols take: enough for most payloads. One that needs more is coded
again."""


@attrs.frozen
class Run:
    """A run in the tokens of documents: `symbols` symbols of document `document` from the payload first .. last - 1."""

    document: int
    symbols: int
    first: int
    last: int


class Copies:
    """Working copies of a model, each lent to one thread at a time, made when they are first needed and kept.

    Args:
        model: the bitwise model.
        threads: the threads of one call.
        memory: bytes that the copies may take together; None: any number. One is made in any case.

    Attributes:
        threads: the threads of one call for which there is memory.
        most: the copies of all calls.
    """

    def __init__(self, model: BitwisePredictor, threads: int, memory: int | None) -> None:
        room = max(2, threads) if memory is None else memory // max(1, model.state_bytes)
        # Two for one thread: some blocks are verified while the next are coded.
        self.most = max(1, min(max(2, threads), room))
        self._free = threading.Semaphore(self.most)
        self.threads = max(1, min(threads, room))
        self._model = model
        self._lock = threading.Lock()
        self._kept: list[Any] = []

    def each(self, count: int, work: Callable[[Any, int], None]) -> None:
        """Call work(working copy, i) for every i below `count`, in threads. Raises what it raises."""
        numbers = iter(range(count))

        def share() -> None:
            with self._lent() as copy:
                while (number := self._next(numbers)) is not None:
                    work(copy, number)

        threads = min(self.threads, count)
        if threads <= 1:
            share()
            return
        with ThreadPoolExecutor(threads) as pool:
            for one in [pool.submit(share) for _ in range(threads)]:
                one.result()

    def _next(self, numbers: Iterator[int]) -> int | None:
        with self._lock:
            return next(numbers, None)

    @contextlib.contextmanager
    def _lent(self) -> Iterator[Any]:
        with self._free:
            with self._lock:
                copy = self._kept.pop() if self._kept else None
            copy = self._model.begin() if copy is None else copy
            try:
                yield copy
            finally:
                with self._lock:
                    self._kept.append(copy)


def encode_runs(
    model: BitwisePredictor, copies: Copies, symbols: Symbols, bounds: Int64, segment: int | None
) -> tuple[Uint8, Int64]:
    """The tokens of documents and their bounds int64[D + 1].

    Args:
        symbols: the documents, one after another; each symbol is below the alphabet.
        segment: symbols in a run; None: a document is one run.
    """
    spans = segments(bounds, segment or MOST_SYMBOLS)
    frames: list[bytes] = [b""] * len(spans)

    def code(copy: Any, number: int) -> None:
        first, last = spans[number]
        payload = _encoded(model, copy, symbols[first:last])
        head = _number(last - first)
        if last - first == segment:
            head += _number(len(payload))
        frames[number] = head + payload

    copies.each(len(spans), code)
    sizes = np.array([len(frame) for frame in frames], np.int64)
    runs = np.searchsorted([first for first, _ in spans], bounds)  # the number of runs before each document
    return np.frombuffer(b"".join(frames), np.uint8), offsets_of(sizes)[runs]


def _encoded(model: BitwisePredictor, copy: Any, symbols: Symbols) -> bytes:
    """The payload of a run."""
    given = np.array(symbols, bitwise_dtype(model.alphabet), order="C")
    bits = len(given) * decisions(model.alphabet)
    # The most is two bytes a decision: it costs 16 bits at most, and a little where the interval is small.
    for room in (bits // 7 + SLACK, 3 * bits + SLACK):
        out = np.empty(room, np.uint8)
        size = model.encode_block(copy, given, out)
        if size >= 0:
            return out[:size].tobytes()
    raise CodingError(f"a payload of more than {3 * bits + SLACK} bytes for {len(given)} symbols")


def decode_runs(
    model: BitwisePredictor,
    copies: Copies,
    tokens: npt.NDArray[np.integer],
    bounds: Int64,
    segment: int | None,
    most: int | None,
    name: str,
) -> Decoding:
    """The symbols of documents: the inverse of `encode_runs`, for any bytes.

    Args:
        most: the most symbols of all documents together, checked before memory is taken; None: any number.
        name: the level's, for the message.

    Raises:
        CodingError: more than `most` symbols.
    """
    given = np.array(tokens, np.uint8, order="C")
    runs: list[Run] = []
    total = 0
    for document in range(len(bounds) - 1):
        for run in _runs(given, document, int(bounds[document]), int(bounds[document + 1]), segment):
            total += run.symbols
            check_room(name, total, most)
            runs.append(run)
    starts = offsets_of(np.array([run.symbols for run in runs], np.int64))
    symbols = np.zeros(total, bitwise_dtype(model.alphabet))

    def code(copy: Any, number: int) -> None:
        run, made = runs[number], symbols[starts[number] : starts[number + 1]]
        model.decode_block(copy, given[run.first : run.last], made)
        np.minimum(made, model.alphabet - 1, out=made)  # what hostile bytes decode to may lie above

    copies.each(len(runs), code)
    ends = np.searchsorted([run.document for run in runs], np.arange(len(bounds)))
    return Decoding(symbols=symbols, offsets=starts[ends], ignored=0)


def _runs(tokens: Uint8, document: int, at: int, end: int, segment: int | None) -> Iterator[Run]:
    """The runs of a document's tokens."""
    while at < end:
        symbols, at = _read(tokens, at, end)
        symbols, size = min(symbols, segment or MOST_SYMBOLS), end - at
        if symbols == segment:
            size, at = _read(tokens, at, end)
            size = min(size, end - at)
        yield Run(document, symbols, at, at + size)
        at += size


def _number(value: int) -> bytes:
    """A number below 2^35, seven bits in each byte."""
    made = bytearray()
    while value >= 128:
        made.append(value & 127 | 128)
        value >>= 7
    return bytes([*made, value])


def _read(tokens: Uint8, at: int, end: int) -> tuple[int, int]:
    """(number, where the next byte is). Behind the end there are zeros."""
    value = 0
    for place in range(NUMBER_BYTES):
        if at == end:
            break
        byte = int(tokens[at])
        value, at = value | (byte & 127) << 7 * place, at + 1
        if byte < 128:
            break
    return value, at
