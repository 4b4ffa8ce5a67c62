"""`stackc_torch.training.features` in plain Python, slow: the specification that tests check the arrays against."""

from __future__ import annotations


def row(kind: int, feature: bytes, rows: int) -> int:
    """The row of a table of `rows` rows for the feature `feature` of a kind."""
    h = 0xCBF29CE484222325
    for byte in (kind, *feature):
        h = (h ^ byte) * 0x100000001B3 % (1 << 64)
    h = (h ^ h >> 32) * 0x9E3779B97F4A7C15 % (1 << 64)
    return (h >> 32) * rows >> 32


def features(text: bytes, rows: int) -> list[int]:
    """The rows of a text's features."""
    if not text:
        return []
    found = [row(kind, text[-size:], rows) for kind, size in enumerate((1, 2, 3, 4, 6)) if len(text) >= size]
    found += [row(5 + kind, text[:size], rows) for kind, size in enumerate((1, 2, 3, 4)) if len(text) >= size]
    return [*found, row(9, bytes([min(len(text), 255)]), rows), row(10, text.rpartition(b" ")[2][-16:], rows)]
