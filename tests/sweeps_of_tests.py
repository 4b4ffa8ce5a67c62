"""Sweeps that tests run: tiny, and one arm of them fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from recipes_of_tests import HEAD, TINY_MODEL, TINY_TRAIN, corpus, level
from stackc.pipeline.sweeps.row import MEASUREMENTS

BASE = (
    HEAD.format(name="base", segment=200)
    + level("M1", 'kind = "equal-info"\nbits = 9', "static-unigram", 9)
    + f"[top]\n[top.model]\n{TINY_MODEL}[top.train]\n{TINY_TRAIN.format(steps=5)}"
)

TOY = """base = "base.toml"
seeds = 2
set = {top.train.operations = 3e8}
[[arm]]
name = "nine"
[[arm]]
name = "broken"
set.run.memory = 1
set."level.1".coder = {kind = "tunstall", vocabulary = 100_000}
set."level.1".windowing.kind = "longest"
set."level.1".model.backend = "unigram"
[[arm]]
name = "ten"
set.level.1 = {windowing.bits = 10, tokens.bits = 10}
"""
"""Three arms by two seeds."""

QUICK = """base = "base.toml"
set."top.model" = {backend = "unigram"}
set."top.train" = {}
set."level.1.tokens.bits" = 1
grid."level.1.windowing.bits" = [9, 10, 11, 12]
"""
"""No torch."""


def write(folder: Path, **sweeps: str) -> None:
    """A corpus, the base recipe, and sweeps by name."""
    corpus(folder)
    (folder / "base.toml").write_text(BASE)
    for name, text in sweeps.items():
        (folder / f"{name}.toml").write_text(text)


def table(folder: Path) -> list[dict[str, Any]]:
    """The lines of a sweep's table without what is measured of the machine."""
    rows = [json.loads(line) for line in (folder / "table.jsonl").read_text().splitlines()]
    for row in rows:
        for field in MEASUREMENTS:
            row.get("figures", {}).pop(field, None)
    return rows
