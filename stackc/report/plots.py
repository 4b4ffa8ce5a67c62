"""Facts to plots. A plot is data: `stackc.report.svg` and `stackc.report.png` draw the same one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

import attrs
import numpy as np

from stackc.api.arrays import Int64
from stackc.report.comparable import cut_apart, measured_apart, trained_apart
from stackc.report.facts import Facts
from stackc.report.sample_text import Cutting

MAX_POINTS = 200
"""Points of a curve that are drawn, at most."""

BINS = 64
"""Bars of a histogram, at most."""

ENOUGH = 20
"""Windows that must reach a position for its mean to be drawn."""

Kind = Literal["line", "dashes", "dots", "marks", "steps"]

MODEL: tuple[str, str, Kind] = ("model_bits_per_byte", "model", "marks")
BASELINES: list[tuple[str, str, Kind]] = [
    ("unigram_bits_per_byte", "unigram", "dashes"),
    ("uniform_bits_per_byte", "uniform", "dots"),
]
"""Fields of a report's rows, their labels, and how they are drawn."""

WORDS = {
    "bits-by-bytes": (
        "Bits per byte against bytes per token", "source bytes per token that the model reads", "bits per source byte",
    ),
    "bits-by-operations": (
        "Bits per byte against operations per byte", "operations per source byte (logarithmic)", "bits per source byte",
    ),
    "learning": ("learning curve", "step", "bits per symbol"),
    "window-symbols": ("windows by symbols", "symbols per window", "% of windows"),
    "window-bytes": ("windows by source bytes", "source bytes per window", "% of windows"),
    "positions": ("bits by position in the window", "position of a symbol in its window", "bits per symbol, mean"),
}  # fmt: skip
"""Title and axis labels of every kind of plot."""

FIRST_STEPS = 0.05
"""The share of the training steps whose losses do not set the scale of a curve: they fall from log2 of the alphabet."""

LEARNED: list[tuple[str, str, Kind]] = [("train", "training text", "line"), ("valid", "held-out text", "dashes")]
"""The same for a learning curve."""


@attrs.frozen(kw_only=True)
class Series:
    """Points that are drawn in one colour and style.

    Attributes:
        label: in the legend.
        colour: 0 for the first stack, and so on.
        kind: one of three styles of line; "marks" for single points; "steps" for a histogram, with one more x than ys.
        names: of the points, drawn next to marks; may be empty.
        owner: the stack, drawn with the names if several are shown; may be empty.
        reference: a line to compare with, drawn on demand only; the axes are not fitted to it.
    """

    label: str
    colour: int
    kind: Kind
    xs: list[float]
    ys: list[float]
    names: list[str] = attrs.field(factory=list)
    owner: str = ""
    reference: bool = False


@attrs.frozen(kw_only=True)
class Plot:
    """One plot.

    Attributes:
        key: its file name without suffix, and its anchor.
        title, x_label, y_label: texts.
        series: at least one with points.
        log_x: the x axis is logarithmic; all xs are above 0.
        whole_x: xs are counts: ticks are at whole numbers only.
        from_zero: the y axis starts at 0: the heights of bars are compared.
        note: a hint for the reader.
        warning: why stacks cannot be compared by this plot; may be empty.
    """

    key: str
    title: str
    x_label: str
    y_label: str
    series: list[Series]
    log_x: bool = False
    whole_x: bool = False
    from_zero: bool = False
    note: str = ""
    warning: str = ""

    @property
    def several(self) -> bool:
        """Whether more than one stack is drawn."""
        return len({one.colour for one in self.series if one.ys}) > 1

    @property
    def plain(self) -> Plot:
        """Without its reference lines; they alone do not make a plot."""
        without = [one for one in self.series if not one.reference]
        return attrs.evolve(self, series=without) if any(one.ys for one in without) else self


def plots_of(facts: list[Facts]) -> list[Plot]:
    """All plots that have data, in the order of the page."""
    drawn = [plot for plot in _all(facts) if any(one.ys for one in plot.series)]
    return [plot if plot.several else attrs.evolve(plot, warning="") for plot in drawn]


