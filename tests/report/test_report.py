"""The page of `stackc report`: its figures, what it is made of, and what hostile files and texts do to it."""

from __future__ import annotations

import hashlib
import html
import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from click.testing import CliRunner

import stackc
from recipes_of_tests import corpus, counting, counting_twice, four_level
from stackc.cli import main
from stackc.coding.scoring import symbol_bits
from stackc.report import write_report
from stackc.report.browser import MAX_PIECES, shown
from stackc.report.facts import Curve, gather, labels_of
from stackc.report.labels import place
from stackc.report.plots import Plot, Series, _without_first_steps, plots_of
from stackc.report.sample_text import cut
from stackc.report.svg import legend, svg
from stackc.report.table import COLUMNS, LEARNABILITY
from stackc.report.ticks import linear, logarithmic, written
from stackc.stack.manifest import stack_sha256
from stackc.stack.store import bytes_chunk

HOSTILE = b'<script>alert("1")</script>&amp; \xff\xfe </pre><b title="x">\n' * 3
VOID = {"meta", "input", "br"}


class Page(HTMLParser):
    """Elements with their attributes; fails where a closing tag has no opening one."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, tag: str, key: str) -> list[str]:
        return [str(attrs[key]) for name, attrs in self.elements if name == tag and key in attrs]


@pytest.fixture(scope="module")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three stacks: one level, two levels, and every coder; the test text of the first is hostile."""
    folder = tmp_path_factory.mktemp("stacks")
    corpus(folder)
    made = []
    for name, recipe in (("twice", counting_twice()), ("four", four_level()), ("counting", counting())):
        if name == "counting":
            (folder / "test.txt").write_bytes(HOSTILE)
        (folder / f"{name}.toml").write_text(recipe)
        made.append(stackc.build(folder / f"{name}.toml", folder / name).folder)
    return made


def test_the_figures_are_those_of_the_reports(stacks: list[Path], tmp_path: Path) -> None:
    write_report(stacks, tmp_path / "page.html")
    page = Page((tmp_path / "page.html").read_text())
    wanted: list[str] = []
    for columns in COLUMNS, LEARNABILITY:
        for folder in stacks:
            for row in json.loads((folder / "report" / "report.json").read_text())["levels"]:
                wanted += [repr(row[key]) for _, key, _ in columns[1:] if row[key] is not None]
    assert page.all("td", "data-value") == wanted
    assert page.all("section", "id")[:3] == ["about", "figures", "learnability"]


def test_a_report_of_an_older_build_has_one_table(stacks: list[Path], tmp_path: Path) -> None:
    old = tmp_path / "old"
    shutil.copytree(stacks[0], old)
    path = old / "report" / "report.json"
    report, size = json.loads(path.read_text()), path.stat().st_size
    for row in report["levels"]:
        for key in [*(key for _, key, _ in LEARNABILITY[1:]), "edit_places", "prefix_places", "by_position"]:
            del row[key]
    path.write_text(json.dumps(report).ljust(size))
    lines = write_report([old], tmp_path / "page.html")
    assert not any("no figures" in line for line in lines)
    assert "learnability" not in Page((tmp_path / "page.html").read_text()).all("section", "id")


