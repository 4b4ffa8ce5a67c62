"""Any bytes there and back, in any blocks, from any stream."""

from __future__ import annotations

import hashlib
import io
import os
import threading
from collections.abc import Callable
from typing import IO

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recipes_of_tests import TEXT
from stackc import Stack, StackcError
from stackc.archive import writer
from stackc.archive.decoder import decompress_range
from stackc.archive.format import MAX_BLOCK
from stackc.archive.reader import Index
from stackc.stack.finding import open_codec
from stackc.stack.runtime import Runtime

Get = Callable[[str], Stack]


def packed(stack: Stack, data: bytes, **options: object) -> bytes:
    out = io.BytesIO()
    made = stack.compress(io.BytesIO(data), out, **options)
    assert (made.size, made.written, made.failed) == (len(data), len(out.getvalue()), 0)
    assert made.sha256 == hashlib.sha256(data).hexdigest()
    return out.getvalue()


def unpacked(stack: Stack, file: bytes) -> bytes:
    out = io.BytesIO()
    stack.decompress(io.BytesIO(file), out)
    return out.getvalue()


TEXTS = st.one_of(
    st.binary(max_size=400),
    st.text(alphabet="etaoin shrdlu", max_size=400).map(str.encode),
    st.tuples(st.integers(0, 255), st.integers(1, 3000)).map(lambda run: bytes([run[0]]) * run[1]),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=TEXTS, block_size=st.sampled_from([1, 7, 64, 1000, 65_536]), name=st.sampled_from(["counting", "twice"]))
def test_any_bytes_come_back(stack: Get, data: bytes, block_size: int, name: str) -> None:
    assert unpacked(stack(name), packed(stack(name), data, block_size=block_size)) == data


