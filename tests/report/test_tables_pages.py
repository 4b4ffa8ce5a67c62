"""Pages of sweeps and comparisons: what they were made from, and their best figures."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

import stackc
from stackc.cli import main
from stackc.pipeline.sweeps.folder import SweepFolder
from stackc.report import write_report
from stackc.report.entrants import entrants_of
from stackc.report.head import about_entrants
from stackc.report.outputs import Outputs
from stackc.report.sweep_page import _best
from stackc.report.table import BOLD
from stackc.stack.manifest import stack_sha256


def test_pages_of_sweeps_and_comparisons_have_the_head_of_a_report(swept: Path, tmp_path: Path) -> None:
    write_report([swept], tmp_path / "sweep.html")
    Outputs([tmp_path / "compared.html"], None, [], force=False).write(stackc.compare(swept))
    for name in ("sweep", "compared"):
        page = (tmp_path / f"{name}.html").read_text()
        assert re.search(rf"Written \d{{4}}-\d\d-\d\d by stackc {re.escape(stackc.__version__)}<", page)
        cards = re.findall(r"<article[^>]*>(.*?)</article>", page, re.DOTALL)
        assert [re.findall("<h3>(.*?)</h3>", card) for card in cards] == [
            [f"{arm}, bits={bits}"] for arm in ("one", "two") for bits in (9, 10)
        ]
        for row in SweepFolder(swept).rows():
            (card,) = (one for one in cards if f"<h3>{row['label']}</h3>" in one)
            manifest = json.loads((SweepFolder(swept).run_folder(row["run"]) / "manifest.json").read_text())
            part = manifest["parts"]["corpus/test/symbols.bin"]
            assert f"seed {row['seed']}: <code>{stack_sha256(manifest)}</code>" in card
            assert f"{part['bytes']:,} bytes, <code>{part['sha256'][:16]}…</code>" in card
            if row["seed"] == 1:
                assert f"Recipe {manifest['name']}</summary>" in card, "of the first seed"
            assert re.search(r"<dt>Built</dt><dd>\d{4}-\d\d-\d\d, stackc ", card)


def test_a_stack_that_is_gone_has_no_card_and_many_settings_have_so_many(
    swept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(swept, tmp_path / "sweep", symlinks=True))
    for row in SweepFolder(folder).rows():
        if row["label"] == "one, bits=9" or (row["label"] == "two, bits=10" and row["seed"] == 1):
            shutil.rmtree(SweepFolder(folder).run_folder(row["run"]))
    head = about_entrants(entrants_of([folder]))
    assert head.count("<article") == 3
    assert head.count("seed 1: ") == 2
    assert "1 setting without a card" in head
    monkeypatch.setattr("stackc.report.head.MAX_CARDS", 2)
    head = about_entrants(entrants_of([swept]))
    assert head.count("<article") == 2
    assert "2 settings more" in head


def test_the_best_figures_of_sweeps_and_comparisons_are_bold(swept: Path, tmp_path: Path) -> None:
    found = stackc.compare(swept)
    rows = [row["figures"] for row in SweepFolder(swept).rows()]
    bits, sizes = [one["bits_per_byte"] for one in rows], [one["bytes_per_token"] for one in rows]
    wanted = {f"{min(bits):.4f}", f"{max(sizes):.3f}"}
    assert wanted != {f"{max(bits):.4f}", f"{min(sizes):.3f}"}
    write_report([swept], tmp_path / "sweep.html")
    Outputs([tmp_path / "compared.html"], None, [], force=False).write(found)
    for name in ("sweep", "compared"):
        page = (tmp_path / f"{name}.html").read_text()
        tables = re.findall(r'<section id="table-\d+">.*?</section>', page, re.DOTALL)
        for table in tables:
            bold = set(re.findall("<strong>(.*?)</strong>", table))
            assert bold == (set() if "What differs" in table else wanted) or "Compared with" in table
            assert (BOLD in table) == bool(bold)
        assert sum(BOLD in table for table in tables) >= 1


def test_runs_on_different_texts_have_no_best_figure(swept: Path) -> None:
    rows = SweepFolder(swept).rows()
    assert any(_best(rows, 1))
    rows[0]["figures"]["text"] = rows[0]["figures"]["text"] | {"symbols": "0" * 64}
    assert not any(_best(rows, 1))


def test_the_command_says_what_the_page_is_on(swept: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["report", str(swept), "-o", str(tmp_path / "page.html")])
    assert done.output.endswith("page.html: a sweep of 8 runs\n"), done.output