def _all(facts: list[Facts]) -> Iterator[Plot]:
    depth = max(len(fact.names) for fact in facts)
    yield _by_bytes(facts)
    yield _by_operations(facts)
    for k in range(depth):
        yield _learning(facts, k)
    for k in range(depth):
        if k:  # the symbols of the first level are bytes: it would be the next plot once more
            yield _lengths(facts, k, "symbols")
        yield _lengths(facts, k, "bytes")
        yield _positions(facts, k)


def _plot(
    kind: str, series: list[Series], facts: list[Facts], apart: Callable[[list[Facts]], str], k: int | None = None
) -> Plot:
    """A plot of a kind of `WORDS`, of all levels or of level `k`. Its warning is about the stacks that it shows."""
    title, x_label, y_label = WORDS[kind]
    return Plot(
        key=kind if k is None else f"{kind}-{k + 1}",
        title=title if k is None else f"{_names(facts, k)}: {title}",
        x_label=x_label,
        y_label=y_label,
        series=series,
        log_x=kind == "bits-by-operations",
        whole_x=k is not None,
        from_zero=kind.startswith("window"),
        warning=apart(_drawn(facts, series)),
    )


def _drawn(facts: list[Facts], series: list[Series]) -> list[Facts]:
    """The stacks that have points in a plot."""
    colours = {one.colour for one in series if one.ys}
    return [fact for colour, fact in enumerate(facts) if colour in colours]


def _series(label: str, colour: int, kind: Kind, points: list[tuple[Any, ...]]) -> Series:
    """Points are (x, y), or (x, y, name)."""
    names = [point[2] for point in points if kind == "marks"]
    xs, ys = ([float(point[axis]) for point in points] for axis in (0, 1))
    return Series(label=label, colour=colour, kind=kind, xs=xs, ys=ys, names=names)


def _by_bytes(facts: list[Facts]) -> Plot:
    series = _models(facts, lambda rows, k: rows[k - 1]["bytes_per_token"] if k else 1.0, [MODEL, *BASELINES])
    note = "Models in contexts of a segment. One that learned nothing has the bits of its unigram or uniform line."
    return attrs.evolve(_plot("bits-by-bytes", series, facts, measured_apart), note=note)


def _by_operations(facts: list[Facts]) -> Plot:
    series = _models(facts, lambda rows, k: _ops(rows, k) or None, [MODEL])
    note = "Models in contexts of a segment; operations of a model, its softmax, and the models below that must run."
    if any(_ops(rows, k) == 0 for rows in map(_rows, facts) for k in range(len(rows))):
        note += " Models that need no operations are left out."
    return attrs.evolve(_plot("bits-by-operations", series, facts, measured_apart), note=note)


def _ops(rows: list[dict[str, Any]], k: int) -> float | None:
    body, softmax = rows[k]["ops_per_byte_body"], rows[k]["ops_per_byte_softmax"]
    return None if body is None or softmax is None else body + softmax


def _rows(fact: Facts) -> list[dict[str, Any]]:
    return fact.evaluation["levels"] if fact.evaluation else []


def _models(
    facts: list[Facts],
    place: Callable[[list[dict[str, Any]], int], float | None],
    kinds: list[tuple[str, str, Kind]],
) -> list[Series]:
    """The models of all stacks, level by level, at the x that `place` returns; None leaves a model out."""
    series = []
    for colour, fact in enumerate(facts):
        rows = _rows(fact)
        for field, label, kind in kinds:
            points = [(place(rows, k), row[field], row["name"]) for k, row in enumerate(rows)]
            points = [point for point in points if None not in point[:2]]
            one = _series(f"{fact.label}: {label}", colour, kind, points)
            series.append(attrs.evolve(one, owner=fact.label, reference=kind != "marks"))
    return series


def _names(facts: list[Facts], k: int) -> str:
    """The names of the models at this height of their stacks."""
    return " / ".join(dict.fromkeys(fact.names[k] for fact in facts if k < len(fact.names)))


