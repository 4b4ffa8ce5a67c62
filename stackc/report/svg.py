"""A plot as inline SVG. Colours are CSS classes, so that the page's style can set them for light and dark mode.

A stack has a colour and a shape of marks, for readers who cannot tell colours apart.
"""

from __future__ import annotations

import html
import math
from collections.abc import Callable

from stackc.report.labels import named
from stackc.report.plots import Plot, Series
from stackc.report.ticks import linear, logarithmic, written

WIDTH, HEIGHT = 410, 272
LEFT, RIGHT, TOP, BOTTOM = 60, 22, 10, 50
FONT = 13
UNDER = 21
"""From the x axis down to the baseline of its numbers: low enough not to meet the last number of the y axis."""
MARKED = 4
"""Marks on a line, at most, that show its stack."""

INSET = 9
"""From an axis to its first number, if there are marks, so that none is on the axis."""

MAX_LABEL = 64
"""Characters of a label that are drawn, at most."""

COLOURS = 8

SHAPES = (
    "m-4.6 0a4.6 4.6 0 1 0 9.2 0a4.6 4.6 0 1 0-9.2 0z",
    "m-4-4h8v8h-8z",
    "m0-5.4l5 9h-10z",
    "m0-5.6l5.6 5.6l-5.6 5.6l-5.6-5.6z",
    "m0 5.4l5-9h-10z",
)
"""Disc, square, triangle, diamond, inverted triangle, relative to the current point of a path."""

Scale = Callable[[float], float]


def svg(plot: Plot) -> str:
    """The plot without its legend, as an `<svg>` element. All text in it is escaped."""
    shown = [one for one in plot.series if one.ys]
    gap = INSET if any(one.kind == "marks" for one in shown) else 0
    right, bottom = WIDTH - RIGHT - gap, HEIGHT - BOTTOM - gap
    x, x_ticks = _scale([v for one in shown for v in one.xs], plot.log_x, False, plot.whole_x, LEFT + gap, right)
    y, y_ticks = _scale([v for one in shown for v in one.ys], False, plot.from_zero, False, bottom, TOP + gap)
    out = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{_text(plot.title)}: {_text(plot.y_label)} by '
        f'{_text(plot.x_label)}" preserveAspectRatio="xMidYMid meet">'
    ]
    for tick in y_ticks:
        at = _n(y(tick))
        out.append(f'<path class="grid" d="M{LEFT} {at}H{WIDTH - RIGHT}"/>')
        out.append(f'<text class="tick end" x="{LEFT - 6}" y="{_n(y(tick) + 4)}">{written(tick)}</text>')
    for tick in x_ticks:
        at = _n(x(tick))
        out.append(f'<path class="grid" d="M{at} {TOP}V{HEIGHT - BOTTOM}"/>')
        out.append(f'<text class="tick mid" x="{at}" y="{HEIGHT - BOTTOM + UNDER}">{written(tick)}</text>')
    out.append(f'<path class="axis" d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}"/>')
    middle = (LEFT + WIDTH - RIGHT) // 2
    out.append(f'<text class="label mid" x="{middle}" y="{HEIGHT - 9}">{_text(plot.x_label)}</text>')
    half = (TOP + HEIGHT - BOTTOM) // 2
    turned = f'x="13" y="{half}" transform="rotate(-90 13 {half})"'
    out.append(f'<text class="label mid" {turned}>{_text(plot.y_label)}</text>')
    several = plot.several
    for one in shown:
        out.extend(_drawn(one, x, y, several))
    out.extend(_names(plot, x, y))
    return "".join([*out, "</svg>"])


def legend(plot: Plot) -> str:
    """The meaning of line styles, colours and shapes, as an HTML list."""
    return f'<ul class="legend">{"".join(_key(one, plot.several) for one in plot.series if one.ys)}</ul>'


