"""The plots as PNG images, by matplotlib, which brings its own fonts and needs nothing else from the system."""

from __future__ import annotations

import io
import os
from typing import Any

from stackc.api.extras import need
from stackc.report.facts import plain
from stackc.report.labels import named
from stackc.report.plots import Plot

DPI = 160

COLOURS = ("#0b62a4", "#c2410c", "#0f766e", "#a21caf", "#a16207", "#4d7c0f", "#be123c", "#475569")
"""The colours of the page in light mode, in the same order."""

MARKERS = ("o", "s", "^", "D", "v")
"""The shapes of the page, in the same order."""

FONT = 8
"""Points."""

STYLES = {"line": "-", "dashes": "--", "dots": ":"}


def need_matplotlib() -> None:
    """Import matplotlib. Raises `StackcError` if it is not installed.

    MPLBACKEND, which notebooks pass on to their subprocesses, may name a backend that is not installed here. Importing
    would fail, although no screen backend is used, so the variable is removed meanwhile.
    """
    backend = os.environ.pop("MPLBACKEND", None)
    try:
        need("matplotlib", "report", "--png")
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend


def draw(plot: Plot) -> bytes:
    """The plot as a PNG image, without its reference lines; the user's matplotlibrc has no effect on it."""
    need_matplotlib()
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        return _drawn(plot.plain)


def _drawn(plot: Plot) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.4), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    for one in plot.series:
        if not one.ys:
            continue
        colour, label = COLOURS[one.colour % len(COLOURS)], _plain(one.label)
        marker = MARKERS[one.colour % len(MARKERS)]
        if one.kind == "marks":
            axes.plot(one.xs, one.ys, marker, ls="-", lw=0.6, color=colour, label=label)
        elif one.kind == "steps":
            axes.stairs(one.ys, one.xs, color=colour, label=label, fill=True, alpha=0.16)
            axes.stairs(one.ys, one.xs, color=colour)
        elif plot.several and one.kind == "line":
            often = max(1, -(-len(one.xs) // 4))
            axes.plot(one.xs, one.ys, marker, ls="-", markevery=often, ms=4, color=colour, label=label)
        else:
            axes.plot(one.xs, one.ys, STYLES[one.kind], color=colour, label=label)
    if plot.log_x:
        axes.set_xscale("log")
    if plot.from_zero:
        axes.set_ylim(0, 1.08 * max(max(one.ys) for one in plot.series if one.ys) or 1)
    axes.set_title(_plain(plot.title), fontsize=10, loc="left", pad=6 + 10 * bool(plot.warning))
    if plot.warning:
        axes.text(0, 1.015, plot.warning, transform=axes.transAxes, fontsize=7, fontweight="bold")
    axes.set_xlabel(_plain(plot.x_label))
    axes.set_ylabel(_plain(plot.y_label))
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower left", ncols=2, fontsize=7, frameon=False)
    _name(plot, figure, axes)
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})
    return buffer.getvalue()


def _name(plot: Plot, figure: Any, axes: Any) -> None:
    """Add the names of the marks, placed as on the page. The axes must have their final position."""
    figure.draw_without_rendering()
    height, box = figure.bbox.height, axes.bbox

    def pixels(x: float, y: float) -> tuple[float, float]:
        right, up = axes.transData.transform((x, y))
        return float(right), float(height - up)

    bounds = (box.x0, height - box.y1, box.x1, height - box.y0)
    for x, y, name, colour in named(plot, pixels, FONT * DPI / 72, bounds, _plain):
        ink = COLOURS[colour % len(COLOURS)] if plot.several else "black"
        axes.annotate(name, (x, height - y), xycoords="figure pixels", fontsize=FONT, annotation_clip=False, color=ink)


def _plain(text: str) -> str:
    """Literal text: for matplotlib "$" starts a formula, and a leading "_" hides a label."""
    return plain(text).replace("$", r"\$").lstrip("_") or "?"
