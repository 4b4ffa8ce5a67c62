"""Whether the text of a benchmark was trained on: asked of the stack's training text, and said in the heading."""

from __future__ import annotations

import random
import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from stackc.bench import benchmark, held_out
from stackc.bench.held_out import MOST, PASSAGE, passages, trained_on
from stackc.bench.table import print_benchmark
from stackc.stack.packed import write_pack
from stackc.stack.store import StoreWriter, bytes_chunk

WHERE = "the training text of the stack and of the tokenizers"


def noise(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training text of three documents."""
    folder = tmp_path_factory.mktemp("held") / "train"
    writer = StoreWriter(folder, 256)
    writer.add(0, bytes_chunk([noise(1, 10_000), b"", noise(2, 30_000)]))
    writer.finish(1)
    return folder


@pytest.mark.parametrize("size", [1, 5, 255, 256, 511, 512, 600, 5000, 100_000])
def test_passages_are_spread_from_the_beginning_to_the_end(size: int) -> None:
    text = noise(3, size)
    found = passages(text)
    assert len(found) == max(1, min(MOST, size // PASSAGE))
    assert {len(one) for one in found} == {min(size, PASSAGE)}
    assert text.startswith(found[0])
    assert len(found) == 1 or text.endswith(found[-1])


@pytest.mark.parametrize(
    ("text", "known", "asked"),
    [
        (noise(9, 20_000), 0, 16),
        (noise(1, 10_000), 16, 16),
        (noise(2, 30_000)[1234:9999], 16, 16),
        (noise(9, 20_000) + noise(2, 30_000)[:20_000], 8, 16),
        (noise(2, 30_000)[-300:], 1, 1),
        (noise(9, 300), 0, 1),
    ],
)
def test_it_is_asked_of_the_training_text(store: Path, text: bytes, known: int, asked: int) -> None:
    assert trained_on(store, text) == {"passages": asked, "known": known}


def test_a_training_text_that_is_not_there_or_too_long_is_not_searched(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert trained_on(tmp_path / "none", b"text")["known"] is None
    (tmp_path / "a.stack").write_bytes(b"a pack")
    assert trained_on(tmp_path / "a.stack" / "corpus" / "train", b"text")["known"] is None
    writer = StoreWriter(tmp_path / "empty", 256)
    writer.finish(0)
    assert trained_on(tmp_path / "empty", b"text")["known"] is None
    monkeypatch.setattr(held_out, "LIMIT", 39_999)
    assert trained_on(store, noise(1, 10_000))["known"] is None
    monkeypatch.setattr(held_out, "LIMIT", 40_000)
    assert trained_on(store, noise(1, 10_000))["known"] == 16


def said(figures: dict[str, Any], **text: Any) -> str:
    out = StringIO()
    print_benchmark({**figures, "text": {**figures["text"], **text}}, Console(file=out, width=400))
    (line,) = re.findall(r"^text: .*$", out.getvalue(), re.MULTILINE)
    return str(line)


def test_the_heading_says_which_text_it_is_and_whether_it_was_held_out(place: Path, tmp_path: Path) -> None:
    quick: dict[str, Any] = {"against": ["gzip"], "repeats": 1}
    own = benchmark(place / "pair", **quick)
    assert own["text"] == {"own": True, "passages": 2, "known": 1}, "its splits differ in their first word alone"
    known = f"{WHERE} has 1 of 2 passages of it; their figures are too good"
    assert said(own) == f"text: the stack's own test text, NOT HELD OUT: {known}"
    held = f"held out: none of 2 passages of it occurs in {WHERE}"
    assert said(own, known=0) == f"text: the stack's own test text, {held}"
    (tmp_path / "new").write_bytes(noise(9, 600))
    file = benchmark(place / "pair", tmp_path / "new", **quick)
    assert file["text"] == {"own": False, "passages": 2, "known": 0}
    assert said(file) == f"text: a file, {held}"
    with (tmp_path / "one.stack").open("wb") as out:
        write_pack(place / "pair", out)
    packed = benchmark(tmp_path / "one.stack", tmp_path / "new", **quick)
    assert packed["text"]["known"] is None
    assert said(packed) == f"text: a file; not searched for in {WHERE}, which is not here or too long"
