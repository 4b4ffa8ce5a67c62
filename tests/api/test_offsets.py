"""Sequences that are stored one after another, and taken in groups."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stackc.api import groups_of, offsets_of


@given(st.lists(st.integers(0, 9), max_size=30), st.integers(1, 20))
def test_groups_have_all_sequences_and_as_many_as_fit(lengths: list[int], most: int) -> None:
    groups = list(groups_of(offsets_of(lengths), most))
    assert [number for low, high in groups for number in range(low, high)] == list(range(len(lengths)))
    for low, high in groups:
        size = sum(lengths[low:high])
        assert size <= most or high == low + 1
        assert high == len(lengths) or size + lengths[high] > most
