"""The one writer and the one reader of streams: all is written, and the end is told from "not yet"."""

from __future__ import annotations

import fcntl
import io
import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from stackc.api import streams
from stream_toys import DATA, PIPE, Sparing


class Silent:
    """A writer that is not of `io`, says nothing, and has taken all."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: Any) -> None:
        self.data += data


class Full(io.RawIOBase):
    def __init__(self, answer: int | None) -> None:
        self.answer = answer

    def write(self, data: Any) -> int | None:
        return self.answer


@pytest.fixture
def slow() -> Iterator[tuple[int, list[bytes]]]:
    """The non-blocking end of a small pipe, and what a slow reader got of it."""
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, PIPE)
    os.set_blocking(write, False)
    got: list[bytes] = []

    def drain() -> None:
        while piece := os.read(read, 1500):
            got.append(piece)
            time.sleep(0.001)

    thread = threading.Thread(target=drain)
    thread.start()

    def finish() -> None:
        thread.join(timeout=30)
        os.close(read)

    got_all = finish
    yield write, got
    got_all()


@pytest.mark.parametrize("buffering", [0, 100, 100_000])
def test_all_is_written_to_what_is_non_blocking(slow: tuple[int, list[bytes]], buffering: int) -> None:
    write, got = slow
    with open(write, "wb", buffering=buffering) as file:
        assert streams.write_all(file, DATA) == len(DATA)
        streams.flush_all(file)
    for _ in range(3000):
        if sum(map(len, got)) >= len(DATA):
            break
        time.sleep(0.01)
    assert b"".join(got) == DATA


def test_all_is_written_to_anything_that_takes_bytes() -> None:
    for file in (Sparing(), Silent()):
        assert streams.write_all(file, memoryview(DATA)) == len(DATA)
        assert bytes(file.data) == DATA
        assert streams.write_all(file, b"") == 0
    for answer in (0, -1, len(DATA) + 1, None):
        with pytest.raises(OSError, match=r"took|non-blocking"):
            streams.write_all(Full(answer), DATA)


def test_the_end_is_told_from_not_yet() -> None:
    read, write = os.pipe()
    os.set_blocking(read, False)

    def feed() -> None:
        for at in range(0, 500, 100):
            time.sleep(0.02)
            os.write(write, DATA[at : at + 100])
        os.close(write)

    thread = threading.Thread(target=feed)
    thread.start()
    with open(read, "rb") as file:
        assert file.read(1) is None, "what would be taken for the end"
        assert streams.read_up_to(file, 1000) == DATA[:500]
    thread.join()