def test_transformers_come_back_and_shrink_text(stack: Get) -> None:
    data = (TEXT * 6).encode() + bytes(range(256))
    file = packed(stack("two"), data, block_size=700)
    assert unpacked(stack("two"), file) == data
    lengths = np.full(len(data) // 700 + 1, 700)
    lengths[-1] = len(data) % 700
    raw = np.diff(Index(io.BytesIO(file)).positions) - 56 == lengths
    assert not raw[0], "text shrinks"
    assert raw[-1], "bytes that no model has seen are stored as they are"


def test_lanes_and_threads_do_not_change_the_file(stack: Get) -> None:
    data = (TEXT * 5).encode()
    files = {
        packed(Stack(stack("two").folder, Runtime(device="cpu", lanes=lanes, threads=threads)), data, block_size=300)
        for lanes, threads in ((1, 1), (3, 1), (64, 2))
    }
    assert len(files) == 1


def test_the_same_source_gives_the_same_file_again(stack: Get) -> None:
    assert packed(stack("counting"), b"same" * 99, modified=5) == packed(stack("counting"), b"same" * 99, modified=5)
    assert packed(stack("counting"), b"same" * 99, modified=5) != packed(stack("counting"), b"same" * 99, modified=6)


class Pipe(io.RawIOBase):
    """Gives a few bytes at a time, and cannot be sought."""

    def __init__(self, data: bytes) -> None:
        self._left = data

    def read(self, count: int = -1) -> bytes:
        now, self._left = self._left[: min(count, 97)], self._left[min(count, 97) :]
        return now


def test_streams_that_cannot_be_sought(stack: Get) -> None:
    data = (TEXT * 20).encode()
    out, back = io.BytesIO(), io.BytesIO()
    stack("counting").compress(Pipe(data), out, block_size=1000)  # type: ignore[arg-type]
    assert out.getvalue() == packed(stack("counting"), data, block_size=1000)
    stack("counting").decompress(Pipe(out.getvalue()), back)  # type: ignore[arg-type]
    assert back.getvalue() == data


def test_output_flows_before_input_ends(stack: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch is written before the next is read: memory is bounded by the batch."""
    batch = 1 << 16
    monkeypatch.setattr(writer, "BATCH_BYTES", batch)
    monkeypatch.setattr(writer, "ID_BYTES", batch)
    read_end, write_end = os.pipe()
    out = io.BytesIO()

    def work() -> None:
        with os.fdopen(read_end, "rb") as source:
            stack("counting").compress(source, out, verify=False)

    worker = threading.Thread(target=work)
    worker.start()
    with os.fdopen(write_end, "wb") as sink:
        sink.write(b"the " * (batch // 4) + b"more")
        sink.flush()
        for _ in range(600):
            if len(out.getvalue()) > 1000:
                break
            worker.join(0.05)
        assert len(out.getvalue()) > 1000, "the first batch must be out while the source is open"
    worker.join()
    assert unpacked(stack("counting"), out.getvalue()) == b"the " * (batch // 4) + b"more"


def test_a_block_that_does_not_decode_back_is_stored_as_it_is(stack: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    codec = stack("counting").codec
    right = codec.encode

    def wrong(blocks: list[bytes], verify: bool = True) -> list[bytes | None]:
        made = right(blocks, verify)
        made[1] = b"\x55" * 20
        return made

    monkeypatch.setattr(codec, "encode", wrong)
    data = (TEXT * 3).encode()
    out = io.BytesIO()
    made = stack("counting").compress(io.BytesIO(data), out, block_size=400)
    assert (made.failed, made.raw) == (1, 0)
    assert unpacked(stack("counting"), out.getvalue()) == data
    assert stack("counting").compress(io.BytesIO(data), io.BytesIO(), block_size=400, verify=False).failed == 0


@pytest.mark.parametrize("size", [0, -1, MAX_BLOCK + 1])
def test_block_sizes_have_bounds(stack: Get, size: int) -> None:
    with pytest.raises(StackcError, match="it must be 1 to 1048576"):
        stack("counting").compress(io.BytesIO(b"x"), io.BytesIO(), block_size=size)


class Counting(io.BytesIO):
    """Remembers which bytes were read."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.seen: set[int] = set()

    def read(self, count: int | None = -1) -> bytes:
        at = self.tell()
        data = super().read(count)
        self.seen |= set(range(at, at + len(data)))
        return data


def ranged(stack: Stack, source: IO[bytes], start: int | None, end: int | None) -> bytes:
    out = io.BytesIO()
    decompress_range(source, out, lambda header: open_codec(header, stack), start, end)
    return out.getvalue()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ends=st.tuples(st.integers(0, 3000), st.integers(0, 3000)).map(sorted), block_size=st.sampled_from([64, 500]))
def test_ranges_are_slices_and_read_only_their_blocks(stack: Get, ends: list[int], block_size: int) -> None:
    data = (TEXT * 10).encode()[:3000]
    file = packed(stack("counting"), data, block_size=block_size)
    start, end = ends
    source = Counting(file)
    assert ranged(stack("counting"), source, start, end) == data[start:end]
    positions = Index(io.BytesIO(file)).positions
    for number in range(len(positions) - 1):
        needed = start < end and number * block_size < end and (number + 1) * block_size > start
        touched = bool(source.seen & set(range(int(positions[number]), int(positions[number + 1]))))
        assert touched == needed


def test_open_ranges_and_ranges_that_are_not_there(stack: Get) -> None:
    file = packed(stack("counting"), b"0123456789", block_size=4)
    assert ranged(stack("counting"), io.BytesIO(file), None, 3) == b"012"
    assert ranged(stack("counting"), io.BytesIO(file), 7, None) == b"789"
    assert ranged(stack("counting"), io.BytesIO(file), 10, 10) == b""
    for start, end in ((0, 11), (5, 4), (11, None), (-1, 3)):
        with pytest.raises(StackcError, match="in a file of 10 bytes"):
            ranged(stack("counting"), io.BytesIO(file), start, end)
