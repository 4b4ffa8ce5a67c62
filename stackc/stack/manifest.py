"""The manifest of a stack: what it is made of, by SHA-256. It is untrusted: every value is held against its kind.

A stack is named by the hash of what decoding needs (`stack_sha256`). Corpus, tokens, float weights, counts and the
report may be missing from a stack that only codes.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from stackc.api.errors import ArtifactError
from stackc.api.files import read_json, sha256_file

FORMAT = 1
MANIFEST = "manifest.json"

MAX_NAME = 200
"""Characters of a part's path, at most: every file system takes that."""

_CODING = ("frozen", "coder", "dictionary")
"""Folders of a level or a top model that coding reads."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


def read_manifest(folder: Path, upto: str | None = None) -> dict[str, Any]:
    """The manifest of the stack in `folder`, every value of the right kind, and the parts that coding needs there.

    Args:
        upto: the level above which nothing needs to be there; None: all of the stack is.

    Raises:
        ArtifactError: no stack, a damaged one, or one of a newer format.
    """
    manifest = manifest_alone(folder)
    needed = set(coding_parts(manifest, upto))
    for name, part in manifest["parts"].items():
        file = folder / name
        present = file.is_file()
        if (not present and name in needed) or (present and file.stat().st_size != part["bytes"]):
            raise ArtifactError(f"{file}: a part of the stack is missing or cut short; build the stack again")
    return manifest


def manifest_alone(folder: Path) -> dict[str, Any]:
    """The manifest, whatever there is of the parts.

    Raises:
        ArtifactError: no stack, or one whose manifest is damaged or of a newer format.
    """
    path = folder / MANIFEST
    if not path.is_file():
        begun = (folder / "corpus").is_dir()
        hint = "its build has not finished; run it again" if begun else "build one with `stackc build`"
        raise ArtifactError(f"{folder}: not a stack (no {MANIFEST}); {hint}")
    manifest = read_json(path, "manifest")
    version = manifest.get("format")
    if type(version) is not int or version > FORMAT:
        raise ArtifactError(
            f"{path}: a stack of format {version!r:.40}; this stackc reads up to {FORMAT}: pip install --upgrade stackc"
        )
    for key, fits in _KINDS.items():
        if not fits(manifest.get(key)):
            raise ArtifactError(f"{path}: not a readable manifest (at {key!r}); build the stack again")
    return manifest


def is_manifest(path: Path) -> bool:
    """Whether a file is a manifest of stackc's, of whatever stack; a link to one is not."""
    if path.is_symlink() or not path.is_file():
        return False
    try:
        found = read_json(path, "manifest")
    except ArtifactError:
        return False
    kinds = {"format": int, "stackc": str, "name": str, "recipe": dict, "levels": list, "parts": dict}
    return all(isinstance(found.get(key), kind) for key, kind in kinds.items())


def coding_parts(manifest: dict[str, Any], upto: str | None = None) -> Iterator[str]:
    """The parts that decoding needs: of a compiled level its dictionary and tables, of others the frozen model.

    Args:
        upto: the last level that is asked for; None: all of them and the top model.
    """
    for name, compiled in _coders(manifest):
        for part in manifest["parts"]:
            owner, _, rest = part.partition("/")
            kind = rest.partition("/")[0]
            if owner == name and kind in _CODING and kind != ("frozen" if compiled else "dictionary"):
                yield part
        if name == upto:
            return


def check_parts(folder: Path, manifest: dict[str, Any], owner: str, *kinds: str) -> None:
    """Raise `ArtifactError` unless what is in these folders of level or top `owner` is what the manifest says."""
    for name, part in manifest["parts"].items():
        chosen = name.split("/")[0] == owner and name.split("/")[1] in kinds
        if chosen and (folder / name).is_file() and sha256_file(folder / name) != part["sha256"]:
            raise ArtifactError(f"{folder / name}: not what the manifest says (SHA-256); build the stack again")


def stack_sha256(manifest: dict[str, Any]) -> str:
    """The name of a stack: the SHA-256 of all that decides what its tokens and payloads mean (docs/format.md).

    Names, training, corpus and machine do not enter: two builds that code alike are one stack.

    Raises:
        ArtifactError: a recipe that is not whole.
    """
    try:
        text = json.dumps(_meaning(manifest), sort_keys=True, separators=(",", ":"))
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ArtifactError(f"a manifest whose recipe is not whole ({error}); build the stack again") from error
    return hashlib.sha256(text.encode()).hexdigest()


def _meaning(manifest: dict[str, Any]) -> dict[str, Any]:
    """What `stack_sha256` hashes. Raises `KeyError`, `TypeError` or `ValueError` for a recipe that is none."""
    recipe, parts = manifest["recipe"], manifest["parts"]
    needed = sorted(coding_parts(manifest))
    return {
        "format": manifest["format"],
        "segment": recipe["corpus"]["segment"],
        "bits": {
            name: made_by["bits_version"]
            for name, made_by in manifest["plugins"].items()
            if not name.startswith("reader ")
        },
        "levels": [
            {
                "compiled": compiled,
                "tables": {key: value for key, value in table.items() if key not in ("name", "train")},
                "parts": {part.partition("/")[2]: parts[part]["sha256"] for part in needed if _owner(part) == name},
            }
            for (name, compiled), table in zip(_coders(manifest), [*recipe["level"], recipe["top"]], strict=True)
        ],
    }


def _coders(manifest: dict[str, Any]) -> Iterator[tuple[str, bool]]:
    """(name, compiled) of every level, and of the top model."""
    for made in manifest["levels"]:
        yield made["name"], made["compiled"]
    top = manifest["recipe"].get("top")
    if isinstance(top, dict) and isinstance(top.get("name"), str):
        yield top["name"], False


def _owner(part: str) -> str:
    return part.partition("/")[0]


# --------------------------------------------------------------------------------------------------
# What every value must be


def _table(**fields: type) -> Callable[[Any], bool]:
    """Whether a value is a table with these fields, each of exactly this type."""
    return lambda value: isinstance(value, dict) and all(type(value.get(key)) is kind for key, kind in fields.items())


_level = _table(name=str, alphabet=int, token_alphabet=int, compiled=bool, portability=str, host=str)
_plugin = _table(plugin=str, distribution=str, version=str, bits_version=int)
_part = _table(sha256=str, bytes=int)


def _is_part(name: str, value: Any) -> bool:
    """A part's path stays inside the stack's folder, one file below a stage's folder."""
    path = PurePosixPath(name)
    inside = not path.is_absolute() and len(path.parts) >= 2 and ".." not in path.parts
    plain = "\\" not in name and ":" not in name and name.isprintable() and str(path) == name
    plain = plain and len(name) <= MAX_NAME
    return inside and plain and _part(value) and value["bytes"] >= 0 and bool(_SHA256.fullmatch(value["sha256"]))


_KINDS: dict[str, Callable[[Any], bool]] = {
    "recipe": lambda value: isinstance(value, dict),
    "levels": lambda value: isinstance(value, list) and all(map(_level, value)),
    "plugins": lambda value: isinstance(value, dict) and all(" " in k and _plugin(v) for k, v in value.items()),
    "parts": lambda value: isinstance(value, dict) and all(_is_part(k, v) for k, v in value.items()),
    "trained": lambda value: isinstance(value, dict) and all(isinstance(one, dict) for one in value.values()),
    "name": lambda value: isinstance(value, str),
    "stackc": lambda value: isinstance(value, str),
}