def _learning(facts: list[Facts], k: int) -> Plot:
    series = []
    for colour, fact in enumerate(facts):
        curve = fact.curves.get(fact.names[k]) if k < len(fact.names) else None
        for field, label, kind in LEARNED if curve else ():
            points = getattr(curve, field)
            every = -(-len(points) // MAX_POINTS) or 1
            # Thinned out from the end: the last point is what a reader looks for.
            series.append(_series(f"{fact.label}: {label}", colour, kind, points[::-every][::-1]))
    low, note = _without_first_steps(series)
    return attrs.evolve(_plot("learning", low, facts, trained_apart, k), note=note)


def _without_first_steps(series: list[Series]) -> tuple[list[Series], str]:
    """The curves below the level that all have reached after `FIRST_STEPS` of their steps, and a note on the rest.

    A curve that starts above enters the plot at its upper edge.
    """
    later = [
        y
        for one in series
        for x, y in zip(one.xs, one.ys, strict=True)
        if len(one.xs) < 3 or x >= one.xs[0] + FIRST_STEPS * (one.xs[-1] - one.xs[0])
    ]
    if not later:
        return series, ""
    edge, most = max(later), max(y for one in series for y in one.ys)
    if most - edge < 0.2 * (edge - min(later)) or edge == min(later):
        return series, ""
    return [_under(one, edge) for one in series], f"The first steps, from {most:.3g} bits, are above this figure."


def _under(one: Series, edge: float) -> Series:
    """The part of a series that begins where it first falls to `edge`."""
    start = next((i for i, y in enumerate(one.ys) if y <= edge), len(one.ys))
    if start in (0, len(one.ys)):
        return one
    (x0, x1), (y0, y1) = one.xs[start - 1 : start + 1], one.ys[start - 1 : start + 1]
    entry = x0 + (x1 - x0) * (y0 - edge) / (y0 - y1)
    return attrs.evolve(one, xs=[entry, *one.xs[start:]], ys=[edge, *one.ys[start:]])


def _cuttings(facts: list[Facts], k: int) -> Iterator[tuple[int, str, Cutting]]:
    """Colour, label and sample of all stacks that have a level or model `k`."""
    for colour, fact in enumerate(facts):
        if k < len(fact.cuttings):
            yield colour, fact.label, fact.cuttings[k]


def _lengths(facts: list[Facts], k: int, unit: Literal["symbols", "bytes"]) -> Plot:
    """Histogram of the window lengths of a level."""
    series = []
    for colour, label, cutting in _cuttings(facts, k):
        if not cutting.top:
            lengths = cutting.symbols if unit == "symbols" else np.rint(np.diff(cutting.bytes)).astype(np.int64)
            edges, shares = _histogram(lengths)
            text = f"{label}: mean {float(lengths.mean()):.2f}"
            series.append(Series(label=text, colour=colour, kind="steps", xs=edges, ys=shares))
    return attrs.evolve(_plot(f"window-{unit}", series, facts, cut_apart, k), note=_sampled(_drawn(facts, series)))


def _histogram(lengths: Int64) -> tuple[list[float], list[float]]:
    """(edges, shares in %) of lengths, with one bar per length if there are few."""
    low, high = int(lengths.min()), int(lengths.max())
    width = -(-(high - low + 1) // BINS)
    counts = np.bincount((lengths - low) // width)
    edges = low - 0.5 + width * np.arange(len(counts) + 1)
    return edges.tolist(), (100.0 * counts / len(lengths)).tolist()


def _positions(facts: list[Facts], k: int) -> Plot:
    series = []
    for colour, label, cutting in _cuttings(facts, k):
        often = np.flatnonzero(cutting.reached >= ENOUGH)
        chosen = often[:: -(-len(often) // MAX_POINTS) or 1]
        points = zip(chosen + 1, cutting.by_position[chosen], strict=True)
        series.append(_series(label, colour, "line", list(points)))
    note = _sampled(_drawn(facts, series))
    note += f" Positions that at least {ENOUGH} windows reach; only probable text gets far."
    return attrs.evolve(_plot("positions", series, facts, cut_apart, k), note=note)


def _sampled(facts: list[Facts]) -> str:
    """The texts of the stacks that are drawn, in words."""
    if not facts:
        return ""
    sizes = [len(fact.data) for fact in facts]
    span = f"{min(sizes):,} to {max(sizes):,}" if min(sizes) < max(sizes) else f"{max(sizes):,}"
    noun = "byte" if max(sizes) == 1 else "bytes"
    return f"Over the first {span} {noun} of {' / '.join(dict.fromkeys(fact.split for fact in facts))}."
