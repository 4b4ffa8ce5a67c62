"""Held-out text on the page of `stackc report`: cut by every level, escaped, side by side."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import stackc
from report_pages import HOSTILE, Page, panes
from stackc.coding.scoring import symbol_bits
from stackc.report import write_report
from stackc.report.browser import MAX_PIECES, shown
from stackc.report.sample_text import cut
from stackc.stack.store import bytes_chunk


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
