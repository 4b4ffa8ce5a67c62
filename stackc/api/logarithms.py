"""Logarithms in integers, for costs that decide bits."""

from __future__ import annotations

from typing import Any

from stackc.api.kernels import kernel

LOG_BITS = 16
"""Fractional bits of a logarithm."""


@kernel
def log2_fixed(number: Any) -> Any:
    """log2 of a positive integer below 2^62, rounded down, with `LOG_BITS` fractional bits; integers alone."""
    whole = 0
    while number >> (whole + 1):
        whole += 1
    # 1.0 is 2^30, so that no square leaves 62 bits.
    x = (number << (30 - whole)) if whole <= 30 else (number >> (whole - 30))
    made = whole
    for _ in range(LOG_BITS):
        x = (x * x) >> 30
        made <<= 1
        if x >> 31:
            x >>= 1
            made |= 1
    return made
