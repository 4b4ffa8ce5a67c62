"""What `stackc inspect` shows of a stack: its levels, models, plugins, sizes and figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
from rich.filesize import decimal

from stackc.api.errors import ArtifactError, StackcError
from stackc.api.files import read_json, sha256_file
from stackc.api.messages import amount
from stackc.api.models import Cost
from stackc.cli.command import console, show, show_json
from stackc.recipe import recipe_from_dict
from stackc.stack.manifest import coding_parts, highest_level, read_manifest, remedy_for, stack_sha256
from stackc.stack.packed import Unpacked, read_head

REPORT = "report/report.json"
"""Of a stack whose build measured it."""

UNCOUNTED = "as many parameters as its training text gave it; stackc eval counts them"
"""For a model whose parameters its recipe does not say, in a stack without a report."""


def show_pack(path: Path, as_json: bool, verify: bool) -> None:
    """The stack in a pack. Raises `StackcError` if it is damaged."""
    if verify:
        Unpacked(path)
    head = read_head(path)
    if as_json:
        show_json(head.manifest, sort_keys=True)
        return
    _show_manifest(head.manifest, None)
    what = "every SHA-256 matches the manifest" if verify else "not verified: --verify"
    show(f"packed: {amount(head.size, 'byte')}, {amount(len(head.names), 'part')}; {what}")


def show_stack(path: Path, as_json: bool, verify: bool) -> None:
    """The stack in a folder. Raises `StackcError` if it is damaged."""
    from stackc.report.table import print_report

    upto = highest_level(path)
    manifest = read_manifest(path, upto)
    parts = manifest["parts"] if upto is None else list(coding_parts(manifest, upto))
    if verify:
        for name in parts:
            if sha256_file(path / name) != manifest["parts"][name]["sha256"]:
                raise ArtifactError(f"{path / name}: SHA-256 does not match the manifest; {remedy_for(path)}")
    if as_json:
        show_json(manifest, sort_keys=True)
        return
    _show_manifest(manifest, path)
    if verify:
        show(f"verified: {amount(len(parts), 'file')}, all SHA-256 match the manifest")
    if upto is not None:
        show(f"held: the levels up to {upto}, which code to their tokens; this folder belongs to a tokenizer")
        return
    show()
    print_report(path, console())


def _show_manifest(manifest: dict[str, Any], folder: Path | None) -> None:
    """Everything but the figures. `folder`: None if the stack is packed."""
    recipe = manifest["recipe"]
    show(f"{manifest['name']}: {amount(len(manifest['levels']), 'level')}, built by stackc {manifest['stackc']}")
    show(f"sha256: {stack_sha256(manifest)}")
    show(f"text: {_text(recipe)}")
    costs = _costs(manifest, folder)
    for made, section in zip(manifest["levels"], recipe["level"], strict=True):
        show()
        show(f"{made['name']}: alphabet {made['alphabet']:,} -> {made['token_alphabet']:,}")
        for table in ("model", "windowing", "coder"):
            if table in section:
                show(f"  {table:10} {_setting(section[table])}")
        # Of the coders that name a vocabulary, those that need a dictionary are compiled, and the others cut pieces.
        alone = "model" not in section or "vocabulary" in section["coder"]
        route = "its coder alone" if alone else "stepping its model"
        show(f"  {'codes by':10} {'a compiled dictionary' if made['compiled'] else route}; {made['portability']}")
        _show_sizes(manifest, made["name"], folder, costs.get(made["name"]))
    top = recipe["top"]
    show()
    show(f"{top['name']} (top): {_setting(top['model'])}")
    _show_sizes(manifest, top["name"], folder, costs.get(top["name"]))
    trained = manifest["trained"].items()
    where = (f"{name} on {one['device']}, {amount(one['threads'], 'thread')}" for name, one in trained)
    show()
    show(f"trained: {'; '.join(where)}")
    plugins = manifest["plugins"].items()
    show("parts: " + ", ".join(f"{name} ({one['distribution']} {one['version']})" for name, one in plugins))


def _text(recipe: dict[str, Any]) -> str:
    """What its recipe says that it was built from: the text, its licence, and the files, which not all models read."""
    stack, corpus = recipe.get("stack", {}), recipe.get("corpus", {})
    files = ", ".join(str(corpus[split]) for split in ("train",) if corpus.get(split))
    said = stack.get("text") or "not described in its recipe ([stack] text)"
    licence = stack.get("licence") or "not stated ([stack] licence)"
    return f"{said}; licence: {licence}" + (f"; its corpus: {files}" if files else "")


def _costs(manifest: dict[str, Any], folder: Path | None) -> dict[str, Cost]:
    """What each model costs, by level; nothing if a plugin is missing: what else is known is shown nevertheless.

    Parameters that depend on the training text are those that the build counted, if its report is in the folder.
    """
    try:
        recipe = recipe_from_dict(manifest["recipe"], Path())
        costs = {one.name: one.model.cost(one.alphabet, one.train) for one in recipe.sections if one.model}
    except StackcError:
        return {}
    counted = {} if folder is None or not (folder / REPORT).is_file() else _counted(folder / REPORT)
    for name, cost in costs.items():
        if not cost.parameters_known and name in counted:
            costs[name] = attrs.evolve(cost, parameters=counted[name], parameters_known=True)
    text = manifest["parts"].get("corpus/train/symbols.bin")  # bytes: of deeper levels' symbols it is a bound
    return costs if text is None else {name: cost.of_text(text["bytes"]) for name, cost in costs.items()}


def _counted(report: Path) -> dict[str, int]:
    """The parameters in a report, by level. Raises `ArtifactError` if it cannot be read."""
    rows = read_json(report, "report").get("levels")
    found = [(row.get("name"), row.get("parameters")) for row in rows or () if isinstance(row, dict)]
    return {name: number for name, number in found if isinstance(name, str) and type(number) is int}


def _show_sizes(manifest: dict[str, Any], name: str, folder: Path | None, cost: Cost | None) -> None:
    if cost is not None:
        copies = f"; each thread codes with {decimal(cost.copy_memory)} of memory" if cost.copy_memory else ""
        size = amount(cost.parameters, "parameter") if cost.parameters_known else UNCOUNTED
        show(f"  {'model of':10} {size}{copies}")
        if cost.kept_symbols:
            kept = f"up to {amount(cost.kept_symbols, 'symbol')} of the training text, as they are"
            show(f"  {'holds':10} {kept}: whoever gets the stack can read them")
    show(f"  {'on disk':10} {_disk_size(manifest, name, folder)}")


def _setting(table: dict[str, object]) -> str:
    """A part's name and its fields."""
    name = next(table[selector] for selector in ("kind", "backend") if selector in table)
    return " ".join([str(name), *(f"{key}={value}" for key, value in table.items() if value != name)])


def _disk_size(manifest: dict[str, Any], name: str, folder: Path | None) -> str:
    """Bytes of a level's files. A file that has two names, trained and frozen, counts once."""
    total, seen = {True: 0, False: 0}, set()
    for path, part in manifest["parts"].items():
        if not path.startswith(f"{name}/"):
            continue
        if folder is not None:
            try:
                found = (folder / path).stat()
            except OSError:  # not needed for coding, and left out
                continue
            if (found.st_dev, found.st_ino) in seen:
                continue
            seen.add((found.st_dev, found.st_ino))
        total["/tokens/" in path] += part["bytes"]
    return f"{amount(total[False], 'byte')} of model and tables, {total[True]:,} of tokens"
