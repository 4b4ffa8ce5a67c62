"""A plot as inline SVG. Colours are classes, so that the page's style decides them, in the light and in the dark."""

from __future__ import annotations

import html
import math
from collections.abc import Callable

from stackc.report.plots import Plot, Series
from stackc.report.ticks import linear, logarithmic, written

WIDTH, HEIGHT = 480, 280
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 12, 44
LEGEND_LINE = 18
MAX_LABEL = 64
"""Characters of a label that are drawn."""

COLOURS = 8

Scale = Callable[[float], float]


def svg(plot: Plot) -> str:
    """The plot, with its legend, as an `<svg>` element. Every text in it is escaped."""
    shown = [one for one in plot.series if one.ys]
    x, x_ticks = _scale([v for one in shown for v in one.xs], plot.log_x, False, LEFT, WIDTH - RIGHT)
    y, y_ticks = _scale([v for one in shown for v in one.ys], False, plot.from_zero, HEIGHT - BOTTOM, TOP)
    height = HEIGHT + 4 + LEGEND_LINE * len(shown)
    out = [
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{_text(plot.title)}: {_text(plot.y_label)} by '
        f'{_text(plot.x_label)}" preserveAspectRatio="xMidYMid meet">'
    ]
    for tick in y_ticks:
        at = _n(y(tick))
        out.append(f'<path class="grid" d="M{LEFT} {at}H{WIDTH - RIGHT}"/>')
        out.append(f'<text class="tick end" x="{LEFT - 6}" y="{_n(y(tick) + 4)}">{written(tick)}</text>')
    for tick in x_ticks:
        at = _n(x(tick))
        out.append(f'<path class="grid" d="M{at} {TOP}V{HEIGHT - BOTTOM}"/>')
        out.append(f'<text class="tick mid" x="{at}" y="{HEIGHT - BOTTOM + 16}">{written(tick)}</text>')
    out.append(f'<path class="axis" d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}"/>')
    middle = (LEFT + WIDTH - RIGHT) // 2
    out.append(f'<text class="label mid" x="{middle}" y="{HEIGHT - 10}">{_text(plot.x_label)}</text>')
    half = (TOP + HEIGHT - BOTTOM) // 2
    turned = f'x="14" y="{half}" transform="rotate(-90 14 {half})"'
    out.append(f'<text class="label mid" {turned}>{_text(plot.y_label)}</text>')
    for one in shown:
        out.extend(_drawn(one, x, y))
    for row, one in enumerate(shown):
        out.extend(_legend(one, HEIGHT + LEGEND_LINE * row + 8))
    return "".join([*out, "</svg>"])


def _scale(values: list[float], log: bool, zero: bool, first: float, last: float) -> tuple[Scale, list[float]]:
    """Values to places, and the ticks; the axis ends at its outer ticks."""
    low, high = min(values), max(values)
    ticks = logarithmic(low, high) if log else linear(min(low, 0.0) if zero else low, high)
    change: Scale = math.log10 if log else float
    start, end = change(ticks[0]), change(ticks[-1])
    return lambda value: first + (last - first) * (change(value) - start) / (end - start), ticks


def _drawn(one: Series, x: Scale, y: Scale) -> list[str]:
    colour = f"c{one.colour % COLOURS}"
    if one.kind == "marks":
        out = []
        for i, (a, b) in enumerate(zip(one.xs, one.ys, strict=True)):
            name = one.names[i] if one.names else ""
            told = _text(f"{one.label} {name}: {b:.3f} at {written(a)}", 200)
            at = f'cx="{_n(x(a))}" cy="{_n(y(b))}"'
            out.append(f'<circle class="mark {colour}" {at} r="4.5"><title>{told}</title></circle>')
            left = x(a) > WIDTH - RIGHT - 40
            side = f'class="name{" end" if left else ""}" x="{_n(x(a) + (-8 if left else 8))}"'
            out.append(f'<text {side} y="{_n(y(b) + 14)}">{_text(name, 12)}</text>')
        return out
    if one.kind == "steps":
        base = y(0.0)
        path = f"M{_n(x(one.xs[0]))} {_n(base)}" + "".join(
            f"V{_n(y(value))}H{_n(x(edge))}" for value, edge in zip(one.ys, one.xs[1:], strict=True)
        )
        return [f'<path class="steps {colour}" d="{path}V{_n(base)}"/>']
    points = [f"{_n(x(a))} {_n(y(b))}" for a, b in zip(one.xs, one.ys, strict=True)]
    if len(points) == 1:
        return [f'<circle class="mark {colour}" cx="{_n(x(one.xs[0]))}" cy="{_n(y(one.ys[0]))}" r="3"/>']
    return [f'<path class="{one.kind} {colour}" d="M{"L".join(points)}"/>']


def _legend(one: Series, at: float) -> list[str]:
    colour = f"c{one.colour % COLOURS}"
    key = f'<path class="{one.kind} {colour}" d="M{LEFT} {at}h24"/>'
    if one.kind == "marks":
        key = f'<circle class="mark {colour}" cx="{LEFT + 12}" cy="{at}" r="4.5"/>'
    elif one.kind == "steps":
        key = f'<path class="steps {colour}" d="M{LEFT} {at + 4}v-8h24v8z"/>'
    return [key, f'<text class="key" x="{LEFT + 32}" y="{at + 4}">{_text(one.label)}</text>']


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _text(text: str, most: int = MAX_LABEL) -> str:
    """Escaped, cut to what fits."""
    plain = "".join(char if char.isprintable() else " " for char in text)
    return html.escape(plain if len(plain) <= most else plain[: most - 3] + "...")
