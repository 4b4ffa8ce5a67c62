"""What is known of a stack: its own report, its logs, and a sample of its held-out text. Files are not trusted."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from stackc.api.arrays import Int64, Symbols
from stackc.api.errors import ArtifactError, StackcError
from stackc.api.files import read_json
from stackc.report.sample_text import Cutting, cut
from stackc.report.table import COLUMNS
from stackc.stack.manifest import coding_parts, read_manifest

MAX_LINE = 1 << 12
"""Characters of a line of the logs that are read."""

MAX_LABEL = 48
"""Characters by which labels differ; what plots add still fits."""

SPLITS = ("train", "valid", "test")

MAX_LEVELS = 64
"""Rows of a stack's report that are shown."""


Sample = tuple[str, Symbols, Int64]
"""What it is, its bytes, and the bounds of its documents."""


@attrs.frozen(kw_only=True)
class Curve:
    """What was logged while one model trained.

    Attributes:
        name: of the level or the top model.
        train: (step, bits a symbol) of the training text.
        valid: the same of held-out text, measured now and then.
    """

    name: str
    train: list[tuple[int, float]]
    valid: list[tuple[int, float]]


@attrs.define(kw_only=True, eq=False)
class Facts:
    """All that the page says of one stack.

    Attributes:
        folder: of the stack.
        label: its name, with the end of its folder where two stacks have the same.
        coding_bytes: of the parts that coding needs, on disk.
        names: of its levels, lowest first, and of its top model.
        texts: SHA-256 of its corpus by split, as its manifest has it, whether or not the text is still there.
        evaluation: its report/report.json; None where there is none.
        curves: by name of the model.
        split: what the sample is: a split of the corpus, or a file.
        data: the sample, documents end to end.
        cuttings: the sample at every level.
        missing: a line for everything that could not be shown.
    """

    folder: Path
    label: str
    coding_bytes: int
    names: list[str]
    texts: dict[str, str] = attrs.field(factory=dict)
    evaluation: dict[str, Any] | None = None
    curves: dict[str, Curve] = attrs.field(factory=dict)
    split: str = ""
    data: Symbols = attrs.field(factory=lambda: np.zeros(0, np.uint8))
    cuttings: list[Cutting] = attrs.field(factory=list)
    missing: list[str] = attrs.field(factory=list)

    @property
    def measured(self) -> str | None:
        """SHA-256 of the text that the figures are of; None where it is not known."""
        return self.texts.get(str(self.evaluation.get("split"))) if self.evaluation else None


def gather(
    folders: list[Path],
    sample: int,
    tell: Callable[[str], None] = lambda stage: None,
    text: tuple[str, bytes] | None = None,
) -> list[Facts]:
    """The facts of some stacks.

    Args:
        folders: of the stacks.
        sample: source bytes of held-out text to look at, at most.
        tell: told what is being done.
        text: name and content of what to look at instead, a document; None: each stack's own held-out text.

    Raises:
        ArtifactError: a folder that holds no stack. What else is missing is said in `Facts.missing`.
        StackcError: a stack that is named twice.
    """
    manifests = [read_manifest(folder) for folder in folders]
    for i, folder in enumerate(folders):
        if any(folder.samefile(other) for other in folders[:i]):
            raise StackcError(f"{folder}: named twice; a report shows a stack once")
    labels = labels_of([str(manifest["name"]) for manifest in manifests], folders)
    gathered = []
    for folder, manifest, label in zip(folders, manifests, labels, strict=True):
        fact = Facts(
            folder=folder,
            label=label,
            coding_bytes=sum(manifest["parts"][part]["bytes"] for part in set(coding_parts(manifest))),
            names=[str(made["name"]) for made in manifest["levels"]] + [str(manifest["recipe"]["top"]["name"])],
            texts={
                split: manifest["parts"][part]["sha256"]
                for split in SPLITS
                if (part := f"corpus/{split}/symbols.bin") in manifest["parts"]
            },
        )
        _own_report(fact)
        _curves(fact)
        try:
            _sample(fact, sample, text, lambda stage, label=fact.label: tell(f"{label}: {stage}"))  # type: ignore[misc]
        except StackcError as error:
            fact.missing.append(f"its text is not cut into tokens ({error})")
        gathered.append(fact)
    return gathered


