"""Where sequences of values start and end when they are stored one after another."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from stackc.api.arrays import Int64


def offsets_of(lengths: npt.ArrayLike) -> Int64:
    """int64[n + 1]: sequence i is at ``offsets[i]:offsets[i + 1]``.

    Args:
        lengths: of the n sequences, not negative.
    """
    offsets = np.zeros(np.size(lengths) + 1, np.int64)
    np.cumsum(lengths, dtype=np.int64, out=offsets[1:])
    return offsets


def are_offsets(values: npt.NDArray[np.integer], last: int) -> bool:
    """Whether untrusted integers are offsets of sequences, some of which may be empty, of `last` values in all.

    Every number is compared with its bounds first: differences of hostile numbers wrap around.
    """
    if not len(values) or values[0] != 0 or values[-1] != last:
        return False
    return int(values.min()) >= 0 and int(values.max()) <= last and bool((values[1:] >= values[:-1]).all())


def groups_of(bounds: Int64, most: int) -> Iterator[tuple[int, int]]:
    """Groups of sequences, in order: (first, last) of those first .. last - 1, at most `most` values, or a longer one.

    For work on many sequences at a time whose memory must not grow with their number.

    Args:
        bounds: int64[n + 1]; sequence i is at ``bounds[i]:bounds[i + 1]``.
        most: 1 or more.
    """
    first, count = 0, len(bounds) - 1
    while first < count:
        last = int(np.searchsorted(bounds, bounds[first] + most, "right")) - 1
        last = max(first + 1, min(last, count))
        yield first, last
        first = last
