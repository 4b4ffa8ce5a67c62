"""The positions of the names of points in a plot, so that no name covers another."""

from __future__ import annotations

import math
from collections.abc import Sequence

Box = tuple[float, float, float, float]

WIDE, WIDEST = 0.64, 0.88
"""Width of a character in font heights; the second one for M and W, since names of models often begin with M."""

OFFSETS = ((0, 1), (1, 1), (-1, 1), (0, -1), (1, -1), (-1, -1), (1, 0), (-1, 0), (0, 2), (0, -2), (1, 2), (1, -2))
"""Positions to try: below first, since the lines of the unigram and uniform baselines are above a model."""


def place(points: Sequence[tuple[float, float, str]], size: float, bounds: Box) -> list[tuple[float, float]]:
    """A position for each name near its point: the first that is in bounds and covers no point and no other name.

    Args:
        points: x, y (downwards) and name, in pixels.
        size: height of the font in pixels.
        bounds: left, top, right, bottom of the plot.

    Returns:
        The left end of each text's baseline. Points with the same name and position share it; if no position is free,
        a name has the first one in bounds.
    """
    near = 0.42 * size
    taken: list[Box] = [(x - near, y - near, x + near, y + near) for x, y, _ in points]
    found: list[tuple[float, float]] = []
    for i, (x, y, name) in enumerate(points):
        same = (k for k in range(i) if points[k][2] == name and math.dist(points[k][:2], (x, y)) < near)
        if (twin := next(same, None)) is not None:
            found.append(found[twin])
            continue
        width = size * sum(WIDEST if char in "MWmw" else WIDE for char in name)
        boxes = [_box(x, y, width, size, right, down) for right, down in OFFSETS]
        inside = [box for box in boxes if _inside(box, bounds)] or boxes
        box = next((box for box in inside if not any(_overlap(box, other) for other in taken)), inside[0])
        taken.append(box)
        found.append((box[0], box[3] - 0.25 * size))
    return found


def _box(x: float, y: float, width: float, size: float, right: int, down: int) -> Box:
    gap = 0.62 * size
    left = x + gap if right > 0 else x - gap - width if right < 0 else x - width / 2
    step = 1.2 if right == 0 else 0.75
    middle = y + down * step * size
    return left, middle - size / 2, left + width, middle + size / 2


def _inside(box: Box, bounds: Box) -> bool:
    return box[0] >= bounds[0] and box[1] >= bounds[1] and box[2] <= bounds[2] and box[3] <= bounds[3]


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
