"""Symbols and tokens in arrays: their type, and the errors for those that cannot be."""

from __future__ import annotations

from typing import Any

import numpy as np

from stackc.api.arrays import Symbols
from stackc.api.errors import CodingError


def symbol_dtype(alphabet: int) -> np.dtype[Any]:
    """The smallest little-endian unsigned type that holds every symbol of the alphabet."""
    return np.dtype("<u1" if alphabet <= 1 << 8 else "<u2" if alphabet <= 1 << 16 else "<u4")


def outside(values: Symbols, alphabet: int) -> int | None:
    """A value that is not a symbol of the alphabet, or None. Values whose type excludes it are not read."""
    if not len(values) or (values.dtype.kind == "u" and 1 << 8 * values.itemsize <= alphabet):
        return None
    if values.dtype.kind != "u" and int(values.min()) < 0:
        return int(values.min())
    largest = int(values.max())
    return largest if largest >= alphabet else None


def check_inside(values: Symbols, alphabet: int, who: str, what: str) -> None:
    """Raise `CodingError` at a value outside the alphabet. `what`: "symbol" or "token", for the message."""
    if outside(values, alphabet) is not None:
        raise CodingError(f"{who}: a {what} outside its alphabet of {alphabet}")


def check_room(name: str, symbols: int, most: int | None) -> None:
    """Raise `CodingError` if tokens of level `name` decode to more than `most` symbols."""
    if most is not None and symbols > most:
        raise CodingError(f"{name}: tokens that decode to more than the expected {most} symbols")
