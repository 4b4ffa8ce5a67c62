"""Comparisons: intervals with a known answer, refusals, and the same numbers in every format."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import numpy as np
import pytest
from rich.console import Console

import stackc
from stackc.api.errors import ArtifactError, StackcError
from stackc.pipeline.sweeps.columns import FIGURES
from stackc.pipeline.sweeps.folder import SweepFolder
from stackc.report import write_report
from stackc.report.compare import MEANS, _compared
from stackc.report.comparison_tables import print_comparison, written
from stackc.report.curves import curves_of
from stackc.report.entrants import flat_fields
from stackc.report.interval import FEW_UNITS, Units, difference, mean_bits, units_of
from stackc.report.outputs import Outputs
from stackc.stack.blocks import BLOCK, Blocks, load_blocks

UNITS = 60
"""Of synthetic texts."""


def synthetic(random: np.random.Generator, gap: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bits of two stacks on `UNITS` blocks that differ in difficulty by far more than the stacks: own, base, bytes."""
    size = random.integers(BLOCK // 2, BLOCK, UNITS).astype(float)
    rate = 2 + random.normal(0, 0.4, UNITS)
    noise = random.normal(gap, 0.03, UNITS)
    return size * (rate + noise), size * rate, size


# -- intervals


def test_the_interval_covers_the_true_difference_as_often_as_it_says() -> None:
    random = np.random.default_rng(5)
    trials, covered, width = 100, 0, 0.0
    for _ in range(trials):
        own, base, size = synthetic(random, -0.05)
        found = difference(own, base, size)
        assert found.low is not None
        assert found.high is not None
        assert found.low < found.mean < found.high
        covered += found.low <= -0.05 <= found.high
        width += (found.high - found.low) / trials
    assert 0.88 * trials <= covered < trials
    assert width == pytest.approx(2 * 1.96 * 0.03 / UNITS**0.5, rel=0.15), "the noise of pairs, not that of the text"


def test_a_difference_is_relative_to_the_baseline() -> None:
    own, base, size = synthetic(np.random.default_rng(1), 0.1)
    found, back = difference(own, base, size), difference(base, own, size)
    assert found.mean == pytest.approx(own.sum() / size.sum() - base.sum() / size.sum())
    assert found.relative == pytest.approx(own.sum() / base.sum() - 1)
    assert (back.mean, back.low, back.high) == pytest.approx((-found.mean, -(found.high or 0), -(found.low or 0)))
    assert difference(base, base, size).high == 0.0
    assert found == difference(own, base, size), "the same random numbers every time"


def test_too_few_units_have_a_difference_and_no_interval() -> None:
    one = np.ones(FEW_UNITS - 1)
    found = difference(2 * one, one, 8 * one)
    assert (found.mean, found.low, found.high, found.relative) == (0.125, None, None, 1.0)


def blocks_of(documents: list[int]) -> Blocks:
    """Blocks of documents of these sizes."""
    sizes = [[min(BLOCK, size - at) for at in range(0, size, BLOCK)] for size in documents]
    owner = np.repeat(np.arange(len(sizes)), [len(one) for one in sizes])
    source = np.array([size for one in sizes for size in one], np.int64)
    return Blocks(document=owner, source_bytes=source, bits={"M1": source * 2.0})


@pytest.mark.parametrize(
    ("documents", "kind", "count"),
    [
        ([BLOCK * 10 + 1], "block of 16 KiB", 11),
        ([100] * 31, "block of 16 KiB", 31),
        ([100, BLOCK * 3] * 16, "document", 32),
        ([5] * 10_000, "document", 4096),
    ],
)
def test_units_are_documents_if_there_are_enough_and_blocks_otherwise(
    documents: list[int], kind: str, count: int
) -> None:
    found = units_of(blocks := blocks_of(documents))
    assert (found.kind, len(found.first)) == (kind, count)
    assert found.source_bytes.sum() == sum(documents)
    assert found.sums(blocks.bits["M1"]) == pytest.approx(found.source_bytes * 2)


def test_seeds_are_averaged_before_the_units_are_drawn() -> None:
    units = Units(kind="document", first=np.array([0, 2]), source_bytes=np.ones(2))
    runs = [units.sums(np.array(bits)) for bits in ([1.0, 2, 3, 4], [3.0, 4, 5, 6])]
    assert mean_bits(runs).tolist() == [5.0, 9.0]


# -- stacks


@pytest.mark.parametrize(
    ("seeds", "gap", "note"),
    [
        ([1, 2], 2.0, ""),
        ([2], 1.0, "the difference is of seed 2 alone, which base has too"),
        ([4, 2, 1], 2.0, "the difference is of seeds 1, 2 alone, which base has too"),
        ([4], 2.5, "no seed in common with base: the difference is of the seeds too"),
    ],
)
def test_a_difference_is_of_the_seeds_that_both_have(seeds: list[int], gap: float, note: str) -> None:
    """Seed 1 of the baseline is 3 bits per byte below the other arm's, seed 2 one bit; seed 4 is of the other alone."""

    def arm(name: str, rates: dict[int, float]) -> tuple[list[Any], list[Any]]:
        kept = [attrs.evolve(text, bits={"M1": text.source_bytes * rate}) for rate in rates.values()]
        figures = [dict.fromkeys(MEANS) | {"bits_per_byte": rate} for rate in rates.values()]
        entrants = [SimpleNamespace(seed=seed, top="M1", figures=own) for seed, own in zip(rates, figures, strict=True)]
        return entrants, kept

    text = blocks_of([BLOCK] * 40)
    rates = {1: 6.0, 2: 5.0, 4: 6.0}
    own, base = arm("own", {seed: rates[seed] for seed in seeds}), arm("base", {1: 3.0, 2: 4.0})
    found = _compared("own", {"own": own[0], "base": base[0]}, {"own": own[1], "base": base[1]}, "base")
    assert found.difference is not None
    assert not found.seedless, "the seeds differ, or there is one"
    assert (found.difference.mean, found.note, found.seeds) == (gap, note, tuple(seeds))
    assert found.difference.low == found.difference.high == gap


def test_two_stacks_differ_by_what_they_were_measured_to_differ(place: Path) -> None:
    found = stackc.compare(place / "nine", place / "ten")
    assert found.differing == {
        "level.1.windowing.bits": {"nine": "9", "ten": "10"},
        "level.1.tokens.bits": {"nine": "9", "ten": "10"},
    }
    (section,) = found.sections
    assert (section.unit, section.units, section.baseline) == ("block of 16 KiB", 13, "nine")
    base, own = section.rows
    assert base.difference is None
    assert own.difference is not None
    assert own.difference.mean == pytest.approx(own.mean - base.mean, abs=1e-9)
    assert own.difference.low is not None
    assert own.difference.high is not None
    assert own.difference.low < own.difference.mean < own.difference.high
    report = json.loads((place / "ten" / "report" / "report.json").read_text())
    assert own.mean == report["levels"][-1]["model_bits_per_byte"]
    turned = stackc.compare(place / "nine", place / "ten", baseline="ten").sections[0].rows[1]
    assert turned.difference is not None
    assert turned.difference.mean == pytest.approx(-own.difference.mean)


def test_bits_by_block_can_be_measured_anew(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "nine", tmp_path / "nine")
    (tmp_path / "nine" / "report" / "blocks.safetensors").unlink()
    found = stackc.compare(tmp_path / "nine", place / "ten").sections[0].rows[1]
    assert found.difference is None
    assert "--recompute" in found.note
    again = stackc.compare(tmp_path / "nine", place / "ten", recompute=True).sections[0].rows[1]
    assert again.difference == stackc.compare(place / "nine", place / "ten").sections[0].rows[1].difference
    (tmp_path / "nine" / "report" / "blocks.safetensors").write_bytes(b"damaged")
    with pytest.raises(ArtifactError, match="not a readable safetensors file"):
        load_blocks(tmp_path / "nine" / "report")


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        (("nine", "other"), {}, "measured on different texts.*nine: 196,617 bytes, SHA-256 .*ten: 379 bytes"),
        (("nine", "none"), {}, "ten: measured on no text"),
        (
            ("nine", "ten"),
            {"figure": "valid_loss"},
            r"valid_loss is per token.*nine: 1\.70.*ten: 2\.06.*compare bits_per_byte",
        ),
        (("nine", "ten"), {"figure": "speed"}, "no figure named 'speed'; stacks are compared by bits_per_byte alone"),
        (("nine", "ten"), {"figure": "bit_per_byte"}, "no figure named 'bit_per_byte', did you mean bits_per_byte"),
        (("nine", "ten"), {"baseline": "nin"}, "no 'nin' to compare with; did you mean 'nine'"),
        (("nine",), {}, "only 'nine' to compare"),
        (("nine/logs",), {}, "not a stack"),
        (("nine.toml", "ten"), {}, "is a file"),
    ],
)
def test_what_cannot_be_compared_is_refused_by_name(
    place: Path, names: tuple[str, ...], options: dict[str, str], message: str
) -> None:
    with pytest.raises(StackcError, match=message):
        stackc.compare(*(place / name for name in names), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("figure", sorted({*FIGURES, *MEANS} - {"bits_per_byte"}))
def test_a_figure_that_exists_is_refused_with_the_reason(place: Path, figure: str) -> None:
    with pytest.raises(
        StackcError, match=f"^{figure} does not say .* fewer bits.*; stacks are compared by bits_per_byte"
    ):
        stackc.compare(place / "nine", place / "ten", figure=figure)


def test_logs_of_losses_are_refused(place: Path) -> None:
    (place / "metrics.jsonl").write_text('{"loss": 1}\n')
    with pytest.raises(StackcError, match="holds losses per token"):
        stackc.compare(place / "metrics.jsonl", place / "ten")


def test_every_format_has_the_same_numbers(place: Path, tmp_path: Path) -> None:
    found = stackc.compare(place / "nine", place / "ten")
    own = found.sections[0].rows[1]
    assert own.difference is not None
    texts = {suffix: written(found, Path(f"c{suffix}")) for suffix in (".md", ".csv", ".tex", ".json", ".html")}
    shown = f"{own.difference.mean:+.4f}"
    assert all(shown in texts[suffix] for suffix in (".md", ".html"))
    assert f"& {shown.replace('-', '$-$')} &" in texts[".tex"]
    line = list(csv.DictReader(texts[".csv"].splitlines()))[1]
    assert (line["name"], line["difference"]) == ("ten", str(own.difference.mean))
    assert json.loads(texts[".json"])["sections"][0]["rows"][1]["difference"]["low"] == own.difference.low
    assert "paired bootstrap over 13 blocks of 16 KiB" in texts[".md"]
    outputs = Outputs([tmp_path / "c.md"], tmp_path / "png", [place / "nine"], force=False)
    outputs.write(found)
    assert (tmp_path / "c.md").read_text() == texts[".md"]
    with pytest.raises(StackcError, match="exists already"):
        Outputs([tmp_path / "c.md"], None, [], force=False)
    with pytest.raises(StackcError, match="unknown format"):
        Outputs([tmp_path / "c.txt"], None, [], force=False)
    with pytest.raises(StackcError, match="would replace a part of the stack"):
        Outputs([place / "nine" / "report" / "report.json"], None, [place / "nine"], force=True)


# -- sweeps


def test_arms_are_compared_at_equal_points(swept: Path) -> None:
    found = stackc.compare(swept, by="arm", baseline="two")
    assert [section.point for section in found.sections] == ["bits=9", "bits=10"]
    for section in found.sections:
        assert [(row.name, row.seeds) for row in section.rows] == [("two", (1, 2)), ("one", (1, 2))]
        assert section.rows[1].spread == 0.0, "counts do not depend on the seed"
    settings = stackc.compare(swept / "table.jsonl").sections[0]
    assert [row.name for row in settings.rows] == ["one, bits=9", "one, bits=10", "two, bits=9", "two, bits=10"]


def test_the_page_of_a_sweep_has_its_table_its_differences_and_no_foreign_address(swept: Path, tmp_path: Path) -> None:
    missing = write_report([swept], tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert missing == []
    rows = re.findall(r"<tr><th scope=\"row\">(.*?)</th>(.*?)</tr>", page)
    assert len([name for name, _ in rows if name in ("one", "two")]) == 8 + 4
    assert "95 % interval" in page
    assert not re.findall(r"(?:src|href)=\"(?!#)", page)
    with pytest.raises(StackcError, match="name the sweep alone"):
        write_report([swept, swept], tmp_path / "two.html")


def test_half_characters_in_names_are_escaped_in_every_file(swept: Path, tmp_path: Path) -> None:
    """JSON can name them, and so can the name of a file that is not text."""
    folder = Path(shutil.copytree(swept, tmp_path / "sweep", symlinks=True))
    for name in ("sweep.json", "table.jsonl"):
        (folder / name).write_text((folder / name).read_text().replace('"one"', '"one\\udcff\\ud800"'))
    SweepFolder(folder).derive()
    assert "one\\udcff\\ud800" in (folder / "table.md").read_text()
    files = [tmp_path / f"c{suffix}" for suffix in (".md", ".csv", ".tex", ".json", ".html")]
    Outputs(files, None, [], force=False).write(stackc.compare(folder, by="arm", baseline="two"))
    for file in files[:-1]:
        assert "ud800" in file.read_text()
    write_report([folder], tmp_path / "page.html")
    for page in (files[-1], tmp_path / "page.html"):
        assert "two" in page.read_text()


def test_fields_are_numbered_from_one() -> None:
    data = {"level": [{"a": 1}, {"a": [2, 3]}], "b": {}}
    assert dict(flat_fields(data)) == {"level.1.a": 1, "level.2.a": [2, 3]}


def test_sections_name_their_axes_and_plots_do_not(swept: Path) -> None:
    """Names in plots are cut off, and the values are what differs."""
    found = stackc.compare(swept, by="arm")
    assert "Compared with one at bits=10, on" in written(found, Path("c.md"))
    costly = [attrs.evolve(one, figures=one.figures | {"train_operations": 1e9}) for one in found.entrants]
    assert {name for series in curves_of(costly)[0].series for name in series.names} == {"9", "10"}


@pytest.mark.parametrize("width", [56, 80, 200])
def test_a_terminal_shows_whole_addresses_and_figures(swept: Path, width: int) -> None:
    found = stackc.compare(swept)
    long = "level.1.coder.options.of.a.coder.vocabulary"
    found = attrs.evolve(found, differing=found.differing | {long: dict.fromkeys(found.settings, "300")})
    console = Console(file=(shown := io.StringIO()), width=width, force_terminal=True, no_color=True)
    print_comparison(found, console)
    text = re.sub(r"\x1b\[[0-9;]*m", "", shown.getvalue())
    tables, _, _ = text.partition("Bits per byte of the top model, mean")
    assert all(re.search(rf"^{re.escape(field)} ", tables, re.MULTILINE) for field in found.differing)
    for row in found.sections[0].rows[1:]:
        assert row.difference is not None
        assert f"{row.mean:.4f}" in tables
        assert f"{row.difference.low:+.4f}..{row.difference.high:+.4f}" in tables
    assert "\u2026" not in tables


def test_what_no_seed_changes_is_said_to_be_so(swept: Path, tmp_path: Path) -> None:
    """Counts: with other seeds than the baseline's, a difference is of no seeds."""
    content = json.loads((swept / "sweep.json").read_text())
    folder = Path(shutil.copytree(swept, tmp_path / "sweep", symlinks=True))
    for row in content["runs"]:
        row["seed"] += 5 * (row["arm"] == "two")
    (folder / "sweep.json").write_text(json.dumps(content))
    found = stackc.compare(folder, by="arm")
    assert [row.seeds for row in found.sections[0].rows] == [(1, 2), (6, 7)]
    assert all(row.seedless and not row.note for section in found.sections for row in section.rows)
    text = written(found, Path("c.md"))
    assert text.count("All rows: all seeds give the same bits, so the seed changes nothing there.") == 2
    assert "of the seeds too" not in text


def test_labels_with_commas_are_quoted_in_lists(swept: Path, place: Path) -> None:
    with pytest.raises(
        StackcError, match=r"different texts.*: 'one, bits=9', 'one, bits=10', .*bytes, .*; ten: 379 bytes"
    ):
        stackc.compare(swept, place / "other")
    with pytest.raises(StackcError, match=r"bytes per token: 'one, bits=9': 0\.\d+, 'one, bits=10': 0"):
        stackc.compare(swept, figure="loss")
