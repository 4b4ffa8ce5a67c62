"""Values of lanes, put in order of their jobs while the lanes go on."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from stackc.coding import jobs as pieces
from stackc.coding.jobs import InOrder


@pytest.mark.parametrize("held", [1, 7, 1 << 16])
@pytest.mark.parametrize("burst", [1, 5])
def test_values_come_out_by_job_and_time(held: int, burst: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "HELD", held)
    rng = np.random.default_rng(held + burst)
    jobs, lanes = 50, 4
    expected: list[list[int]] = [[] for _ in range(jobs)]
    found = InOrder(np.uint32, jobs)
    at, following, value = list(range(lanes)), lanes, 0
    while at:
        owners = rng.choice(at, size=rng.integers(0, burst + 1))
        values = np.arange(value, value + len(owners), dtype=np.uint32)
        value += len(owners)
        for owner, made in zip(owners.tolist(), values.tolist(), strict=True):
            expected[owner].append(made)
        found.add(owners.astype(np.int64), values, np.array(at))
        if rng.random() < 0.4:  # a lane's job ends; many jobs end without a value
            lane = int(rng.integers(len(at)))
            at[lane] = following
            following += 1
            at = [job for job in at if job < jobs]
    values, ends = found.in_order()
    assert values.dtype == np.uint32
    assert [values[a:b].tolist() for a, b in itertools.pairwise(ends)] == expected


def test_what_waits_is_bounded_by_the_open_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "HELD", 64)
    lanes, length, jobs = 8, 20, 1000
    found = InOrder(np.int32, jobs)
    most = 0
    for first in range(0, jobs, lanes):
        at = np.arange(first, first + lanes)
        for _ in range(length):
            found.add(at, at, at)
            most = max(most, found.held)
    values, ends = found.in_order()
    assert most <= 4 * (64 + lanes * length)
    assert (np.diff(ends) == length).all()
    assert (values == np.repeat(np.arange(jobs), length)).all()


def test_nothing_at_all() -> None:
    values, ends = InOrder(np.int64, 0).in_order()
    assert values.tolist() == []
    assert ends.tolist() == [0]
