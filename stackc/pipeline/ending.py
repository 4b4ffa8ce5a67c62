"""The end of a build: measures and decodes the held-out text, and writes the manifest, which makes it a stack."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import attrs
import numpy as np

from stackc.api.arrays import Symbols
from stackc.api.errors import PartError
from stackc.api.files import read_json, write_atomically
from stackc.api.models import Progress
from stackc.api.version import stackc_version
from stackc.coding.host import host
from stackc.coding.level import Level
from stackc.coding.verify import not_restored
from stackc.pipeline.context import Context
from stackc.pipeline.logs import write_summary
from stackc.pipeline.second_process import SAMPLE, check_second_process
from stackc.stack.evaluate import evaluate
from stackc.stack.manifest import FORMAT, MANIFEST
from stackc.stack.opening import measured, open_predictor

CHECKED = 1 << 16
"""Bytes of the training text that are decoded if there is no other text to measure."""


PLUGIN = ("plugin", "distribution", "version", "bits_version")
"""Fields of a part that the manifest records."""


@attrs.frozen(kw_only=True)
class Report:
    """Measures the test text (the valid text if there is no test text) and writes the figures.

    Attributes:
        inputs: the folder of the last level's tokens, or of the corpus if there are no levels.
    """

    inputs: str
    name: ClassVar[str] = "report"

    def run(self, build: Context) -> None:
        """Measure. Raises `PartError` if the text is not restored."""
        levels = [build.open(section) for section in build.recipe.levels]
        split = _first_with_text(build, "test", "valid")
        if split is None:
            build.work.display.line("there is no test text and no valid text, so nothing is measured")
            _check_round_trip(levels, build.store("corpus", "train").symbols[:CHECKED])
            return
        content: dict[str, str] = {}
        for name, done in build.work.done.items():
            if name.endswith(("/frozen", "/dictionary", "/coder", "/counts")):
                content |= done.content
        text = build.store("corpus", split)

        def measure(folder: Path, progress: Progress) -> None:
            top = open_predictor(build.recipe.top, build.folder(build.recipe.top), build.runtime)
            top.prove(build.store(self.inputs, "train").symbols)
            rows = measured(build.recipe, build.work.folder, levels, lambda: top)
            documents = [document.tobytes() for document in text.text().documents()]
            steps = 2 * len(rows)
            count = iter(range(steps))
            evaluation = evaluate(rows, documents, lambda what: progress.update(next(count), steps))
            if evaluation.failure is not None:
                raise PartError(f"{evaluation.failure}; the {split} text is not restored, so no stack is written")
            evaluation.blocks.save(folder)
            with write_atomically(folder / "report.json") as file:
                file.write(json.dumps({"split": split, **evaluation.to_dict()}, indent=1).encode())

        material = {"recipe": build.recipe.key(), "parts": content, "text": text.content}
        build.work.run(self.name, material, measure)


def _check_round_trip(levels: list[Level], symbols: Symbols) -> None:
    """Raise `PartError` if these bytes are not restored."""
    for level in levels:
        coded = level.encode(symbols)
        failure = not_restored(level, coded, symbols, np.array([0, len(symbols)], np.int64))
        if failure is not None:
            raise PartError(f"{failure}; no stack is written")
        symbols = coded.tokens


def write_manifest(build: Context) -> None:
    """Write the manifest, the last of all files. Raises `PartError` if a second process cannot use the stack."""
    recipe, work = build.recipe, build.work
    manifest = {
        "format": FORMAT,
        "stackc": stackc_version(),
        "name": recipe.stack.name,
        "recipe": recipe.to_dict(),
        "plugins": {
            f"{one.part.kind} {one.name}": {field: getattr(one.part, field) for field in PLUGIN}
            for one in recipe.chosen()
        },
        "levels": [_described(build.open(section)) for section in recipe.levels],
        "trained": {name: done.record for name, done in work.done.items() if done.record},
        "parts": {path: part for done in work.done.values() for path, part in done.parts.items()},
    }
    split = _first_with_text(build, "test", "valid", "train")
    sample = build.store("corpus", split).symbols[:SAMPLE].tobytes() if split else b""
    check_second_process(work.folder, manifest, recipe, build.runtime, sample)
    with write_atomically(work.folder / MANIFEST) as file:
        file.write(json.dumps(manifest, indent=1, sort_keys=True).encode())


FIGURES = {
    "name": "", "bytes_per_token": "bytes/token", "coded_bits_per_byte": "coded, bits/byte",
    "model_bits_per_byte": "model, bits/byte", "unigram_bits_per_byte": "unigram, bits/byte",
    "uniform_bits_per_byte": "uniform, bits/byte", "parameters": "parameters",
}  # fmt: skip
"""Columns of the summary."""


def log_summary(build: Context) -> None:
    """Write the recipe and the figures as texts of TensorBoard, for stacks without a learning curve too."""
    if build.work.display.logs is None:
        return
    recipe = json.dumps(build.recipe.to_dict(), indent=1)
    texts = {"recipe": f"```json\n{recipe}\n```"}
    report = build.work.folder / "report" / "report.json"
    if report.is_file():
        rows = [[_shown(row.get(field)) for field in FIGURES] for row in read_json(report, "report")["levels"]]
        lines = [list(FIGURES.values()), ["---"] * len(FIGURES), *rows]
        texts["figures"] = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    write_summary(build.work.display.logs, texts)


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def _described(level: Level) -> dict[str, Any]:
    own = {field: getattr(level, field) for field in ("name", "alphabet", "token_alphabet", "portability")}
    return {**own, "compiled": level.dictionary is not None, "host": host(level.portability)}


def _first_with_text(build: Context, *splits: str) -> str | None:
    return next((split for split in splits if len(build.store("corpus", split).symbols)), None)
