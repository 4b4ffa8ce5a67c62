"""The positions of the names of points in a plot, so that no name covers another."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from stackc.report.plots import Plot

Box = tuple[float, float, float, float]
Place = tuple[float, float, str]
"""x and y of the left end of a text's baseline, and the text."""

WIDE, WIDEST = 0.64, 0.88
"""Width of a character in font heights; the second one for M and W, since names of models often begin with M."""

OFFSETS = ((0, 1), (1, 1), (-1, 1), (0, -1), (1, -1), (-1, -1), (1, 0), (-1, 0), (0, 2), (0, -2), (1, 2), (1, -2))
"""Positions to try: below first, since the lines of the unigram and uniform baselines are above a model."""


LONG, SHORT = 26, 12
"""Characters of a name that are drawn, at most: with its stack, and alone."""


def named(
    plot: Plot, to_pixels: Callable[[float, float], tuple[float, float]], size: float, bounds: Box,
    plain: Callable[[str], str],
) -> list[tuple[float, float, str, int]]:  # fmt: skip
    """The names of all marks: left end and baseline, text, and the colour of its stack.

    If several stacks are drawn, each name has its stack in front of it if there is room, and the models that are
    highest in their stacks are the first to get room.
    """
    points, colours = [], []
    for back in range(max((len(one.names) for one in plot.series), default=0)):
        for one in plot.series:
            if one.kind != "marks" or back >= len(one.names):
                continue
            i = len(one.names) - 1 - back
            name, owner = one.names[i], one.owner if plot.several else ""
            full = [f"{owner} {name}"] if owner and owner != name and len(owner) + 1 + len(name) <= LONG else []
            points.append((*to_pixels(one.xs[i], one.ys[i]), [*map(plain, full), plain(name[:SHORT])]))
            colours.append(one.colour)
    return [(*where, colour) for where, colour in zip(place(points, size, bounds), colours, strict=True)]


def place(points: Sequence[tuple[float, float, Sequence[str]]], size: float, bounds: Box) -> list[Place]:
    """A name and a position for each point: the first position that is in bounds and covers no point and no other name.

    Args:
        points: x, y (downwards) and names to choose from, best first, in pixels.
        size: height of the font in pixels.
        bounds: left, top, right, bottom of the plot.

    Returns:
        For each point its text and the left end of that text's baseline. The first name that has a free position is
        taken. Points with the same names and position share one; if no position is free for any, the last name has the
        first position in bounds.
    """
    near = 0.42 * size
    taken: list[Box] = [(x - near, y - near, x + near, y + near) for x, y, _ in points]
    found: list[Place] = []
    for i, (x, y, names) in enumerate(points):
        same = (k for k in range(i) if list(points[k][2]) == list(names) and math.dist(points[k][:2], (x, y)) < near)
        if (twin := next(same, None)) is not None:
            found.append(found[twin])
            continue
        box, name = _first_free(x, y, names, size, bounds, taken)
        taken.append(box)
        found.append((box[0], box[3] - 0.25 * size, name))
    return found


def _first_free(
    x: float, y: float, names: Sequence[str], size: float, bounds: Box, taken: list[Box]
) -> tuple[Box, str]:
    """The position and the name of one point."""
    for name in names:
        width = size * sum(WIDEST if char in "MWmw" else WIDE for char in name)
        boxes = [_box(x, y, width, size, right, down) for right, down in OFFSETS]
        inside = [box for box in boxes if _inside(box, bounds)]
        free = [box for box in inside if not any(_overlap(box, other) for other in taken)]
        if free:
            return free[0], name
    return (inside or boxes)[0], name


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
