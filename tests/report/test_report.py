"""The page of `stackc report`: its figures, what it is made of, and what hostile files and texts do to it."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import stackc
from report_pages import APART, HOSTILE, Page, warnings
from stackc.cli import main
from stackc.report import write_report
from stackc.report.facts import gather, labels_of
from stackc.report.plots import plots_of
from stackc.report.table import COLUMNS, LEARNABILITY
from stackc.stack.manifest import stack_sha256


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
        for key in [
            *(key for _, key, _ in LEARNABILITY[1:]),
            "edit_places",
            "prefix_places",
            "first_blank_places",
            "by_position",
        ]:
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


def test_ids_are_unique(stacks: list[Path], tmp_path: Path) -> None:
    write_report(stacks, tmp_path / "page.html")
    ids = [value for _, attrs in Page((tmp_path / "page.html").read_text()).elements if (value := attrs.get("id"))]
    assert len(set(ids)) == len(ids)


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
