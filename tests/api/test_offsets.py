"""Sequences that are stored one after another, and taken in groups."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stackc.api import are_offsets, groups_of, offsets_of


@given(st.lists(st.integers(0, 9), max_size=30), st.integers(1, 20))
def test_groups_have_all_sequences_and_as_many_as_fit(lengths: list[int], most: int) -> None:
    groups = list(groups_of(offsets_of(lengths), most))
    assert [number for low, high in groups for number in range(low, high)] == list(range(len(lengths)))
    for low, high in groups:
        size = sum(lengths[low:high])
        assert size <= most or high == low + 1
        assert high == len(lengths) or size + lengths[high] > most


FAR = [0, 1, 2, 5, (1 << 31) - 1, 1 << 31, (1 << 62) + 5, (1 << 63) - 1]


@given(st.lists(st.sampled_from([*FAR, *(-number - 1 for number in FAR)]), max_size=6), st.sampled_from(FAR))
def test_untrusted_offsets_are_compared_as_numbers_without_end(values: list[int], last: int) -> None:
    """Of [0, 2^62, -2^62 - 10, 5] every difference wraps to one that rises."""
    for given_values in (values, [0, *sorted(values), last], [0, *values, last]):
        right = bool(given_values) and given_values[0] == 0 and given_values[-1] == last
        right = right and all(low <= high for low, high in itertools.pairwise(given_values))
        assert are_offsets(np.array(given_values, np.int64), last) == right


def test_an_offset_that_wraps_is_found() -> None:
    hostile = np.array([0, 1 << 62, -(1 << 62) - 10, 5], np.int64)
    assert (np.diff(hostile) >= 0).all()
    assert not are_offsets(hostile, 5)
    assert are_offsets(np.array([0, 0, 3, 5], np.uint32), 5)
