"""Facts to plots. A plot is data; `stackc.report.svg` and `stackc.report.png` draw the same one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

import attrs
import numpy as np

from stackc.api.arrays import Int64
from stackc.report.comparable import cut_apart, measured_apart, trained_apart
from stackc.report.facts import Facts

MAX_POINTS = 200
"""Points of a curve that are drawn."""

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
"""Fields of a report's rows, what they are, and how they are drawn."""


@attrs.frozen(kw_only=True)
class Series:
    """What is drawn in one colour and manner.

    Attributes:
        label: in the legend.
        colour: 0 for the first stack, and so on.
        kind: a line of three manners; "marks" of single points; "steps" of a histogram, whose `xs` are one more.
        names: of points, drawn beside marks; or none.
    """

    label: str
    colour: int
    kind: Kind
    xs: list[float]
    ys: list[float]
    names: list[str] = attrs.field(factory=list)


@attrs.frozen(kw_only=True)
class Plot:
    """One plot.

    Attributes:
        key: its file name without suffix, and its anchor.
        title, x_label, y_label: in words.
        series: at least one with points.
        log_x: a logarithmic axis; all xs are above 0.
        whole_x: xs are counts: no tick stands between two whole numbers.
        from_zero: the y axis starts at 0.
        note: what a reader should know.
        warning: why stacks cannot be compared by it; or nothing.
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


def plots_of(facts: list[Facts]) -> list[Plot]:
    """All plots that the facts allow, in the page's order."""
    drawn = [plot for plot in _all(facts) if any(one.ys for one in plot.series)]
    return [plot if plot.several else attrs.evolve(plot, warning="") for plot in drawn]


def _all(facts: list[Facts]) -> Iterator[Plot]:
    depth = max(len(fact.names) for fact in facts)
    yield _by_bytes(facts)
    yield _by_operations(facts)
    for k in range(depth):
        yield _learning(facts, k)
    for k in range(depth):
        yield _lengths(facts, k, "symbols")
        yield _lengths(facts, k, "bytes")
        yield _positions(facts, k)


def _bytes_a_symbol(rows: list[dict[str, Any]], k: int) -> float | None:
    """Source bytes in a symbol that the model reads: in a token of the level below."""
    return 1.0 if k == 0 else rows[k - 1]["bytes_per_token"]


def _ops(rows: list[dict[str, Any]], k: int) -> float | None:
    body, softmax = rows[k]["ops_per_byte_body"], rows[k]["ops_per_byte_softmax"]
    return None if body is None or softmax is None else body + softmax


def _drawn(facts: list[Facts], series: list[Series]) -> list[Facts]:
    """The stacks that have points in a plot. What it says of texts is said of these alone."""
    colours = {one.colour for one in series if one.ys}
    return [fact for colour, fact in enumerate(facts) if colour in colours]


def _by_bytes(facts: list[Facts]) -> Plot:
    series = _models(facts, _bytes_a_symbol, [MODEL, *BASELINES])
    return Plot(
        key="bits-by-bytes",
        title="Bits a byte against bytes a token",
        x_label="source bytes a token that the model reads",
        y_label="bits a source byte",
        series=series,
        from_zero=True,
        warning=measured_apart(_drawn(facts, series)),
        note="Models in contexts of a segment. One that learned nothing has the bits of its unigram or uniform line.",
    )


def _by_operations(facts: list[Facts]) -> Plot:
    free = any(_ops(rows, k) == 0 for rows in map(_rows, facts) for k in range(len(rows)))
    series = _models(facts, lambda rows, k: _ops(rows, k) or None, [MODEL])
    return Plot(
        key="bits-by-operations",
        title="Bits a byte against operations a byte",
        x_label="operations a source byte (logarithmic)",
        y_label="bits a source byte",
        series=series,
        log_x=True,
        from_zero=True,
        warning=measured_apart(_drawn(facts, series)),
        note="Models in contexts of a segment; operations of a model, its softmax, and those below that must run."
        + (" Models that need no operations are left out." if free else ""),
    )


def _rows(fact: Facts) -> list[dict[str, Any]]:
    return fact.evaluation["levels"] if fact.evaluation else []


def _models(
    facts: list[Facts],
    place: Callable[[list[dict[str, Any]], int], float | None],
    kinds: list[tuple[str, str, Kind]],
) -> list[Series]:
    """Models of all stacks, level after level, by some x; those without one are left out."""
    series = []
    for colour, fact in enumerate(facts):
        rows = _rows(fact)
        for field, label, kind in kinds:
            points = []
            for k, row in enumerate(rows):
                x, y = place(rows, k), row[field]
                if x is not None and y is not None:
                    points.append((float(x), float(y), row["name"]))
            series.append(
                Series(
                    label=f"{fact.label}: {label}",
                    colour=colour,
                    kind=kind,
                    xs=[point[0] for point in points],
                    ys=[point[1] for point in points],
                    names=[point[2] for point in points] if kind == "marks" else [],
                )
            )
    return series


