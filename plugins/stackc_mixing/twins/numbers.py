"""Numbers of the twins: hashes, words that wrap around, and bit fields."""

from __future__ import annotations

from collections.abc import Sequence

from stackc_mixing import layout
from stackc_mixing.tables import SPAN

RICH_CELL, MAP_ENTRY = (18, 6, 8), (22, 10)
"""Bits of (probability, count, history) and of (probability, count)."""


def hashed(a: int, b: int) -> int:
    """32 bits of two numbers."""
    h = (a * 0x2F0B4C47 + b * 0x9E3779B1 + 0x7F4A7C15) % 2**32
    h = (h ^ h >> 15) * 0x85EBCA6B % 2**32
    return h ^ h >> 13


def chain(first: int, *others: int) -> int:
    """A hash of many numbers: each is hashed with what those before it gave."""
    for other in others:
        first = hashed(first, other)
    return first


def wrapped(x: int) -> int:
    """x as a signed number of 32 bits. Weights of a damaged state, or of a very odd text, may leave them."""
    return (x + 2**31) % 2**32 - 2**31


def clipped(x: int) -> int:
    """x as a stretched probability."""
    return min(max(x, -SPAN), SPAN)


def fields(number: int, widths: Sequence[int]) -> list[int]:
    found = []
    for width in reversed(widths):
        found.append(number % 2**width)
        number >>= width
    return found[::-1]


def moved(entry: int, bit: int, count: int | None = None) -> int:
    """An entry of a map after a bit: the less it has seen (or as if it had seen `count` bits), the further it goes."""
    p, n = fields(entry, MAP_ENTRY)
    n = n % 256 if count is None else count
    p += (bit * (2**22 - 1) - p) * int(layout.MAP_RATES[n]) >> 16
    return p << 10 | min(n + 1, layout.MOST_MAP)


def moved_cell(cell: int, bit: int) -> int:
    """A rich node after a bit, without its history."""
    p, count, _ = fields(cell, RICH_CELL)
    p += (bit * (2**18 - 1) - p) * int(layout.RATES[count]) >> 16
    # Beyond STEADY the count grows in one case of STRIDE, which the low bits of the probability pick.
    if count < layout.MOST and (count < layout.STEADY or p % layout.STRIDE == 0):
        count += 1
    return p << 14 | count << 8
