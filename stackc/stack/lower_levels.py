"""The lower levels of a stack as a separate folder: the files that coding to their tokens needs and nothing else.

The manifest is that of the whole stack, so that the parts can still be checked against its hashes; of corpus files it
names no folders of the machine that built it (`handed_on`).
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from stackc.api.errors import ArtifactError, StackcError
from stackc.api.files import read_json, read_pieces, sha256_file, storage_error, write_atomically
from stackc.stack.manifest import MANIFEST, coding_parts, handed_on, is_manifest, read_manifest
from stackc.stack.packed import is_pack, manifest_of
from stackc.stack.saved import saved_level
from stackc.stack.stack import Stack


def open_levels(folder: Path, level: str | None) -> Stack:
    """The stack in `folder`; only the levels up to `level` need to exist.

    Args:
        level: None: the last.

    Raises:
        StackcError: no stack, a damaged stack, no such level, or a level whose model is not portable.
    """
    if folder.is_file() and not is_pack(folder):
        raise ArtifactError(f"{folder}: is a file; a stack is a folder, as written by `stackc build`, or a pack")
    if level is None and (folder.is_file() or (folder / MANIFEST).is_file()):
        manifest = manifest_of(folder) if folder.is_file() else read_json(folder / MANIFEST, "manifest")
        made = manifest.get("levels")
        if isinstance(made, list) and made and isinstance(made[-1], dict) and isinstance(made[-1].get("name"), str):
            level = made[-1]["name"]
    try:
        stack = Stack(folder, upto=level)
    except ArtifactError as error:
        saved = saved_level(folder)
        if saved in (None, level):
            raise
        raise StackcError(
            f"{folder}: belongs to a tokenizer that was saved with the levels up to {saved}; use level={saved!r}, or "
            f"save a tokenizer of {level} from the stack itself"
        ) from error
    if not stack.recipe.levels:
        raise StackcError(f"{folder}: a stack without levels has no tokens; its top model reads bytes")
    for made in stack.manifest["levels"][: stack.level_index(level)]:
        if not made["compiled"] and made["portability"] != "portable":
            raise StackcError(
                f"{folder}: the predictions of the model of {made['name']} are the same only on the "
                f"{made['portability'].replace('-', ' ')}; a tokenizer must work everywhere: "
                "compile the level, or use a portable model"
            )
    for one in stack.levels:  # damage is found now, not in the middle of training
        _ = one.route  # loads the model if coding runs it
    return stack


def copy_levels(source: Path, level: str, target: Path) -> list[Path]:
    """Copy the manifest and the parts that the levels up to `level` need; the manifest is written last.

    Raises:
        ArtifactError: the folder cannot be written, or holds files that do not belong to a stack.
    """
    manifest = read_manifest(source, upto=level)
    names, named = [*coding_parts(manifest, upto=level), MANIFEST], handed_on(manifest)
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
            if name == MANIFEST and named != manifest:
                written.write(json.dumps(named, indent=1, sort_keys=True).encode())
                continue
            for piece in read_pieces(source / name):
                written.write(piece)
    return [target / name for name in names]


def _check_replaceable(target: Path, name: str, manifest: dict[str, Any]) -> None:
    """Raise `ArtifactError` for a file that does not belong to a stack.

    While another process saves, or after a save was killed, parts exist without a manifest: they are known by their
    hash.
    """
    path = target / name
    if not os.path.lexists(path) or (name != MANIFEST and is_manifest(target / MANIFEST)):
        return
    ours = is_manifest(path) if name == MANIFEST else sha256_file(path) == manifest["parts"][name]["sha256"]
    if not ours:
        raise ArtifactError(
            f"{path}: exists already and does not belong to a stack; move it, or save to another folder"
        )
