"""The plots as PNG images, by matplotlib, which brings its own fonts and needs nothing of the system."""

from __future__ import annotations

import io

from stackc.errors import StackcError
from stackc.report.plots import Plot

DPI = 160

COLOURS = ("#0b62a4", "#c2410c", "#0f766e", "#a21caf", "#a16207", "#4d7c0f", "#be123c", "#475569")
"""Those of the page in the light, in the same order."""

STYLES = {"line": "-", "dashes": "--", "dots": ":"}


def need_matplotlib() -> None:
    """Raise `StackcError` where matplotlib is not installed."""
    try:
        import matplotlib  # noqa: F401  (only whether it is there)
    except ImportError as error:
        raise StackcError(f"--png: images need matplotlib ({error}); pip install stackc[report]") from error


def draw(plot: Plot) -> bytes:
    """The plot as a PNG image."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.4), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    for one in plot.series:
        if not one.ys:
            continue
        colour, label = COLOURS[one.colour % len(COLOURS)], _plain(one.label)
        if one.kind == "marks":
            axes.plot(one.xs, one.ys, "o", color=colour, label=label)
            for x, y, name in zip(one.xs, one.ys, one.names, strict=False):
                axes.annotate(_plain(name), (x, y), textcoords="offset points", xytext=(5, -10), fontsize=8)
        elif one.kind == "steps":
            axes.stairs(one.ys, one.xs, color=colour, label=label, fill=len(plot.series) == 1)
        else:
            axes.plot(one.xs, one.ys, STYLES[one.kind], color=colour, label=label)
    if plot.log_x:
        axes.set_xscale("log")
    if plot.from_zero:
        axes.set_ylim(bottom=0)
    axes.set_title(_plain(plot.title), fontsize=10)
    axes.set_xlabel(_plain(plot.x_label))
    axes.set_ylabel(_plain(plot.y_label))
    axes.grid(alpha=0.25)
    axes.legend(fontsize=7)
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})
    return buffer.getvalue()


def _plain(text: str) -> str:
    """As it stands: no dollar sign starts a formula, no character is without a glyph, no label is hidden."""
    shown = "".join(char if char.isprintable() and ord(char) < 0x250 else "?" for char in text)
    return shown.replace("$", r"\$").lstrip("_") or "?"
