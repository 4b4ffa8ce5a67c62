"""The plots of `stackc report`: what they draw, their axes, names and colours."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

import stackc
from recipes_of_tests import corpus, four_level
from report_pages import APART, Page
from stackc.report.facts import Curve, gather
from stackc.report.labels import place
from stackc.report.plots import Plot, Series, _without_first_steps, plots_of
from stackc.report.svg import legend, svg
from stackc.report.ticks import linear, logarithmic, written


def test_plots_of_several_stacks(stacks: list[Path]) -> None:
    facts = gather(stacks, 1000)
    plots = {plot.key: plot for plot in plots_of(facts)}
    lengths = plots["window-bytes-1"]
    assert [one.colour for one in lengths.series] == [0, 1, 2]
    for one, fact in zip(lengths.series, facts, strict=True):
        assert sum(one.ys) == pytest.approx(100)
        assert f"mean {fact.cuttings[0].symbols.mean():.2f}" in one.label
    for fact, one in zip(facts, [s for s in plots["bits-by-bytes"].series if s.kind == "marks"], strict=True):
        rows = fact.evaluation["levels"] if fact.evaluation else []
        assert one.ys == [row["model_bits_per_byte"] for row in rows if row["model_bits_per_byte"] is not None]
    assert {one.colour for one in plots["learning-1"].series} == {1}  # the only ones that were trained by steps


def test_curves_of_different_training_texts_are_no_comparison(stacks: list[Path], tmp_path: Path) -> None:
    corpus(tmp_path)
    with (tmp_path / "train-a.txt").open("a") as file:
        file.write("One more line.")
    (tmp_path / "recipe.toml").write_text(four_level())
    other = stackc.build(tmp_path / "recipe.toml", tmp_path / "other").folder
    plots = {plot.key: plot for plot in plots_of(gather([stacks[1], other], 100))}
    assert plots["learning-1"].warning == f"Trained on {APART}"
    assert plots["bits-by-bytes"].warning == ""


def test_a_figure_speaks_of_the_stacks_that_it_shows(stacks: list[Path]) -> None:
    """Two stacks of one text, and a third of another that has points in some of their figures only."""
    one, low = (gather([folder], 2000)[0] for folder in (stacks[1], stacks[2]))
    two = attrs.evolve(one, label="two")
    low.curves["M2"] = Curve(name="M2", train=[(1, 8.0)], valid=[])
    low.texts["train"] = "another"
    small, large = len(low.data), len(one.data)
    assert small < large
    measured, cut_up = f"Measured on {APART}", f"Windows of {APART}"
    both, alone = f"Over the first {small} to {large} bytes", f"Over the first {large} bytes"
    for facts in ([one, two, low], [low, one, two]):
        plots = {plot.key: plot for plot in plots_of(facts)}
        for key, count, warning, note in (
            ("bits-by-bytes", 3, measured, ""),
            ("bits-by-operations", 2, "", ""),  # counts need none
            ("learning-1", 2, "", ""),
            ("window-bytes-1", 3, cut_up, both),
            ("positions-1", 2, "", alone),  # no model
            ("window-bytes-2", 2, "", alone),
        ):
            assert len({series.colour for series in plots[key].series if series.ys}) == count
            assert plots[key].warning == warning, key
            assert plots[key].note.startswith(note), key


def test_names_in_plots_are_escaped() -> None:
    series = Series(label="<i>\u202e", colour=0, kind="marks", xs=[1.0], ys=[2.0], names=['"<'])
    plot = Plot(key="k", title="<t>", x_label="&", y_label='"', series=[series], log_x=True)
    drawn = svg(plot) + legend(plot)
    assert not re.search("<i>|<t>|\u202e", drawn)
    Page(drawn)


def test_names_of_points_cover_nothing() -> None:
    points = [(50.0 + 6 * i, 60.0, f"M{i}") for i in range(5)] + [(2.0, 99.0, "corner"), (198.0, 1.0, "corner")]
    points.append((51.0, 60.0, "M0"))
    boxes = [
        (x, y - 10, x + 0.62 * 10 * len(name), y)
        for x, y, name in place(
            [(x, y, ["a name that fits nowhere " * 2, name]) for x, y, name in points], 10, (0, 0, 200, 100)
        )
    ]
    for i, one in enumerate(boxes):
        assert one[0] >= 0
        assert one[2] <= 200
        assert all(not (one[0] < x < one[2] and one[1] + 2 < y < one[3] - 2) for x, y, _ in points)
        for other in boxes[:i]:  # the twin of the first shares its place
            if other == one:
                continue
            assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 0), (3, 3), (-2, 7), (0.001, 0.0012), (1, 123456)])
def test_ticks_span_what_is_drawn(low: float, high: float) -> None:
    ticks = linear(low, high)
    assert ticks[0] <= low
    assert ticks[-1] >= high
    assert 2 <= len(ticks) <= 8
    assert len({written(tick) for tick in ticks}) == len(ticks)
    if low > 0:
        logs = logarithmic(low, high)
        assert logs[0] <= low * 1.001
        assert logs[-1] >= high * 0.999


def test_images_depend_on_no_setting_of_matplotlib(stacks: list[Path], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    (tmp_path / "matplotlibrc").write_text("lines.linewidth: 9\ntext.usetex: True\n")
    images = []
    for more in ({}, {"MPLBACKEND": "module://nowhere.inline", "MATPLOTLIBRC": str(tmp_path / "matplotlibrc")}):
        out = tmp_path / f"images{len(images)}"
        arguments = ["report", str(stacks[0]), "-o", str(tmp_path / f"{out.name}.html"), "--png", str(out)]
        code = f"import sys; sys.argv[1:] = {arguments!r}; from stackc.cli import run; run()"
        ended = subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, **more}, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stderr
        images.append({path.name: path.read_bytes() for path in out.iterdir()})
    assert images[0]
    assert images[0] == images[1]


def test_no_picture_is_shown_twice_and_axes_fit_the_data(stacks: list[Path]) -> None:
    for chosen in (stacks, stacks[:1], stacks[1:2]):
        plots = plots_of(gather(chosen, 2000))
        drawn = [tuple((tuple(one.xs), tuple(one.ys)) for one in plot.series if one.ys) for plot in plots]
        assert len(set(drawn)) == len(drawn)
        by_bytes = plots[0].plain
        ys = [y for one in by_bytes.series for y in one.ys]
        assert not any(one.reference for one in by_bytes.series)
        assert any(one.reference for one in plots[0].series)
        ticks = linear(min(ys), max(ys))
        assert f">{written(ticks[0])}</text>" in svg(by_bytes)
        assert ticks[0] > 0 or min(ys) < ticks[1]


def test_points_name_their_stack(stacks: list[Path]) -> None:
    several, alone = (plots_of(gather(chosen, 100))[0].plain for chosen in (stacks[:2], stacks[:1]))
    assert ">twice M2</text>" in svg(several)
    assert ">four " in svg(several)
    assert ">M2</text>" in svg(alone)
    assert ">twice M2</text>" not in svg(alone)


def test_a_curve_without_its_first_steps() -> None:
    falling = Series(
        label="a", colour=0, kind="line", xs=[float(x) for x in range(101)], ys=[8 / (1 + x) for x in range(101)]
    )
    (low,), note = _without_first_steps([falling])
    assert note.startswith("The first steps, from 8 bits")
    assert max(low.ys) == low.ys[0] == 8 / 6
    assert low.xs[-1] == 100
    flat = attrs.evolve(falling, ys=[3.0 - x / 1000 for x in range(101)])
    assert _without_first_steps([flat]) == ([flat], "")
    assert _without_first_steps([attrs.evolve(flat, xs=[], ys=[])]) == ([attrs.evolve(flat, xs=[], ys=[])], "")
