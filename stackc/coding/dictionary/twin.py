"""`stackc.coding.dictionary.encoding` in plain Python, slow: the specification that tests check the kernels against."""

from __future__ import annotations

from collections.abc import Sequence


def extensions(parent: Sequence[int], symbol: Sequence[int]) -> dict[tuple[int, int], int]:
    """(code of a text, symbol) -> the lowest code of the text and that symbol."""
    found: dict[tuple[int, int], int] = {}
    for code in range(1, len(parent)):
        found.setdefault((parent[code], symbol[code]), code)
    return found


def encode(
    longer: dict[tuple[int, int], int],
    symbols: Sequence[int],
    segment: int,
    budget: int,
    cuts: Sequence[bool] | None = None,
) -> list[int]:
    """The codes of one document: the longest text that continues here, again and again.

    Args:
        longer: as `extensions` gives it.
        segment: symbols in a segment; windows end with it.
        budget: symbols in a window at most.
        cuts: True where a window is forced to start.
    """
    codes: list[int] = []
    code = size = 0
    for place, symbol in enumerate(symbols):
        ends = place % segment == 0 or size == budget or (cuts is not None and cuts[place])
        if ends or (code, symbol) not in longer:
            codes.append(code)
            code = size = 0
        code = longer[code, symbol]
        size += 1
    return [*codes, code][1:] if symbols else []


def decode(parent: Sequence[int], symbol: Sequence[int], codes: Sequence[int]) -> list[int]:
    """The texts of codes end to end."""
    out: list[int] = []
    for code in codes:
        text = []
        while code > 0:
            text.append(symbol[code])
            code = parent[code]
        out += text[::-1]
    return out
