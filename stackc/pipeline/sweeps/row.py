"""The figures of one run, as a line of the sweep's table."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import attrs

from stackc.api.files import read_json
from stackc.api.version import installed_version, stackc_version
from stackc.pipeline.ownership import MARK
from stackc.pipeline.stage_store import StageStore
from stackc.recipe import LevelSection, Recipe, TopSection
from stackc.stack.learnability.figures import Learnability
from stackc.stack.manifest import manifest_alone

PACKAGES = ("numpy", "numba", "torch", "transformers", "tokenizers", "sentencepiece")

MEASUREMENTS = ("seconds", "train_seconds", "peak_memory_mb")
"""Fields of a row that differ from run to run of the same stack."""

LEVEL_FIELDS = (
    "name", "tokens", "bytes_per_token", "coded_bits_per_byte", "model_bits_per_byte", "coding_bits_per_byte",
    "unigram_bits_per_byte", "uniform_bits_per_byte", "parameters", "ops_per_byte_body", "ops_per_byte_softmax",
    *(field.name for field in attrs.fields(Learnability)),
)  # fmt: skip
"""The figures of a level that a row has."""


def finished_row(recipe: Recipe, folder: Path, store: StageStore) -> dict[str, Any]:
    """The figures of a finished stack that a sweep built.

    Args:
        recipe: of the run.
        folder: the stack's.
        store: where its stages were run.

    Returns:
        Data for JSON. Bits and operations are per source byte; operations include those of the softmax and of the
        levels below that must run, which are also given apart. Without held-out text there are no figures of it.
    """
    manifest = manifest_alone(folder)
    report = _report(folder)
    levels = [{field: row.get(field) for field in LEVEL_FIELDS} for row in report]
    top = levels[-1] if levels else {}
    body, softmax = top.get("ops_per_byte_body"), top.get("ops_per_byte_softmax")
    trained = [_trained(section, recipe, inputs, folder) for section, inputs in _inputs(recipe)]
    text = manifest["parts"].get(f"corpus/{_split(folder)}/symbols.bin", {})
    bounds = manifest["parts"].get(f"corpus/{_split(folder)}/index.safetensors", {})
    return {
        "bits_per_byte": top.get("model_bits_per_byte"),
        "unigram_bits_per_byte": top.get("unigram_bits_per_byte"),
        "bytes_per_token": top.get("bytes_per_token"),
        "parameters": _sum([one["parameters"] for one in levels or trained]),
        "train_operations": sum(one["train_operations"] for one in trained),
        "top_train_operations": trained[-1]["train_operations"],
        "operations_per_byte": None if body is None or softmax is None else body + softmax,
        "softmax_operations_per_byte": softmax,
        "below_operations_per_byte": _below(recipe, manifest, levels),
        "bytes_seen": trained[-1]["bytes_seen"],
        "levels": [{**one, **level} for level, one in zip(levels, trained, strict=False)],
        "split": _split(folder),
        "text": {"symbols": text.get("sha256"), "bounds": bounds.get("sha256"), "bytes": _source_bytes(folder)},
        **_took(folder, store),
        "versions": _versions(),
        "device": _devices(manifest),
    }


def _sum(parts: list[int | None]) -> int | None:
    """None if a part is unknown."""
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def _inputs(recipe: Recipe) -> list[tuple[LevelSection | TopSection, str]]:
    """Every section with the folder of the stores that it reads."""
    folders = ["corpus", *(f"{level.name}/tokens" for level in recipe.levels)]
    return list(zip(recipe.sections, folders, strict=True))


def _report(folder: Path) -> list[dict[str, Any]]:
    path = folder / "report" / "report.json"
    rows: list[dict[str, Any]] = read_json(path, "report")["levels"] if path.is_file() else []
    return rows


def _split(folder: Path) -> str | None:
    path = folder / "report" / "report.json"
    return str(read_json(path, "report")["split"]) if path.is_file() else None


def _source_bytes(folder: Path) -> int | None:
    path = folder / "report" / "report.json"
    return int(read_json(path, "report")["source_bytes"]) if path.is_file() else None


def _below(recipe: Recipe, manifest: dict[str, Any], levels: list[dict[str, Any]]) -> float | None:
    """Operations per byte of the models below the top model that must run: not those of levels that look texts up."""
    running = [
        row
        for section, row, made in zip(recipe.levels, levels, manifest["levels"], strict=False)
        if section.coder.config.needs_model and section.vocabulary is None and not made["compiled"]
    ]
    if not running:
        return 0.0
    body, softmax = running[-1]["ops_per_byte_body"], running[-1]["ops_per_byte_softmax"]
    return None if body is None or softmax is None else float(body + softmax)


def _trained(section: LevelSection | TopSection, recipe: Recipe, inputs: str, folder: Path) -> dict[str, Any]:
    """The cost of training one model: operations with the softmax, and source bytes, some more than once."""
    if section.model is None:
        return {"parameters": 0, "train_operations": 0, "bytes_seen": 0}
    cost = section.model.cost(section.alphabet, section.train, recipe.base)
    path = folder / inputs / "train" / "store.json"
    store = read_json(path, "symbol store") if path.is_file() else {}
    symbols, source = store.get("symbols", 0), store.get("source_bytes", 0)
    return {
        "parameters": cost.parameters if cost.parameters_known else None,  # then the report has them, if there is one
        "train_operations": cost.train_ops,
        "bytes_seen": round(cost.train_symbols * source / symbols) if symbols else None,
    }


def _took(folder: Path, store: StageStore) -> dict[str, Any]:
    """Seconds of all stages of the stack, whichever run they were run by, and the most memory of any."""
    made = {}
    for mark in folder.rglob(MARK):
        name = mark.parent.relative_to(folder).as_posix()
        made[name] = store.made(str(read_json(mark, "mark of a stage")["key"]))
    known = {name: one for name, one in made.items() if one is not None}
    if not known:
        return dict.fromkeys(MEASUREMENTS)
    training = sum(one.seconds for name, one in known.items() if name.endswith("/model"))
    peak = max(one.peak_memory for one in known.values())
    return {
        "seconds": round(sum(one.seconds for one in known.values()), 3),
        "train_seconds": round(training, 3),
        "peak_memory_mb": round(peak / 1e6, 1),
    }


def _versions() -> dict[str, str]:
    found = {name: installed_version(name) for name in PACKAGES}
    here = {"stackc": stackc_version(), "python": platform.python_version()}
    return here | {name: version for name, version in found.items() if version}


def _devices(manifest: dict[str, Any]) -> str:
    """The devices that its models were trained on."""
    found = {str(record["device"]) for record in manifest["trained"].values() if "device" in record}
    return ", ".join(sorted(found)) or "cpu"
