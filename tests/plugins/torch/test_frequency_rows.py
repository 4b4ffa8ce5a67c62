"""The compiled frequencies against the rule that they stand for, `stackc.api.normalise`, with the table to read."""

import numpy as np
import pytest

from stackc.api import normalise
from stackc_torch.frozen import kernels
from stackc_torch.frozen.rules import EXPONENTIAL_TOP, exponential_table

TABLE = exponential_table()


def compiled(exponents: np.ndarray) -> np.ndarray:
    """Frequencies of rows of exponents below the best, 0 .. 6401, from sums as a product with shift 0 gives them."""
    sums = np.ascontiguousarray(-exponents.astype(np.int32))
    out = np.empty(sums.shape, np.uint32)
    kernels.frequency_rows(sums, np.zeros(sums.shape[1], np.int32), TABLE, out)
    return out


@pytest.mark.parametrize("alphabet", [1, 2, 3, 63, 64, 65, 256, 1024, 5000])
def test_frequencies_are_those_of_the_rule(alphabet):
    rng = np.random.default_rng(alphabet)
    rows = [rng.integers(0, top, alphabet) for top in (1, 2, 300, 2000, EXPONENTIAL_TOP + 1) for _ in range(40)]
    # Whole octaves: powers of two, whose quotients are often integers, where a floor is easily missed.
    rows += [rng.integers(0, top, alphabet) * 256 for top in (2, 9, 26) for _ in range(40)]
    exponents = np.stack(rows)
    exponents[np.arange(len(rows)), rng.integers(0, alphabet, len(rows))] = 0  # the best of each row
    assert np.array_equal(compiled(exponents), normalise(TABLE[exponents]))


@pytest.mark.parametrize("others", [1, 2, 255, 1023])
def test_quotients_that_are_integers(others):
    """Every count equal, and one that is alone: whole divides count * scale, or misses it by one part."""
    alphabet = others + 1
    for exponents in (np.zeros(alphabet, np.int64), np.r_[0, np.full(others, EXPONENTIAL_TOP)]):
        assert np.array_equal(compiled(exponents[None]), normalise(TABLE[exponents][None]))
