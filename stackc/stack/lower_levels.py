"""The lower levels of a stack as a folder of their own: what coding to their tokens needs and nothing else.

The manifest stays that of the whole stack, so that the parts are still held against it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from stackc.api.errors import ArtifactError, StackcError
from stackc.api.files import read_json, read_pieces, sha256_file, storage_error, write_atomically
from stackc.stack.manifest import MANIFEST, coding_parts, is_manifest, read_manifest
from stackc.stack.stack import Stack

SUBFOLDER = "stack"
"""Where a tokenizer's folder keeps its levels."""

CONFIG = "tokenizer_config.json"
"""Beside `SUBFOLDER`: what transformers wrote of the tokenizer."""


def open_levels(folder: Path, level: str | None) -> Stack:
    """The stack in `folder`, of which only the levels up to `level` need to be there.

    Args:
        level: None: the last.

    Raises:
        StackcError: no stack, a damaged one, no such level, or one whose model answers on one machine only.
    """
    if folder.is_file():
        raise ArtifactError(f"{folder}: a file; a stack is a folder, such as `stackc build` makes")
    if level is None and (folder / MANIFEST).is_file():
        made = read_json(folder / MANIFEST, "manifest").get("levels")
        if isinstance(made, list) and made and isinstance(made[-1], dict) and isinstance(made[-1].get("name"), str):
            level = made[-1]["name"]
    try:
        stack = Stack(folder, upto=level)
    except ArtifactError as error:
        saved = _saved_level(folder)
        if saved in (None, level):
            raise
        raise StackcError(
            f"{folder}: a tokenizer's, saved with the levels up to {saved}; take level={saved!r}, or save one of "
            f"{level} from the stack itself"
        ) from error
    if not stack.recipe.levels:
        raise StackcError(f"{folder}: a stack without levels makes no tokens; its top model reads bytes")
    for made in stack.manifest["levels"][: stack.level_index(level)]:
        if not made["compiled"] and made["portability"] != "portable":
            raise StackcError(
                f"{folder}: the model of {made['name']} answers alike only on the "
                f"{made['portability'].replace('-', ' ')}; a tokenizer must travel: "
                "compile the level, or give it a model that is portable"
            )
    for one in stack.levels:  # damage is found now, not in the middle of a training
        _ = one.route  # loads the model if coding runs it
    return stack


def _saved_level(folder: Path) -> str | None:
    """The level that a tokenizer's folder was saved for; None: `folder` is no part of one."""
    config = folder.resolve().parent / CONFIG
    if folder.resolve().name != SUBFOLDER or not config.is_file():
        return None
    level = read_json(config, "tokenizer").get("level")
    return level if isinstance(level, str) else None


def copy_levels(source: Path, level: str, target: Path) -> list[Path]:
    """Copy the manifest and the parts that the levels up to `level` need; the manifest comes last.

    Raises:
        ArtifactError: the folder cannot be written, or holds what is not a stack's.
    """
    manifest = read_manifest(source, upto=level)
    names = [*coding_parts(manifest, upto=level), MANIFEST]
    if source.resolve() == target.resolve():
        return [target / name for name in names]
    for name in names:
        _check_replaceable(target, name, manifest)
    for name in names:
        try:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise storage_error(target / name, error) from error
        with write_atomically(target / name) as written:
            for piece in read_pieces(source / name):
                written.write(piece)
    return [target / name for name in names]


def _check_replaceable(target: Path, name: str, manifest: dict[str, Any]) -> None:
    """Refuse to replace what is not a stack's. Of a save that was killed, or that another process is at, the parts are
    there before the manifest."""
    path = target / name
    if not os.path.lexists(path) or (name != MANIFEST and is_manifest(target / MANIFEST)):
        return
    ours = is_manifest(path) if name == MANIFEST else sha256_file(path) == manifest["parts"][name]["sha256"]
    if not ours:
        raise ArtifactError(f"{path}: is there already, and not a stack's; move it, or save to another folder")
