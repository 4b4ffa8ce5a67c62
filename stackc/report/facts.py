"""The facts about a stack: its own report, its logs, and a sample of held-out text. Files are not trusted."""

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
from stackc.report.table import COLUMNS, LEARNABILITY
from stackc.stack.manifest import MANIFEST, coding_parts, read_manifest
from stackc.stack.packed import is_pack
from stackc.stack.stack import Stack
from stackc.stack.store import Store

MAX_LINE = 1 << 12
"""Characters of a line of the logs to read, at most."""

MAX_LABEL = 48
"""Characters in which labels must differ; plots have room for these and what they add."""

SPLITS = ("train", "valid", "test")

MAX_LEVELS = 64
"""Rows of a stack's report, at most."""


Sample = tuple[str, Symbols, Int64]
"""A name for the text, its bytes, and the bounds of its documents."""


@attrs.frozen(kw_only=True)
class Curve:
    """The losses that were logged while one model was trained.

    Attributes:
        name: of the level or the top model.
        train: (step, bits per symbol) of the training text.
        valid: the same for held-out text, which is measured less often.
    """

    name: str
    train: list[tuple[int, float]]
    valid: list[tuple[int, float]]


@attrs.define(kw_only=True, eq=False)
class Facts:
    """Everything that the page shows about one stack.

    Attributes:
        folder: the stack's folder.
        label: its name, with the end of its folder if two stacks have the same name.
        number: its position on the page, from 0, which decides its colour.
        coding_bytes: size on disk of the files that coding needs.
        names: its levels, lowest first, and its top model.
        texts: SHA-256 of its corpus by split, from its manifest, whether or not the text still exists.
        evaluation: its report/report.json; None if it has none.
        curves: by name of the model.
        split: the source of the sample: a split of the corpus, or a file.
        data: the sample, documents concatenated.
        cuttings: the sample at every level.
        missing: a line for everything that cannot be shown.
        manifest: as it was read.
    """

    folder: Path
    label: str
    number: int
    coding_bytes: int
    names: list[str]
    manifest: dict[str, Any]
    texts: dict[str, str] = attrs.field(factory=dict)
    evaluation: dict[str, Any] | None = None
    curves: dict[str, Curve] = attrs.field(factory=dict)
    split: str = ""
    data: Symbols = attrs.field(factory=lambda: np.zeros(0, np.uint8))
    cuttings: list[Cutting] = attrs.field(factory=list)
    missing: list[str] = attrs.field(factory=list)

    @property
    def measured(self) -> str | None:
        """SHA-256 of the text that the figures were measured on; None if unknown."""
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
        sample: bytes of held-out text to cut, at most.
        tell: called with each step, for progress.
        text: name and content of a document to cut instead; None: each stack's own held-out text.

    Raises:
        ArtifactError: a folder holds no stack. Everything else that is missing is listed in `Facts.missing`.
        StackcError: a stack is named twice, or is packed.
    """
    for folder in folders:
        if is_pack(folder):
            raise StackcError(f"{folder}: a packed stack holds what coding needs and has no report: name a folder")
    manifests = [read_manifest(folder) for folder in folders]
    for i, folder in enumerate(folders):
        if any(folder.samefile(other) for other in folders[:i]):
            raise StackcError(f"{folder}: named twice; a report shows a stack once")
    labels = labels_of([str(manifest["name"]) for manifest in manifests], folders)
    gathered = []
    for number, (folder, manifest, label) in enumerate(zip(folders, manifests, labels, strict=True)):
        fact = Facts(
            folder=folder,
            label=label,
            number=number,
            manifest=manifest,
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


def finished(folder: Path) -> float | None:
    """When the manifest, the last file of a build, was written: no build keeps a date, so that equal ones are equal."""
    try:
        found = (folder / MANIFEST).stat().st_mtime
    except OSError:
        return None
    return found if 0 <= found < 1 << 37 else None


def labels_of(names: list[str], folders: list[Path]) -> list[str]:
    """A label for each stack. They differ even as plots show them: cut, and with "?" for unusual characters.

    A name that several stacks share is followed by the shortest ends of their folders that differ. If the difference
    is cut off, labels are numbered.

    Raises:
        StackcError: one folder twice.
    """
    labels = list(names)
    for name in {name for name in names if names.count(name) > 1}:
        same = [i for i, other in enumerate(names) if other == name]
        paths = [folders[i].resolve().parts for i in same]
        if twice := next((path for number, path in enumerate(paths) if path in paths[:number]), None):
            raise StackcError(f"{Path(*twice)}: named twice; name each stack once")
        least = next(n for n in range(1, max(map(len, paths)) + 1) if len({path[-n:] for path in paths}) == len(paths))
        for i, path in zip(same, paths, strict=True):
            labels[i] = f"{name} ({Path(*path[-least:])})"
    shown = {plain(label[:MAX_LABEL]) for label in labels}
    return labels if len(shown) == len(labels) else [f"{i}: {label}" for i, label in enumerate(labels, 1)]


def plain(text: str) -> str:
    """The text with "?" for every character that is invisible or may have no glyph in a plot."""
    return "".join(char if char.isprintable() and ord(char) < 0x250 else "?" for char in text)


def _own_report(fact: Facts) -> None:
    path = fact.folder / "report" / "report.json"
    if not path.is_file():
        fact.missing.append(
            "no report/report.json, so no figures: build it with test text in its recipe, or use `stackc eval`"
        )
        return
    try:
        fact.evaluation = _read_report(path)
    except ArtifactError as error:
        fact.missing.append(f"no figures ({error})")


def _read_report(path: Path) -> dict[str, Any]:
    """A report in which every figure is a finite number or absent. Raises `ArtifactError` for any other."""

    def valid(value: Any, form: str) -> bool:
        if form == "s":
            return isinstance(value, str)
        kinds = (int,) if form == ",d" else (int, float)
        return value is None or (type(value) in kinds and math.isfinite(value))

    report = read_json(path, "report")
    rows = report.get("levels")
    whole = isinstance(rows, list) and len(rows) <= MAX_LEVELS and all(isinstance(row, dict) for row in rows)
    counted = all(type(report.get(key)) is int for key in ("source_bytes", "documents"))
    columns = (*COLUMNS, *LEARNABILITY)
    known = whole and all(valid(row.get(key), form) for row in rows or () for _, key, form in columns)
    if not (known and counted and all(map(_valid_places, rows or ()))):
        raise ArtifactError(f"{path}: not a readable report; build the stack again")
    return report


def _valid_places(row: dict[str, Any]) -> bool:
    """Whether the figures by place in a window, which older reports lack, are finite numbers."""
    places = row.get("by_position")
    if places is None:
        return True
    if not isinstance(places, list) or not all(isinstance(place, dict) for place in places):
        return False
    figures = [place.get(key) for place in places for key in ("accuracy", "bits")]
    return all(type(figure) in (int, float) and math.isfinite(figure) for figure in figures)


def _curves(fact: Facts) -> None:
    """Read the losses from logs/metrics.jsonl; all other lines are ignored."""
    path = fact.folder / "logs" / "metrics.jsonl"
    if not path.is_file():
        fact.missing.append("no logs/metrics.jsonl, so no learning curves")
        return
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            while line := file.readline(MAX_LINE):
                _add(fact, line)
    except OSError as error:
        fact.missing.append(f"no learning curves ({path}: {error.strerror or error})")
        return
    if not fact.curves:
        fact.missing.append("its models were not trained in steps, so no learning curves")


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
            while so_far and so_far[-1][0] >= step:  # a resumed training repeats the steps after its last checkpoint
                so_far.pop()
            so_far.append((step, float(value)))


def _sample(fact: Facts, sample: int, text: tuple[str, bytes] | None, tell: Callable[[str], None]) -> None:
    stack = Stack(fact.folder)
    found = _held_out(fact.folder, sample) if text is None else None
    if text is not None:
        data = np.frombuffer(text[1], np.uint8)[:sample]
        found = text[0], data, np.array([0, len(data)], np.int64)
    if found is None:
        fact.missing.append("no text in corpus/test or corpus/valid to cut into tokens; name one with --text FILE")
        return
    fact.split, fact.data, offsets = found
    fact.cuttings.extend(cut(stack, fact.data, offsets, fact.missing, tell))


def _held_out(folder: Path, sample: int) -> Sample | None:
    """The first `sample` bytes of the held-out text."""
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
