"""The end of a build: the held-out text measured and decoded back, and the manifest, which makes it a stack."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

import stackc
from stackc.api.arrays import Symbols
from stackc.api.errors import PartError
from stackc.api.files import write_atomically
from stackc.api.models import Progress
from stackc.coding.level import Level
from stackc.coding.verify import not_restored
from stackc.pipeline.second_process import SAMPLE, check_second_process
from stackc.pipeline.stages import Parts, Workspace
from stackc.recipe import Recipe
from stackc.stack.evaluate import evaluate
from stackc.stack.manifest import FORMAT, MANIFEST
from stackc.stack.opening import measured, open_predictor
from stackc.stack.runtime import Runtime
from stackc.stack.store import Store

CHECKED = 1 << 16
"""Bytes of the training text that are decoded back where there is no other text to measure."""


def report(work: Workspace, recipe: Recipe, runtime: Runtime, levels: list[Level]) -> None:
    """Figures of the test text (of the valid text where there is none), kept in the stack.

    Raises:
        PartError: the text does not come back.
    """
    split = _first_with_text(work, "test", "valid")
    if split is None:
        work.display.line("no test text and no valid text: nothing is measured")
        _check_round_trip(levels, _text(work, "train").symbols[:CHECKED])
        return
    content: dict[str, str] = {}
    for name, done in work.done.items():
        if name.endswith(("/frozen", "/dictionary", "/coder", "/counts")):
            content |= done.content
    text = _text(work, split)

    def measure(stage: Path, progress: Progress) -> None:
        top = open_predictor(recipe.top, work.folder / recipe.top.name, runtime)
        rows = measured(recipe, work.folder, levels, lambda: top)
        documents = [document.tobytes() for document in text.text().documents()]
        steps = 2 * len(rows)
        said = iter(range(steps))
        evaluation = evaluate(rows, documents, lambda what: progress.update(next(said), steps))
        if evaluation.failure is not None:
            raise PartError(f"{evaluation.failure}; the {split} text does not come back: no stack is written")
        with write_atomically(stage / "report.json") as file:
            file.write(json.dumps({"split": split, **evaluation.to_dict()}, indent=1).encode())

    work.run("report", {"recipe": recipe.key(), "parts": content, "text": text.content}, measure)


def _check_round_trip(levels: list[Level], symbols: Symbols) -> None:
    """Raise `PartError` where these bytes do not come back."""
    for level in levels:
        coded = level.encode(symbols)
        failure = not_restored(level, coded, symbols, np.array([0, len(symbols)], np.int64))
        if failure is not None:
            raise PartError(f"{failure}; no stack is written")
        symbols = coded.tokens


def write_manifest(work: Workspace, recipe: Recipe, runtime: Runtime, levels: list[dict[str, Any]]) -> None:
    """Write the manifest, the last of all files. Raises `PartError` where a second process does not read the stack."""
    parts: Parts = {}
    for done in work.done.values():
        parts |= done.parts
    manifest = {
        "format": FORMAT,
        "stackc": stackc.__version__,
        "name": recipe.stack.name,
        "recipe": recipe.to_dict(),
        "plugins": {
            f"{one.part.kind} {one.name}": {
                "plugin": one.part.plugin,
                "distribution": one.part.distribution,
                "version": one.part.version,
                "bits_version": one.part.bits_version,
            }
            for one in recipe.chosen()
        },
        "levels": levels,
        "trained": {name: done.record for name, done in work.done.items() if done.record},
        "parts": parts,
    }
    split = _first_with_text(work, "test", "valid", "train")
    sample = _text(work, split).symbols[:SAMPLE].tobytes() if split else b""
    check_second_process(work.folder, manifest, recipe, runtime, sample)
    with write_atomically(work.folder / MANIFEST) as file:
        file.write(json.dumps(manifest, indent=1, sort_keys=True).encode())


def _text(work: Workspace, split: str) -> Store:
    return Store(work.folder / "corpus" / split)


def _first_with_text(work: Workspace, *splits: str) -> str | None:
    return next((split for split in splits if len(_text(work, split).symbols)), None)
