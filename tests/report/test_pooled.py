"""Which stacks a comparison pools as seeds of one row, and that no run is counted twice."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import stackc
from stackc.api.errors import StackcError
from stackc.report import write_report
from stackc.report.comparison_tables import print_comparison, written


def changed(swept: Path, folder: Path, seeds: int = 3, recipe: dict[str, Any] | None = None) -> Path:
    """A copy of the sweep, of other runs: `seeds` is added to each seed, `recipe` to the recipes."""
    copy = Path(shutil.copytree(swept, folder, symlinks=True))
    content = json.loads((copy / "sweep.json").read_text())
    lines = [json.loads(line) for line in (copy / "table.jsonl").read_text().splitlines()]
    for row in [*content["runs"], *lines]:
        row.update(run=row["run"][::-1], seed=row["seed"] + seeds)
    (copy / "sweep.json").write_text(json.dumps(content))
    (copy / "table.jsonl").write_text("".join(json.dumps(row) + "\n" for row in lines))
    for run in list((copy / "runs").iterdir()):
        run = run.rename(run.with_name(run.name[::-1]))
        manifest = json.loads((run / "manifest.json").read_text())
        manifest["recipe"] |= recipe or {}
        (run / "manifest.json").write_text(json.dumps(manifest))
    return copy


def test_seeds_of_two_sweeps_are_pooled_if_their_recipes_are_the_same(swept: Path, tmp_path: Path) -> None:
    more = changed(swept, tmp_path / "more")
    for section in stackc.compare(swept, more, by="arm").sections:
        assert [(row.name, row.seeds) for row in section.rows] == [("one", (1, 2, 4, 5)), ("two", (1, 2, 4, 5))]
    names = ["one, bits=9", "one, bits=10", "two, bits=9", "two, bits=10"]
    assert [row.name for row in stackc.compare(swept, more).sections[0].rows] == names


@pytest.mark.parametrize("gone", [False, True])
def test_arms_of_one_name_and_different_recipes_are_told_apart_by_their_sweeps(
    swept: Path, tmp_path: Path, gone: bool
) -> None:
    other = changed(swept, tmp_path / "other", recipe={"extra": {"vocabulary": 500}})
    if gone:  # the recipes are unknown
        shutil.rmtree(other / "runs")
    found = stackc.compare(swept, other)
    names = [
        f"{arm}, bits={bits} ({sweep.name})" for sweep in (swept, other) for arm in ("one", "two") for bits in (9, 10)
    ]
    assert [(row.name, len(row.seeds)) for row in found.sections[0].rows] == [(name, 2) for name in names]
    if not gone:
        assert found.differing["extra.vocabulary"] == {name: "500" if "other" in name else "-" for name in names}
    arms = stackc.compare(swept, other, by="arm", baseline="two (other)").sections[0].rows
    assert [row.name for row in arms] == ["two (other)", "one (sweep)", "two (sweep)", "one (other)"]


def test_one_label_for_different_recipes_of_a_sweep_is_refused(swept: Path, tmp_path: Path) -> None:
    copy = changed(swept, tmp_path / "copy")
    run = json.loads((copy / "sweep.json").read_text())["runs"][1]["run"]
    manifest = json.loads((copy / "runs" / run / "manifest.json").read_text())
    manifest["recipe"]["level"][0]["windowing"]["bits"] = 11
    (copy / "runs" / run / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(
        StackcError, match=rf"'one, bits=9' is .* and .*{run}: level.1.windowing.bits is 9 and 11; give"
    ):
        stackc.compare(copy)


def test_a_run_is_counted_once(swept: Path, tmp_path: Path) -> None:
    runs = json.loads((swept / "sweep.json").read_text())["runs"]
    one = swept / "runs" / runs[0]["run"]
    link = tmp_path / "link"
    link.symlink_to(swept)
    for again in (swept, swept / "table.jsonl", link):
        with pytest.raises(StackcError, match=r"(sweep|link): named twice.*; name each sweep once"):
            stackc.compare(swept, again)
    with pytest.raises(StackcError, match=rf"{one}: this run is in {swept} too"):
        stackc.compare(swept, one)
    with pytest.raises(StackcError, match="named twice; name each stack once"):
        stackc.compare(one, link / "runs" / one.name)
    copy = Path(shutil.copytree(swept, tmp_path / "copy", symlinks=True))
    with pytest.raises(StackcError, match=rf"{copy / 'runs' / one.name}: this run is in {swept} too"):
        stackc.compare(swept, copy)
    same = changed(swept, tmp_path / "same", seeds=0)
    with pytest.raises(StackcError, match=r"'one, bits=9': .* and .*same.* have the same recipe and seed 1; name one"):
        stackc.compare(swept, same)


def only(swept: Path, folder: Path, arm: str, values: tuple[str, ...]) -> Path:
    """A copy of the sweep in which this arm has run at these values alone."""
    copy = Path(shutil.copytree(swept, folder, symlinks=True))
    content = json.loads((copy / "sweep.json").read_text())
    kept = [row for row in content["runs"] if row["arm"] != arm or set(row["values"].values()) <= set(values)]
    (copy / "sweep.json").write_text(json.dumps(content | {"runs": kept}))
    return copy


def test_arms_that_are_compared_nowhere_are_an_error(swept: Path, tmp_path: Path) -> None:
    """The baseline has no axis, and the other arm has one."""
    bare = only(swept, tmp_path / "sweep", "one", ("9",))
    content = json.loads((bare / "sweep.json").read_text())
    for row in content["runs"]:
        row.update({"values": {}, "label": "one"} if row["arm"] == "one" else {})
    (bare / "sweep.json").write_text(json.dumps(content))
    with pytest.raises(StackcError, match=r"nothing to compare: no other arm .* where 'one' has one; compare with"):
        stackc.compare(bare, by="arm")
    assert any("nothing to compare" in line for line in write_report([bare], tmp_path / "page.html"))
    assert len(stackc.compare(bare).sections[0].rows) == 3


@pytest.mark.parametrize(
    ("baseline", "line"),
    [
        ("one", "two at bits=10: not compared, since one has no finished run there"),
        ("two", "two at bits=10: not compared, since no other arm has a finished run there"),
    ],
)
def test_points_that_are_not_compared_are_listed(swept: Path, tmp_path: Path, baseline: str, line: str) -> None:
    partial = only(swept, tmp_path / "sweep", "one", ("9",))
    found = stackc.compare(partial, by="arm", baseline=baseline)
    assert [section.point for section in found.sections] == ["bits=9"]
    assert found.left_out == (line,)
    assert stackc.compare(swept, by="arm").left_out == ()
    for suffix in (".md", ".tex", ".json", ".html"):
        assert line in written(found, Path(f"c{suffix}"))
    print_comparison(found, Console(file=(shown := io.StringIO()), width=200))
    assert line in shown.getvalue()
    assert len(write_report([partial], tmp_path / "page.html")) == 1
