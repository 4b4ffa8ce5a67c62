"""Section 3's normalisation: golden values, properties, and what is refused."""

import numpy as np
import pytest

from stackc.api import MAX_ALPHABET, TOTAL, CodingError, normalise
from stackc.api.frequencies import check_frequencies, cost_bits


def test_golden_values() -> None:
    assert normalise(np.array([16777215, 16777216, 5])).tolist() == [8388607, 8388606, 3]
    assert normalise(np.array([0, 0, 0, 0])).tolist() == [TOTAL // 4] * 4
    assert normalise(np.array([0, 0, 0])).tolist() == [5592406, 5592405, 5592405]
    assert normalise(np.array([7])).tolist() == [TOTAL]


@pytest.mark.parametrize("alphabet", [1, 2, 3, 255, 4096, 70_000, MAX_ALPHABET])
def test_rows_sum_to_the_total_and_hold_no_zero(alphabet: int) -> None:
    rng = np.random.default_rng(alphabet)
    for top in (1, 2, 1000, 2**38):
        row = normalise(rng.integers(0, top, alphabet))
        check_frequencies(row[None, :], alphabet, "test")


def test_follows_the_rule_in_plain_integers() -> None:
    rng = np.random.default_rng(1)
    for alphabet in (2, 5, 17):
        counts = rng.integers(0, 2**38, (20, alphabet)) >> rng.integers(0, 38, (20, alphabet))
        for e, f in zip(counts.tolist(), normalise(counts).tolist(), strict=True):
            total = sum(e)
            e, total = (e, total) if total else ([1] * alphabet, alphabet)
            expected = [1 + x * (TOTAL - alphabet) // total for x in e]
            expected[expected.index(max(expected))] += TOTAL - sum(expected)
            assert f == expected


def test_batch_equals_single() -> None:
    counts = np.random.default_rng(2).integers(0, 1000, (3, 4, 9))
    assert (normalise(counts)[1, 2] == normalise(counts[1, 2])).all()


@pytest.mark.parametrize("counts", [[-1, 2], [2**38, 1], []])
def test_counts_out_of_range_are_refused(counts: list[int]) -> None:
    with pytest.raises(CodingError, match=r"counts must lie in|alphabet of 0"):
        normalise(np.array(counts, np.int64))


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (np.full((1, 4), TOTAL // 4, np.int64), "uint32"),
        (np.full((1, 3), TOTAL // 4, np.uint32), "shape"),
        (np.array([[0, TOTAL // 2, TOTAL // 4, TOTAL // 4]], np.uint32), "a frequency of 0"),
        (np.full((2, 4), TOTAL // 4 + 1, np.uint32), "sum to"),
    ],
)
def test_broken_frequencies_are_named(rows: np.ndarray, said: str) -> None:
    with pytest.raises(CodingError, match=f"a lying plugin.*{said}"):
        check_frequencies(rows, 4, "a lying plugin")


def test_cost_is_the_negative_logarithm() -> None:
    rows = np.array([[TOTAL // 2, TOTAL // 4, TOTAL // 4]] * 2, np.uint32)
    assert cost_bits(rows, np.array([0, 2])).tolist() == [1.0, 2.0]