def _key(one: Series, several: bool) -> str:
    colour = f"c{one.colour % COLOURS}"
    if one.kind == "steps":
        drawn = f'<path class="steps {colour}" d="M2 2h24v10h-24z"/>'
    elif one.kind == "marks":
        drawn = f'<path class="thin {colour}" d="M0 7h28"/>'
    else:
        drawn = f'<path class="{one.kind} {colour}" d="M0 7h28"/>'
    if one.kind == "marks" or (several and one.kind in ("line", "steps")):
        drawn += _mark(one, 14, 7)
    return f'<li><svg viewBox="0 0 28 14" aria-hidden="true">{drawn}</svg><span>{_text(one.label)}</span></li>'


def _scale(
    values: list[float], log: bool, zero: bool, whole: bool, first: float, last: float
) -> tuple[Scale, list[float]]:
    """A function from values to positions, and the ticks. The axis ends at its outer ticks."""
    low, high = min(values), max(values)
    ticks = logarithmic(low, high) if log else linear(min(low, 0.0) if zero else low, high, least=1.0 if whole else 0.0)
    change: Scale = math.log10 if log else float
    start, end = change(ticks[0]), change(ticks[-1])
    return lambda value: first + (last - first) * (change(value) - start) / (end - start), ticks


def _drawn(one: Series, x: Scale, y: Scale, several: bool) -> list[str]:
    colour = f"c{one.colour % COLOURS}"
    if one.kind == "steps":
        base = y(0.0)
        path = f"M{_n(x(one.xs[0]))} {_n(base)}" + "".join(
            f"V{_n(y(value))}H{_n(x(edge))}" for value, edge in zip(one.ys, one.xs[1:], strict=True)
        )
        top = one.ys.index(max(one.ys))
        peak = _mark(one, (x(one.xs[top]) + x(one.xs[top + 1])) / 2, y(one.ys[top])) if several else ""
        return [f'<path class="steps {colour}" d="{path}V{_n(base)}"/>{peak}']
    places = [(x(a), y(b)) for a, b in zip(one.xs, one.ys, strict=True)]
    kind = "thin" if one.kind == "marks" else one.kind
    path = f'<path class="{kind} {colour}" d="M{"L".join(f"{_n(a)} {_n(b)}" for a, b in places)}"/>'
    out = [path] if len(places) > 1 else []
    if one.kind == "marks":
        for i, (a, b) in enumerate(places):
            name = one.names[i] if one.names else ""
            out.append(_mark(one, a, b, f"{one.label} {name}: {one.ys[i]:.3f} at {written(one.xs[i])}"))
    elif len(places) == 1:
        out.append(_mark(one, *places[0]))
    elif several and one.kind == "line":
        last = len(places) - 1
        count = min(MARKED, len(places))
        out += [_mark(one, *places[last * i // (count - 1)]) for i in range(count)]
    return out


def _mark(one: Series, x: float, y: float, told: str = "") -> str:
    title = f"<title>{_text(told, 200)}</title>" if told else ""
    shape = SHAPES[one.colour % len(SHAPES)]
    return f'<path class="mark c{one.colour % COLOURS}" d="M{_n(x)} {_n(y)}{shape}">{title}</path>'


def _names(plot: Plot, x: Scale, y: Scale) -> list[str]:
    """The names of all marks. They are placed together, so that none covers another."""
    bounds = (LEFT + 2, TOP, WIDTH - 2, HEIGHT - BOTTOM)
    return [
        f'<text class="name{f" c{colour % COLOURS}" if plot.several else ""}" x="{_n(a)}" y="{_n(b)}">'
        f"{html.escape(name)}</text>"
        for a, b, name, colour in named(plot, lambda a, b: (x(a), y(b)), FONT, bounds, _visible)
    ]


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _text(text: str, most: int = MAX_LABEL) -> str:
    """Escaped, and cut to `most` characters."""
    return html.escape(_short(text, most))


def _short(text: str, most: int) -> str:
    plain = _visible(text)
    return plain if len(plain) <= most else plain[: most - 3] + "..."


def _visible(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)