def test_the_page_has_nothing_outside_it(stacks: list[Path], tmp_path: Path) -> None:
    write_report(stacks, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    page = Page(text)
    assert not {"link", "img", "iframe", "base", "object"} & {tag for tag, _ in page.elements}
    assert not page.all("script", "src")
    assert all(link.startswith("#") for link in page.all("a", "href"))
    assert not re.search(r"https?:|url\(|@import|//\w", text)
    anchors = {value for _, attrs in page.elements if (value := attrs.get("id"))}
    assert {link[1:] for link in page.all("a", "href")} <= anchors
    assert {"bits-by-bytes", "window-bytes-1", "window-bytes-2", "learning-1"} <= anchors


def panes(text: str) -> dict[str, str]:
    """The text as each stack's levels cut it, by their names on the page, of all lines together."""
    found: dict[str, str] = {}
    for view, line in re.findall(r'<pre class="[^"]*" data-view="([^"]*)"[^>]*>(.*?)</pre>', text, re.DOTALL):
        found[view] = found.get(view, "") + line
    return found


def test_hostile_text_is_shown_and_does_nothing(stacks: list[Path], tmp_path: Path) -> None:
    write_report([stacks[2]], tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    page = Page(text)
    assert [tag for tag, _ in page.elements].count("script") == 1
    assert len(panes(text)) == 2  # M1, and the top model over the same tokens
    for pane in panes(text).values():
        kept = re.sub(r"<[^>]*>", "", pane).replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"')
        assert kept.replace("↵", "").replace("&amp;", "&") == HOSTILE.decode(errors="backslashreplace")


def test_bytes_that_cannot_be_seen_are_escapes() -> None:
    assert shown(b"a<b") == "a&lt;b"
    assert shown(b"\xff\x00") == r"<i>\xff</i><i>\x00</i>"
    assert shown("é\u202e".encode()) == r"é<i>\u202e</i>"
    assert shown("é".encode()[:1]) == r"<i>\xc3</i>"


def test_windows_hold_all_of_the_text(stacks: list[Path]) -> None:
    for folder in stacks:
        stack = stackc.load(folder)
        documents = [b"It is a truth universally acknowledged. " * 12, b"", HOSTILE, b"x"]
        chunk = bytes_chunk(documents)
        missing: list[str] = []
        cuttings = list(cut(stack, chunk.symbols, chunk.offsets, missing, lambda stage: None))
        assert [cutting.name for cutting in cuttings] == [
            *(level.name for level in stack.levels),
            stack.recipe.top.name,
        ]
        symbols, offsets = chunk.symbols, chunk.offsets
        for cutting, level in zip(cuttings, [*stack.levels, None], strict=True):
            assert cutting.symbols.sum() == len(symbols)
            assert cutting.bytes[0] == 0
            assert cutting.bytes[-1] == pytest.approx(len(chunk.symbols))
            assert (np.diff(cutting.bytes) >= 0).all()
            assert cutting.bounds[-1] == len(cutting.tokens)
            if level is None:
                continue
            coded = level.encode(symbols, offsets)
            assert np.array_equal(cutting.tokens, coded.tokens)
            if cutting.bits is not None:
                restarts = coded.starts if level.spec.restarts_with_window else None
                costs = np.concatenate(
                    list(symbol_bits(level.spec.predictor, symbols, offsets, level.spec.segment, restarts))
                )
                assert cutting.bits.sum() == pytest.approx(costs.sum())
                assert (cutting.by_position * cutting.reached).sum() == pytest.approx(costs.sum())
            symbols, offsets = coded.tokens, coded.offsets


def test_windows_of_the_first_level_are_its_texts(stacks: list[Path]) -> None:
    stack = stackc.load(stacks[0])
    text = b"It is a truth universally acknowledged. " * 9
    chunk = bytes_chunk([text])
    first = next(cut(stack, chunk.symbols, chunk.offsets, [], lambda stage: None))
    ends = first.bytes.astype(int)
    for i in range(len(first.symbols)):
        tokens = first.tokens[first.bounds[i] : first.bounds[i + 1]]
        assert stack.decode(tokens, "M1") == text[ends[i] : ends[i + 1]]


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


APART = "different texts: stacks cannot be compared."


def warnings(text: str) -> dict[str, str]:
    """The warnings of a page, by figure; that of the table has no name."""
    found = {}
    for part in re.split(r'(?=<figure id=")', text):
        key = re.match(r'<figure id="([^"]+)"', part)
        if said := re.search(r'<p class="warning">(.*?)</p>', part):
            found[key[1] if key else ""] = html.unescape(re.sub("<[^>]*>", "", said[1]))
    return found


def test_figures_of_different_texts_are_no_comparison_and_it_is_said(stacks: list[Path], tmp_path: Path) -> None:
    write_report([stacks[0], stacks[2]], tmp_path / "page.html")
    found = warnings((tmp_path / "page.html").read_text())
    both = {"", "bits-by-bytes", "window-bytes-1"}
    assert set(found) == both, "one of the two has a second level: nothing is compared there"
    assert found["bits-by-bytes"] == f"Measured on {APART}"
    assert found["window-bytes-1"] == f"Windows of {APART}"
    for folder in (stacks[0], stacks[2]):
        text = stackc.load(folder).folder / "corpus" / "test" / "symbols.bin"
        digest = hashlib.sha256(text.read_bytes()).hexdigest()
        assert f"{text.stat().st_size:,} bytes, SHA-256 {digest[:8]}…" in found[""]
    # Their corpora are not needed, and one text for the windows does not make the figures comparable.
    bare = [Path(shutil.copytree(folder, tmp_path / folder.name)) for folder in (stacks[0], stacks[2])]
    for folder in bare:
        shutil.rmtree(folder / "corpus")
    (tmp_path / "notes.txt").write_bytes(HOSTILE)
    write_report(bare, tmp_path / "bare.html", text=tmp_path / "notes.txt")
    found = warnings((tmp_path / "bare.html").read_text())
    assert found["bits-by-bytes"] == f"Measured on {APART}"
    assert "window-bytes-1" not in found


def test_figures_of_one_text_stand_without_a_warning(stacks: list[Path], tmp_path: Path) -> None:
    for chosen in ([stacks[2]], stacks[:2]):
        write_report(chosen, tmp_path / "page.html", force=True)
        assert warnings((tmp_path / "page.html").read_text()) == {}


def test_a_text_that_is_not_known_is_said(stacks: list[Path], tmp_path: Path) -> None:
    old = Path(shutil.copytree(stacks[1], tmp_path / "old"))
    manifest = json.loads((old / "manifest.json").read_text())
    manifest["parts"] = {name: part for name, part in manifest["parts"].items() if not name.startswith("corpus/")}
    (old / "manifest.json").write_text(json.dumps(manifest))
    write_report([stacks[0], old], tmp_path / "page.html")
    found = warnings((tmp_path / "page.html").read_text())
    assert found["bits-by-bytes"] == "Measured on texts that may differ: perhaps stacks cannot be compared."
    assert "SHA-256 unknown" in found[""]


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


def test_a_stack_is_shown_once(stacks: list[Path], tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(stacks[0])
    for again in (stacks[0], stacks[0] / ".." / stacks[0].name, tmp_path / "link"):
        with pytest.raises(stackc.StackcError, match="named twice"):
            write_report([stacks[0], again], tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_stacks_of_one_name_have_labels_of_their_own(stacks: list[Path], tmp_path: Path) -> None:
    same = [Path(shutil.copytree(stacks[0], tmp_path / one / "runs" / "twice")) for one in ("a", "b")]
    assert [fact.label for fact in gather(same, 100)] == ["twice (a/runs/twice)", "twice (b/runs/twice)"]
    assert labels_of(["x", "y"], [Path("1"), Path("2")]) == ["x", "y"]
    with pytest.raises(stackc.StackcError, match="1: named twice; name each stack once"):
        labels_of(["x", "x"], [Path("1"), Path("1")])
    long = "d" * 60
    assert labels_of(["x", "x"], [Path(f"{long}1"), Path(f"{long}2")]) == [f"1: x ({long}1)", f"2: x ({long}2)"]
    assert labels_of([f"{long}1", f"{long}2"], [Path("1"), Path("2")]) == [f"1: {long}1", f"2: {long}2"]
    assert labels_of(["\u4e2d", "\u56fd"], [Path("1"), Path("2")]) == ["1: \u4e2d", "2: \u56fd"]


def test_what_is_missing_is_said_and_the_rest_is_shown(stacks: list[Path], tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(stacks[0], bare)
    for part in "report", "logs", "corpus":
        shutil.rmtree(bare / part, ignore_errors=True)  # a stack of counts alone has no logs
    lines = write_report([bare, stacks[1]], tmp_path / "page.html")
    told = "\n".join(line for line in lines if line.startswith(f"{bare}: "))
    assert "report.json" in told
    assert "metrics.jsonl" in told
    assert "corpus/test" in told
    text = (tmp_path / "page.html").read_text()
    assert "no report;" in text
    assert text.count("<tbody>") == 3, "both stacks in the table of figures, and one in that of learnability"


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[]",
        b'{"levels": [{}]}',
        b'{"levels": 3, "source_bytes": 1, "documents": 1}',
        b"\xff" * 9,
        b'{"levels": [{"by_position": [{"accuracy": "<b>", "bits": 1}]}], "source_bytes": 1, "documents": 1}',
        b'{"levels": [{"words_cut_alike": NaN}], "source_bytes": 1, "documents": 1}',
    ],
)
def test_a_damaged_report_is_left_out(stacks: list[Path], tmp_path: Path, content: bytes) -> None:
    bad = tmp_path / "bad"
    shutil.copytree(stacks[0], bad)
    size = (bad / "report" / "report.json").stat().st_size
    (bad / "report" / "report.json").write_bytes(content.ljust(size))  # the manifest knows the size
    lines = write_report([bad], tmp_path / "page.html")
    assert any("no figures" in line and "report.json" in line for line in lines)


def test_logs_are_not_trusted(stacks: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    shutil.copytree(stacks[1], folder)
    lines: list[Any] = [
        {"stage": "M1/model", "step": 1, "loss": 5.0}, {"stage": "M1/model", "step": 9, "loss": 4.0},
        {"stage": "M1/model", "step": 5, "loss": 4.5, "valid_loss": 4.4}, {"stage": "M1/model", "step": "7", "loss": 1},
        {"stage": "M1/model", "step": 8, "loss": "x"}, {"stage": "<b>", "step": 8, "loss": 1}, [], 3,
    ]  # fmt: skip
    log = "\n".join(json.dumps(line) for line in lines) + '\n{"stage": "M1/model", "step": 9, "loss": NaN}\n{"cut'
    (folder / "logs" / "metrics.jsonl").write_text(log)
    curves = gather([folder], 100)[0].curves
    assert list(curves) == ["M1"]
    assert curves["M1"].train == [(1, 5.0), (5, 4.5)]  # step 9 was done again from an earlier checkpoint on
    assert curves["M1"].valid == [(5, 4.4)]


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


def test_another_text_is_cut(stacks: list[Path], tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(stacks[0], bare)
    shutil.rmtree(bare / "corpus")
    lines = write_report([bare], tmp_path / "without.html")
    assert any("--text FILE" in line for line in lines)
    (tmp_path / "notes.txt").write_bytes(HOSTILE)
    write_report([bare], tmp_path / "page.html", text=tmp_path / "notes.txt")
    text = (tmp_path / "page.html").read_text()
    assert "notes.txt" in text
    kept = html.unescape(re.sub(r"<[^>]*>", "", panes(text)["s0l0"]))
    assert kept.replace("↵", "") == HOSTILE.decode(errors="backslashreplace")


def test_a_page_holds_so_many_pieces_and_no_more(stacks: list[Path], tmp_path: Path) -> None:
    (tmp_path / "dear.bin").write_bytes(np.random.default_rng(1).integers(0, 256, 9000, np.uint8).tobytes())
    same = [shutil.copytree(stacks[1], tmp_path / name) for name in "abc"]
    write_report(same, tmp_path / "page.html", text=tmp_path / "dear.bin")
    page = Page((tmp_path / "page.html").read_text())
    pieces = len([tag for tag, _ in page.elements if tag == "b"])
    assert MAX_PIECES // 3 < pieces <= MAX_PIECES
    assert (tmp_path / "page.html").stat().st_size < 2_000_000


def test_ids_are_unique(stacks: list[Path], tmp_path: Path) -> None:
    write_report(stacks, tmp_path / "page.html")
    ids = [value for _, attrs in Page((tmp_path / "page.html").read_text()).elements if (value := attrs.get("id"))]
    assert len(set(ids)) == len(ids)


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


def test_the_command(stacks: list[Path], tmp_path: Path) -> None:
    page, images = tmp_path / "page.html", tmp_path / "images"
    arguments = ["report", *map(str, stacks), "-o", str(page), "--png", str(images), "--sample", "700"]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    plots = plots_of(gather(stacks, 700))
    assert sorted(path.stem for path in images.iterdir()) == sorted(plot.key for plot in plots)
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in images.iterdir())


def test_errors_are_one_line_and_write_nothing(
    stacks: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, there, images = tmp_path / "page.html", tmp_path / "there.html", tmp_path / "full"
    there.touch()
    images.mkdir()
    (images / "bits-by-bytes.png").touch()
    for arguments, said in (
        ([str(tmp_path)], "not a stack"),
        ([str(tmp_path / "nothing")], "not a stack"),
        ([str(stacks[0]), "-o", str(tmp_path / "no" / "page.html")], "create it first"),
        ([str(stacks[0]), "-o", str(tmp_path)], "is a folder; name a file"),
        ([str(stacks[0]), "-o", str(there)], "--force"),
        ([str(stacks[0]), "--text", str(tmp_path / "no.txt")], "cannot read"),
        ([str(stacks[0]), "--text", str(there)], "the file is empty; name a file with text"),
        ([str(stacks[0]), "--png", str(images)], "--force"),
    ):
        result = CliRunner().invoke(main, ["report", "-o", str(page), *arguments])
        assert result.exit_code == 2
        assert said in result.output
        assert result.output.count("\n") == 1, result.output
        assert not page.exists()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = CliRunner().invoke(main, ["report", str(stacks[0]), "-o", str(page), "--png", str(tmp_path / "images")])
    assert result.exit_code == 2
    assert 'pip install "stackc[report]"' in result.output
    assert not page.exists()


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


def test_the_head_names_date_version_recipe_corpus_and_hashes(stacks: list[Path], tmp_path: Path) -> None:
    write_report(stacks, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert re.search(rf"Written \d{{4}}-\d\d-\d\d by stackc {re.escape(stackc.__version__)}<", text)
    cards = re.findall(r"<article[^>]*>(.*?)</article>", text, re.DOTALL)
    assert len(cards) == len(stacks)
    for card, folder in zip(cards, stacks, strict=True):
        manifest = json.loads((folder / "manifest.json").read_text())
        assert stack_sha256(manifest) in card
        assert f"Recipe {manifest['name']}</summary>" in card
        assert "kind = &#x27;" in card, "the recipe itself"
        assert re.search(r"<dt>Built</dt><dd>\d{4}-\d\d-\d\d, stackc ", card)
        for split in "train", "test":
            part = manifest["parts"][f"corpus/{split}/symbols.bin"]
            assert f"{part['bytes']:,} bytes, <code>{part['sha256'][:16]}…</code>" in card


def test_the_best_figures_are_bold_where_stacks_can_be_compared(stacks: list[Path], tmp_path: Path) -> None:
    write_report(stacks[:2], tmp_path / "page.html")
    bold = re.findall(r'<td data-value="([^"]*)"><strong>', (tmp_path / "page.html").read_text())
    rows = [row for one in stacks[:2] for row in json.loads((one / "report" / "report.json").read_text())["levels"]]
    models = [row["model_bits_per_byte"] for row in rows if row["model_bits_per_byte"] is not None]
    assert repr(min(models)) in bold
    assert repr(max(row["bytes_per_token"] for row in rows)) in bold
    assert repr(max(models)) not in bold
    write_report(stacks, tmp_path / "apart.html")  # of different texts: no figure is the best
    assert "<strong>" not in (tmp_path / "apart.html").read_text().partition("<main>")[2].partition('id="text"')[0]


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


def test_stacks_are_side_by_side_line_by_line(stacks: list[Path], tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_bytes(b"It is a truth\nuniversally\n\n\nacknowledged, that\n" + HOSTILE)
    write_report(stacks, tmp_path / "page.html", text=tmp_path / "notes.txt")
    text = (tmp_path / "page.html").read_text()
    assert text.count('<div class="browser"') == 1
    rows = re.findall(r'<div class="row">(.*?</pre></div>)</div>', text, re.DOTALL)
    lines = re.findall(rb"[^\n]*\n+", (tmp_path / "notes.txt").read_bytes())
    assert len(rows) == len(lines)
    for row, line in zip(rows, lines, strict=True):
        views = panes(row)
        assert {view[:2] for view in views} == {"s0", "s1", "s2"}
        for view in views.values():
            seen = html.unescape(re.sub("<[^>]*>", "", re.sub("<i>·</i>", "", view))).replace("↵", "")
            assert seen == line.decode(errors="backslashreplace")
    ids = re.findall(r'<input type="radio"[^>]* checked>', text)
    assert len(ids) == 3
    assert all("(top)" in one for one in ids), "comparable whatever their depth"


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_opens_it_and_the_hover_works(stacks: list[Path], tmp_path: Path, width: int) -> None:
    page = tmp_path / "page.html"
    write_report(stacks, page)
    hover = """<script>
        var view = document.querySelector("input:checked[type=radio]").id;
        var pieces = document.querySelectorAll(`pre[data-view=${view}] b`), piece = pieces[1];
        window.wanted = piece.title;
        piece.dispatchEvent(new PointerEvent("pointerover", {bubbles: true}));
        document.body.dataset.told = document.getElementById("told").textContent.endsWith(window.wanted);
        document.querySelector(`.row pre[data-view=${view}]`).focus();
        document.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowRight"}));
        document.body.dataset.next = pieces[2].className.endsWith(" on");
        document.dispatchEvent(new KeyboardEvent("keydown", {key: "Escape"}));
        document.body.dataset.gone = getComputedStyle(document.getElementById("told")).display;
        document.getElementById("s0l1").click();
        var shown = view => getComputedStyle(document.querySelector(`pre[data-view=${view}]`)).display;
        document.body.dataset.switched = shown("s0l1");
        document.body.dataset.hidden = shown("s0l0");
        var whole = document.querySelector("#bits-by-bytes .whole");
        document.body.dataset.lines = getComputedStyle(whole).display;
        document.getElementById("bits-by-bytes-lines").click();
        document.body.dataset.ticked = getComputedStyle(whole).display;
        var table = document.querySelector(".wide"), heading = table.querySelector("tr:not(.stack)>th[scope=row]");
        table.scrollLeft = 200;
        var kept = heading.getBoundingClientRect().left - table.getBoundingClientRect().left;
        document.body.dataset.sticky = Math.abs(kept) < 3;
        var cells = [...document.querySelector(".row").children].map(cell => cell.getBoundingClientRect());
        document.body.dataset.beside = cells.length < 2 || cells[0].top === cells[1].top;
        var count = 0, touching = [];
        document.querySelectorAll("figure").forEach(figure => {
            var texts = [...figure.querySelectorAll("div>svg text.tick,div>svg text.label")];
            texts.forEach((one, i) => texts.slice(0, i).forEach(other => {
                var a = one.getBoundingClientRect(), b = other.getBoundingClientRect();
                var x = Math.min(a.right, b.right) - Math.max(a.left, b.left);
                var y = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
                count++;
                if (x > 0 && y > 0) touching.push(figure.id + " " + other.textContent + " " + one.textContent);
            }));
        });
        document.body.dataset.texts = count > 100;
        document.body.dataset.touching = touching.join() || "none";
        document.body.dataset.wide = document.documentElement.scrollWidth > window.innerWidth;
    </script>"""
    page.write_text(page.read_text().replace("</body>", hover + "</body>"))
    result = subprocess.run(
        [
            str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            f"--window-size={width},800",
            "--enable-logging=stderr", "--v=0", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", page.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "CONSOLE" not in result.stderr
    body = dict(re.findall(r'data-(\w+)="([^"]+)"', re.search(r"<body[^>]*>", result.stdout)[0]))  # type: ignore[index]
    assert body == {
        "told": "true",
        "next": "true",
        "gone": "none",
        "switched": "block",
        "hidden": "none",
        "lines": "none",
        "ticked": "flex",
        "sticky": "true",
        "beside": "true" if width > 700 else "false",
        "texts": "true",
        "touching": "none",
        "wide": "false",
    }
