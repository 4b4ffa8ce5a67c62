"""Rows of bytes that become a result without being copied."""

from __future__ import annotations

import ctypes
import gc

import numpy as np
import pytest

from stackc.parts.bytes_rows import as_bytes, bytes_row
from stackc.stack.streaming import decode_stream


@pytest.mark.parametrize("size", [0, 1, 2, 255, 1 << 20])
def test_a_row_becomes_the_bytes_that_were_written_to_it(size):
    row = bytes_row(size)
    assert row.dtype == np.uint8
    assert row.shape == (size,)
    row[:] = np.arange(size, dtype=np.uint64).astype(np.uint8)
    expected = row.tobytes()
    found = as_bytes(row)
    assert type(found) is bytes
    assert found == expected
    assert hash(found) == hash(expected)
    if size:
        assert np.frombuffer(found, np.uint8).ctypes.data == row.ctypes.data
        with pytest.raises(ValueError, match="read-only"):
            row[0] = 1


def test_other_packages_may_set_the_types_of_pythons_own_functions(monkeypatch):
    monkeypatch.setattr(ctypes.pythonapi.PyBytes_AsString, "restype", ctypes.c_int)
    monkeypatch.setattr(ctypes.pythonapi.PyBytes_FromStringAndSize, "restype", ctypes.c_int)
    row = bytes_row(10)
    row[:] = 5
    assert as_bytes(row) == bytes([5]) * 10


def test_what_is_not_a_whole_row_is_copied():
    row = bytes_row(100)
    row[:] = np.arange(100)
    for some in (row[:99], row[1:], row[::-1], row[::2], row.astype(np.int64), np.arange(5), np.array([], np.uint16)):
        assert as_bytes(some) == bytes(some.tolist())
    row[0] = 7  # still the caller's
    assert as_bytes(row)[0] == 7


def test_a_row_and_its_bytes_outlive_each_other():
    row = bytes_row(1000)
    row[:] = 3
    found = as_bytes(row)
    alias = row[10:20]
    del row
    gc.collect()
    assert found == bytes([3]) * 1000
    del found
    gc.collect()
    assert alias.tolist() == [3] * 10


def test_rows_of_the_caller_stay_the_callers():
    row = bytes_row(11)
    row[:] = np.frombuffer(b"hello world", np.uint8)
    head = row[:5]
    (data,) = decode_stream([], [row], [])  # of a stack without levels, whose tokens are bytes
    head[:] = ord("X")
    row[10] = ord("Y")
    assert data == b"hello world"
