"""Numbers in messages."""

from __future__ import annotations


def amount(count: int, noun: str) -> str:
    """A number and what it counts: ``1 byte``, ``0 bytes``, ``1,024 documents``."""
    return f"{count:,} {noun}{'s' * (count != 1)}"
