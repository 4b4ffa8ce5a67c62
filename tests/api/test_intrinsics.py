"""Kernels give the same results with prefetches, choices and borrowed arrays as without."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from stackc.api import borrowed, choose, kernel, prefetch, prefetch_to_write


@kernel
def plain(numbers: Any, out: Any) -> None:
    for i in range(len(numbers)):
        out[i] += numbers[i]


@kernel
def ahead(numbers: Any, out: Any, far: Any) -> None:
    numbers, out = borrowed((numbers, out))
    for i in range(len(numbers)):
        prefetch(numbers, np.uint64(i) + far)
        prefetch_to_write(out, np.uint64(i) + far)
        out[i] += numbers[i]


@pytest.mark.parametrize("far", [0, 8, 1 << 40], ids=["near", "next", "outside"])
def test_results_are_the_same(far: int) -> None:
    """Also for an index far outside the array: a prefetch never faults."""
    numbers = np.arange(1000, dtype=np.int32)
    expected, found = np.ones(1000), np.ones(1000)
    plain(numbers, expected)
    ahead(numbers, found, np.uint64(far))
    assert np.array_equal(found, expected)


def test_borrowed_arrays_stay_their_callers() -> None:
    """A missing or a second release would leave another count, or free the memory."""
    numbers, out = np.arange(1000, dtype=np.int32), np.zeros(1000)
    ahead(numbers, out, np.uint64(0))
    before = sys.getrefcount(numbers), sys.getrefcount(out)
    for _ in range(100):
        ahead(numbers, out, np.uint64(0))
    assert (sys.getrefcount(numbers), sys.getrefcount(out)) == before
    assert out[999] == 101 * 999


@kernel
def larger(numbers: Any, others: Any, out: Any) -> None:
    for i in range(len(numbers)):
        out[i] = choose(numbers[i] > others[i], numbers[i], others[i])


@pytest.mark.parametrize("kind", [np.uint8, np.uint64, np.int32, np.float64])
def test_the_first_is_chosen_where_the_condition_holds(kind: Any) -> None:
    numbers, others = np.random.default_rng(1).integers(0, 200, (2, 1000)).astype(kind)
    out = np.empty(1000, kind)
    larger(numbers, others, out)
    assert np.array_equal(out, np.maximum(numbers, others))
