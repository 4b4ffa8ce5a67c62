"""The numbers on an axis: their values and how they are written."""

from __future__ import annotations

import math


def linear(low: float, high: float, count: int = 5, least: float = 0.0) -> list[float]:
    """About `count` round numbers that span low..high: the first at most `low`, the last at least `high`.

    Args:
        least: the smallest step between two numbers; 1 for counts.
    """
    if high <= low:
        high = low + (abs(low) or 1.0)
    raw = max((high - low) / count, least)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * times for times in (1, 2, 5, 10) if power * times >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def logarithmic(low: float, high: float) -> list[float]:
    """Round numbers that span low..high (both above 0), no wider than they must be.

    Powers of ten over many decades, 1, 2 and 5 times each over a few, and evenly spaced numbers over less than one.
    """
    if high < 4 * low:
        even = linear(low, high, least=10.0 ** math.floor(math.log10(low)) / 10)
        if even[0] > 0:
            return even
    first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    if last - first > 3:
        every = max(1, (last - first) // 6)
        return [10.0**e for e in range(first, last, every)] + [10.0**last]
    all_ticks = [t * 10.0**e for e in range(first, last + 1) for t in (1, 2, 5)]
    start = max(i for i, tick in enumerate(all_ticks) if tick <= low * (1 + 1e-9))
    end = min(i for i, tick in enumerate(all_ticks) if tick >= high * (1 - 1e-9))
    return all_ticks[start : max(end, start + 1) + 1]


def written(value: float) -> str:
    """A number in few characters: 0.25, 1,500, 20k, 3M."""
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if letter == 'k' else size):.4g}{letter}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
