"""The plots of stacks that are compared: bits per byte against training operations, and against operations per byte."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from stackc.report.entrants import Entrant
from stackc.report.plots import Plot, Series

PLOTS = (
    ("bits-by-training", "Bits per byte against training operations", "train_operations", "training operations"),
    ("bits-by-operations", "Bits per byte against operations per byte", "operations_per_byte", "operations per byte"),
)
"""Key, title, figure on the x axis, and its name."""

Point = tuple[float, float, str]


def curves_of(entrants: Sequence[Entrant]) -> list[Plot]:
    """Both plots, each with a line per arm and a named mark per setting, the mean over its seeds."""
    arms = list(dict.fromkeys(one.arm for one in entrants))
    found = []
    for key, title, figure, x_label in PLOTS:
        series = [_series(arm, colour, figure, entrants) for colour, arm in enumerate(arms)]
        if not any(one.ys for one in series):
            continue
        note = "Each mark is the mean over seeds. Operations include those of softmax."
        if figure == "operations_per_byte":
            note = f"{note} Levels below that must run are counted."
        if any(not one.figures.get(figure) for one in entrants):
            note = f"{note} Stacks that need no operations are left out."
        found.append(
            Plot(
                key=key,
                title=title,
                x_label=f"{x_label} (logarithmic)",
                y_label="bits per source byte",
                series=series,
                log_x=True,
                note=note,
            )
        )
    return found


def _series(arm: str, colour: int, figure: str, entrants: Sequence[Entrant]) -> Series:
    groups: dict[str, list[Entrant]] = {}
    for one in entrants:
        if one.arm == arm and one.figures.get(figure) and one.figures["bits_per_byte"] is not None:
            groups.setdefault(one.setting, []).append(one)
    points: list[Point] = sorted(
        (
            statistics.fmean(float(one.figures[figure]) for one in group),
            statistics.fmean(float(one.figures["bits_per_byte"]) for one in group),
            group[0].values or arm,
        )
        for group in groups.values()
    )
    return Series(
        label=arm,
        colour=colour,
        kind="marks",
        xs=[x for x, _, _ in points],
        ys=[y for _, y, _ in points],
        names=[name for _, _, name in points],
        owner=arm,
    )