def _title(facts: list[Facts], k: int) -> str:
    """The names that models have at this height of their stacks."""
    return " / ".join(dict.fromkeys(fact.names[k] for fact in facts if k < len(fact.names)))


def _learning(facts: list[Facts], k: int) -> Plot:
    series = []
    for colour, fact in enumerate(facts):
        curve = fact.curves.get(fact.names[k]) if k < len(fact.names) else None
        for points, label, kind in (
            (curve.train if curve else [], "training text", "line"),
            (curve.valid if curve else [], "held-out text", "dashes"),
        ):
            every = -(-len(points) // MAX_POINTS) or 1
            thin = points[::-every][::-1]
            drawn: Kind = "line" if kind == "line" else "dashes"
            if thin:
                series.append(
                    Series(
                        label=f"{fact.label}: {label}",
                        colour=colour,
                        kind=drawn,
                        xs=[float(step) for step, _ in thin],
                        ys=[loss for _, loss in thin],
                    )
                )
    return Plot(
        key=f"learning-{k + 1}",
        title=f"{_title(facts, k)}: learning curve",
        x_label="step",
        whole_x=True,
        y_label="bits a symbol",
        series=series,
        warning=trained_apart(_drawn(facts, series)),
    )


def _lengths(facts: list[Facts], k: int, unit: Literal["symbols", "bytes"]) -> Plot:
    """Histogram of the lengths of a level's windows."""
    series = []
    for colour, fact in enumerate(facts):
        if k >= len(fact.cuttings) or fact.cuttings[k].top:
            continue
        cutting = fact.cuttings[k]
        lengths = cutting.symbols if unit == "symbols" else np.rint(np.diff(cutting.bytes)).astype(np.int64)
        edges, shares = _histogram(lengths)
        mean = float(lengths.mean())
        label = f"{fact.label}: mean {mean:.2f}"
        series.append(Series(label=label, colour=colour, kind="steps", xs=edges, ys=shares))
    drawn = _drawn(facts, series)
    what = "symbols" if unit == "symbols" else "source bytes"
    return Plot(
        key=f"window-{unit}-{k + 1}",
        title=f"{_title(facts, k)}: windows by {what}",
        x_label=f"{what} in a window",
        whole_x=True,
        y_label="% of windows",
        series=series,
        from_zero=True,
        warning=cut_apart(drawn),
        note=_sampled(drawn),
    )


def _histogram(lengths: Int64) -> tuple[list[float], list[float]]:
    """(edges, shares in %) of lengths, one bar for each length where they are few."""
    low, high = int(lengths.min()), int(lengths.max())
    width = -(-(high - low + 1) // BINS)
    counts = np.bincount((lengths - low) // width)
    edges = low - 0.5 + width * np.arange(len(counts) + 1)
    return edges.tolist(), (100.0 * counts / len(lengths)).tolist()


def _positions(facts: list[Facts], k: int) -> Plot:
    series = []
    for colour, fact in enumerate(facts):
        if k >= len(fact.cuttings):
            continue
        cutting = fact.cuttings[k]
        often = np.flatnonzero(cutting.reached >= ENOUGH)
        every = -(-len(often) // MAX_POINTS) or 1
        chosen = often[::every]
        series.append(
            Series(
                label=fact.label,
                colour=colour,
                kind="line",
                xs=(chosen + 1.0).tolist(),
                ys=cutting.by_position[chosen].tolist(),
            )
        )
    drawn = _drawn(facts, series)
    return Plot(
        key=f"positions-{k + 1}",
        title=f"{_title(facts, k)}: bits by position in the window",
        x_label="position of a symbol in its window",
        whole_x=True,
        y_label="bits a symbol, mean",
        series=series,
        from_zero=True,
        warning=cut_apart(drawn),
        note=f"{_sampled(drawn)} Positions that {ENOUGH} windows or more reach; only probable text gets far.",
    )


def _sampled(facts: list[Facts]) -> str:
    """The texts of the stacks that are drawn, in words."""
    if not facts:
        return ""
    sizes = [len(fact.data) for fact in facts]
    span = f"{min(sizes):,} to {max(sizes):,}" if min(sizes) < max(sizes) else f"{max(sizes):,}"
    noun = "byte" if max(sizes) == 1 else "bytes"
    return f"Over the first {span} {noun} of {' / '.join(dict.fromkeys(fact.split for fact in facts))}."
