"""The stacks that are compared: single ones, or the finished runs of a sweep."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from stackc.api.errors import ArtifactError, StackcError
from stackc.pipeline.stage_store import StageStore
from stackc.pipeline.sweeps.expand import short_names, written_value
from stackc.pipeline.sweeps.folder import TABLE, SweepFolder, is_sweep
from stackc.pipeline.sweeps.row import finished_row
from stackc.recipe import recipe_from_dict
from stackc.report.facts import labels_of
from stackc.stack.blocks import Blocks, load_blocks
from stackc.stack.manifest import manifest_alone
from stackc.stack.stack import Stack
from stackc.stack.store import Store

IGNORED = ("stack.seed", "run.", "corpus.train", "corpus.valid", "corpus.test")
"""Beginnings of fields that are not differences: seeds, speed, and names of files, whose content counts."""

NAMES = re.compile(r"(stack|top|level\.\d+)\.name")
"""Names, which change nothing either."""


@attrs.frozen(kw_only=True)
class Entrant:
    """One stack.

    Attributes:
        arm: its arm, or its name.
        setting: its arm and its values of the axes; stacks that differ in their seed alone share it.
        point: its values of the axes with their names, such as ``operations=2e9``; empty for a single stack.
        values: the same without the names.
        seed: of its recipe.
        figures: see `stackc.pipeline.sweeps.row.finished_row`.
        fields: of its recipe, by address, with defaults; None if its stack is gone.
        folder: the stack's.
        source: the folder of its sweep; a single stack's own.
        run: its name in the sweep, a hash of its recipe and corpus; None for a single stack.
    """

    arm: str
    setting: str
    point: str
    values: str
    seed: int
    figures: dict[str, Any]
    fields: dict[str, Any] | None
    folder: Path
    source: Path
    run: str | None = None

    @property
    def top(self) -> str:
        """The name of its top model."""
        return str(self.figures["levels"][-1]["name"])

    @property
    def text(self) -> tuple[str | None, str | None]:
        """SHA-256 of the bytes of its test text, and of the bounds of its documents."""
        return self.figures["text"]["symbols"], self.figures["text"]["bounds"]

    def blocks(self, recompute: bool) -> Blocks | None:
        """Its bits by block; None if it kept none and they are not to be computed."""
        try:
            found = load_blocks(self.folder / "report")
        except ArtifactError:
            found = None
        if found is None and recompute:
            found = _measured(self.folder, self.figures["split"])
        return found if found is not None and self.top in found.bits else None


def entrants_of(paths: list[Path]) -> list[Entrant]:
    """The stacks in folders of stacks and of sweeps; a sweep's table names its folder.

    Raises:
        ArtifactError: neither a stack nor a sweep.
        StackcError: a log of losses; nothing that is finished; a stack or a sweep is named twice.
    """
    sweeps: list[Path] = []
    single: list[Path] = []
    for path in paths:
        folder = path.parent if path.name == TABLE and path.is_file() else path
        if folder.is_file():
            if folder.name == "metrics.jsonl":
                raise StackcError(
                    f"{path}: holds losses per token, and tokens of different stacks hold different bytes; "
                    "compare the stacks, by bits per byte"
                )
            raise ArtifactError(f"{path}: is a file; name the folder of a stack or of a sweep, or a sweep's {TABLE}")
        if is_sweep(folder) and any(folder.samefile(other) for other in sweeps):
            table = "" if path == folder else f", once by its {TABLE}"
            raise StackcError(f"{folder}: named twice{table}; name each sweep once")
        (sweeps if is_sweep(folder) else single).append(folder)
    places = [SweepFolder(folder) for folder in sweeps]
    names = short_names(dict.fromkeys(axis for place in places for axis in place.axes))
    found = [one for place in places for one in _of_sweep(place, names)]
    found += _of_stacks(single)
    if not found:
        raise StackcError(f"{', '.join(map(str, paths))}: no finished run to compare")
    return found


def flat_fields(data: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Fields of a recipe's data by address; entries of lists of tables are numbered from 1."""
    tables = isinstance(data, list) and data and all(isinstance(one, Mapping) for one in data)
    pairs = enumerate(data, 1) if tables else data.items() if isinstance(data, Mapping) else None
    if pairs is None:
        yield before, data
        return
    for key, value in pairs:
        yield from flat_fields(value, f"{before}.{key}" if before else str(key))


def written_field(fields: dict[str, Any], key: str) -> str:
    """A field in few characters; "-" if the recipe has no such field."""
    return written_value(fields[key]) if key in fields else "-"


def _fields(manifest: dict[str, Any]) -> dict[str, Any]:
    fields = flat_fields(manifest["recipe"])
    own = {key: value for key, value in fields if not key.startswith(IGNORED) and not NAMES.fullmatch(key)}
    for what, file in ("text", "symbols.bin"), ("documents", "index.safetensors"):
        if part := manifest["parts"].get(f"corpus/train/{file}"):
            own[f"{what} of corpus.train"] = f"SHA-256 {part['sha256'][:8]}"
    return own


def _of_sweep(place: SweepFolder, names: dict[str, str]) -> Iterator[Entrant]:
    """The finished runs of a sweep; `names`: of its axes, by address."""
    for row in place.rows():
        if row["status"] != "done":
            continue
        folder = place.run_folder(row["run"])
        try:
            fields = _fields(manifest_alone(folder))
        except ArtifactError:
            fields = None
        words = row["values"]
        # The name of a table has its entries already, as in labels.
        point = [text if "=" in text else f"{names.get(axis, axis)}={text}" for axis, text in words.items()]
        yield Entrant(
            arm=row["arm"], setting=row["label"], point=", ".join(point), values=", ".join(words.values()),
            seed=row["seed"], figures=row["figures"], fields=fields, folder=folder, source=place.folder,
            run=row["run"],
        )  # fmt: skip


def _of_stacks(folders: list[Path]) -> Iterator[Entrant]:
    manifests = [manifest_alone(folder) for folder in folders]
    labels = labels_of([str(manifest["name"]) for manifest in manifests], folders) if folders else []
    for folder, manifest, label in zip(folders, manifests, labels, strict=True):
        recipe = recipe_from_dict(manifest["recipe"], folder)
        figures = finished_row(recipe, folder, StageStore(folder / "stages"))
        yield Entrant(
            arm=label, setting=label, point="", values="", seed=recipe.stack.seed, figures=figures,
            fields=_fields(manifest), folder=folder, source=folder,
        )  # fmt: skip


def _measured(folder: Path, split: str) -> Blocks:
    """The bits of a stack's own held-out text, measured again."""
    store = Store(folder / "corpus" / split)
    return Stack(folder).evaluate([document.tobytes() for document in store.text().documents()]).blocks