def labels_of(names: list[str], folders: list[Path]) -> list[str]:
    """A label for each stack, all of them different where plots show them: cut, and in few letters.

    Names that several stacks have get as much of the end of their folders as tells these apart; where that is cut off,
    labels are numbered.
    """
    labels = list(names)
    for name in {name for name in names if names.count(name) > 1}:
        same = [i for i, other in enumerate(names) if other == name]
        paths = [folders[i].resolve().parts for i in same]
        least = next(n for n in range(1, max(map(len, paths)) + 1) if len({path[-n:] for path in paths}) == len(paths))
        for i, path in zip(same, paths, strict=True):
            labels[i] = f"{name} ({Path(*path[-least:])})"
    shown = {plain(label[:MAX_LABEL]) for label in labels}
    return labels if len(shown) == len(labels) else [f"{i}: {label}" for i, label in enumerate(labels, 1)]


def plain(text: str) -> str:
    """With "?" for what cannot be seen, or may have no glyph in a plot."""
    return "".join(char if char.isprintable() and ord(char) < 0x250 else "?" for char in text)


def _own_report(fact: Facts) -> None:
    path = fact.folder / "report" / "report.json"
    if not path.is_file():
        fact.missing.append(
            "no report/report.json: no figures; build it with test text in its recipe (a file: `stackc eval`)"
        )
        return
    try:
        report = read_json(path, "report")
        _check(report, path)
    except ArtifactError as error:
        fact.missing.append(f"no figures ({error})")
        return
    fact.evaluation = report


def _check(report: dict[str, Any], path: Path) -> None:
    """Raise `ArtifactError` unless every figure is a finite number or absent."""

    def number(value: Any, form: str) -> bool:
        if value is None or form == "s":
            return isinstance(value, str) if form == "s" else True
        kinds = int if form == ",d" else (int, float)
        return isinstance(value, kinds) and not isinstance(value, bool) and math.isfinite(value)

    rows = report.get("levels")
    whole = isinstance(rows, list) and len(rows) <= MAX_LEVELS and all(isinstance(row, dict) for row in rows)
    counted = all(type(report.get(key)) is int for key in ("source_bytes", "documents"))
    if not (whole and counted and all(number(row.get(key), form) for row in rows or () for _, key, form in COLUMNS)):
        raise ArtifactError(f"{path}: not a readable report; build the stack again")


def _curves(fact: Facts) -> None:
    """The losses of logs/metrics.jsonl; lines that are none are passed over."""
    path = fact.folder / "logs" / "metrics.jsonl"
    if not path.is_file():
        fact.missing.append("no logs/metrics.jsonl: no learning curves")
        return
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            while line := file.readline(MAX_LINE):
                _add(fact, line)
    except OSError as error:
        fact.missing.append(f"no learning curves ({path}: {error.strerror or error})")
        return
    if not fact.curves:
        fact.missing.append("its models were not trained by steps: no learning curves")


def _add(fact: Facts, line: str) -> None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return
    if not isinstance(entry, dict) or type(step := entry.get("step")) is not int or abs(step) >= 1 << 53:
        return
    name = str(entry.get("stage", "")).split("/")[0]
    if name not in fact.names:
        return
    for key, points in ("loss", "train"), ("valid_loss", "valid"):
        value = entry.get(key)
        if isinstance(value, float | int) and math.isfinite(value):
            curve = fact.curves.setdefault(name, Curve(name=name, train=[], valid=[]))
            so_far: list[tuple[int, float]] = getattr(curve, points)
            while so_far and so_far[-1][0] >= step:  # a training that went on where a kill had left it
                so_far.pop()
            so_far.append((step, float(value)))


def _sample(fact: Facts, sample: int, text: tuple[str, bytes] | None, tell: Callable[[str], None]) -> None:
    from stackc.stack.stack import Stack

    stack = Stack(fact.folder)
    found: Sample | None
    if text is None:
        found = _held_out(fact.folder, sample)
    else:
        data = np.frombuffer(text[1], np.uint8)[:sample]
        found = text[0], data, np.array([0, len(data)], np.int64)
    if found is None:
        fact.missing.append("no text in corpus/test or corpus/valid to cut into tokens; name one with --text FILE")
        return
    fact.split, fact.data, offsets = found
    fact.cuttings.extend(cut(stack, fact.data, offsets, fact.missing, tell))


def _held_out(folder: Path, sample: int) -> Sample | None:
    """The first `sample` bytes of the held-out text."""
    from stackc.stack.store import Store

    for split in ("test", "valid"):
        if not (folder / "corpus" / split / "store.json").is_file():
            continue
        store = Store(folder / "corpus" / split)
        size = min(sample, len(store.symbols))
        if store.alphabet != 256:
            raise ArtifactError(f"{store.folder}: not a store of bytes; build the stack again")
        if size:
            last = int(np.searchsorted(store.offsets, size, "left"))
            return f"the {split} text", np.array(store.symbols[:size]), np.append(store.offsets[:last], size)
    return None
