"""The difference of two stacks on one text, with an interval: a paired bootstrap over pieces of the text.

The pieces, *units*, are documents if there are enough of them, and blocks of 16 KiB of source text otherwise. A
resample draws as many units as there are, with replacement, and takes the difference of bits over all of its source
bytes. The interval holds 95 % of 10,000 resamples (percentiles), whose random numbers are always the same.

Paired: both stacks are measured on the same units, so what makes a unit hard for both does not widen the interval.
Seeds are averaged before: the interval is about the text, and says nothing about other seeds.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np

from stackc.api.arrays import Float64, Int64
from stackc.stack.blocks import Blocks

ENOUGH_DOCUMENTS = 32
"""Documents from which they are the units."""

RESAMPLES, SEED = 10_000, 16
LEVEL = 0.95

FEW_UNITS = 8
"""With fewer units an interval is too narrow, and is not given."""

MOST_UNITS = 4096
"""If there are more units, neighbours are joined: the interval is as good, and the work is bounded."""

CHUNK = 1 << 22
"""Numbers of a resampling in memory at a time."""


@attrs.frozen(kw_only=True, eq=False)
class Units:
    """The pieces of a text.

    Attributes:
        kind: "document" or "block of 16 KiB".
        first: int64[U], the first block of each unit.
        source_bytes: float64[U].
    """

    kind: str
    first: Int64
    source_bytes: Float64

    def sums(self, bits: Float64) -> Float64:
        """The bits of each unit from those of each block: float64[U]."""
        return np.add.reduceat(bits, self.first) if len(self.first) else np.zeros(0)


@attrs.frozen(kw_only=True)
class Difference:
    """A stack's bits per byte minus the baseline's; negative: it needs fewer.

    Attributes:
        mean: in bits per byte.
        low, high: bounds of the interval, in bits per byte; None: too few units.
        relative, relative_low, relative_high: the same, over the baseline's bits per byte.
    """

    mean: float
    low: float | None
    high: float | None
    relative: float
    relative_low: float | None
    relative_high: float | None


def units_of(blocks: Blocks) -> Units:
    """The units of a text: its documents if there are enough, else its blocks."""
    firsts = np.flatnonzero(np.diff(blocks.document, prepend=-1))
    kind = "document"
    if len(firsts) < ENOUGH_DOCUMENTS:
        firsts, kind = np.arange(len(blocks.document)), "block of 16 KiB"
    if len(firsts) > MOST_UNITS:
        firsts = firsts[np.linspace(0, len(firsts), MOST_UNITS, endpoint=False).astype(np.int64)]
    source = np.add.reduceat(blocks.source_bytes, firsts) if len(firsts) else np.zeros(0)
    return Units(kind=kind, first=firsts, source_bytes=source.astype(np.float64))


def mean_bits(runs: Sequence[Float64]) -> Float64:
    """The mean over seeds, block by block."""
    found: Float64 = np.mean(np.stack(list(runs)), 0)
    return found


def difference(own: Float64, baseline: Float64, source_bytes: Float64) -> Difference:
    """The difference of two stacks.

    Args:
        own, baseline: float64[U], bits of each unit, U at least 1.
        source_bytes: float64[U].
    """
    gap = own - baseline
    total, base = float(source_bytes.sum()), float(baseline.sum())
    mean, relative = float(gap.sum()) / total, float(gap.sum()) / base if base else 0.0
    if len(gap) < FEW_UNITS:
        return Difference(mean=mean, low=None, high=None, relative=relative, relative_low=None, relative_high=None)
    absolute, ratios = _resampled(gap, baseline, source_bytes)
    ends = (50 * (1 - LEVEL), 50 * (1 + LEVEL))
    low, high = (float(value) for value in np.percentile(absolute, ends))
    relative_low, relative_high = (float(value) for value in np.percentile(ratios, ends))
    return Difference(
        mean=mean, low=low, high=high, relative=relative, relative_low=relative_low, relative_high=relative_high
    )


def _resampled(gap: Float64, baseline: Float64, source_bytes: Float64) -> tuple[Float64, Float64]:
    """Differences in bits per byte, and relative to the baseline: float64[RESAMPLES] each."""
    random = np.random.default_rng(SEED)
    absolute, ratios = np.empty(RESAMPLES), np.empty(RESAMPLES)
    step = max(1, CHUNK // len(gap))
    for first in range(0, RESAMPLES, step):
        last = min(first + step, RESAMPLES)
        drawn = random.integers(0, len(gap), (last - first, len(gap)))
        sums = gap[drawn].sum(1)
        absolute[first:last] = sums / source_bytes[drawn].sum(1)
        ratios[first:last] = sums / np.maximum(baseline[drawn].sum(1), 1e-300)
    return absolute, ratios
