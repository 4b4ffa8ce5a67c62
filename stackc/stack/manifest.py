"""The manifest of a stack: its recipe, its parts and their SHA-256. It is untrusted: every value is checked.

A stack is named by the hash of everything that decoding needs (`stack_sha256`). Corpus, tokens, float weights, counts
and the report may be missing from a stack that is only used for coding.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from stackc.api.errors import ArtifactError
from stackc.api.files import read_json, sha256_file
from stackc.stack.saved import SUBFOLDER, saved_level

FORMAT = 1
MANIFEST = "manifest.json"

MAX_NAME = 200
"""The most characters in a part's path: every file system accepts that."""

_CODING = ("frozen", "coder", "dictionary")
"""Folders of a level or a top model that coding reads."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


def read_manifest(folder: Path, upto: str | None = None) -> dict[str, Any]:
    """The manifest of the stack in `folder`, after checking its values and that the parts for coding exist.

    Args:
        upto: the last level whose parts must exist; None: those of the whole stack.

    Raises:
        ArtifactError: no stack, a damaged stack, or a newer format.
    """
    manifest = manifest_alone(folder)
    needed = set(coding_parts(manifest, upto))
    for name, part in manifest["parts"].items():
        file = folder / name
        present = file.is_file()
        if (not present and name in needed) or (present and file.stat().st_size != part["bytes"]):
            saved = saved_level(folder)
            if saved is not None and not present and name not in coding_parts(manifest, saved):
                raise ArtifactError(
                    f"{folder}: belongs to a tokenizer and holds the levels up to {saved} alone; for this, name the "
                    "stack that the tokenizer was saved from"
                )
            raise ArtifactError(f"{file}: a part of the stack is missing or cut short; {remedy_for(folder)}")
    return manifest


def remedy_for(folder: Path) -> str:
    """What to do about a damaged part of the stack in a folder."""
    return "build the stack again" if saved_level(folder) is None else "save the tokenizer again"


def highest_level(folder: Path) -> str | None:
    """The level up to which the stack in a tokenizer's folder can be opened; None: it is whole, or no tokenizer's.

    Raises:
        ArtifactError: no stack, or a damaged manifest.
    """
    saved = saved_level(folder)
    if saved is None:
        return None
    manifest = manifest_alone(folder)
    whole = all((folder / name).is_file() for name in coding_parts(manifest))
    return None if whole or saved not in (made["name"] for made in manifest["levels"]) else saved


def manifest_alone(folder: Path) -> dict[str, Any]:
    """The manifest, whether or not the parts exist.

    Raises:
        ArtifactError: no stack, or a manifest that is damaged or of a newer format.
    """
    path = folder / MANIFEST
    if not path.is_file():
        if folder.is_file():
            raise ArtifactError(f"{folder}: neither the folder of a stack nor a packed stack")
        begun = (folder / "corpus").is_dir()
        hint = "its build has not finished; run it again" if begun else "build one with `stackc build`"
        if (folder / SUBFOLDER / MANIFEST).is_file():
            hint = f"a tokenizer's folder: its levels are in {folder / SUBFOLDER}"
        raise ArtifactError(f"{folder}: not a stack (no {MANIFEST}); {hint}")
    return checked_manifest(read_json(path, "manifest"), path, "build the stack again")


def checked_manifest(manifest: dict[str, Any], where: object, remedy: str) -> dict[str, Any]:
    """The manifest itself, if all of its values have the types that they must have.

    Args:
        where: what it was read from, for the message; `remedy`: what to do if it is damaged.

    Raises:
        ArtifactError: a manifest that is damaged or of a newer format.
    """
    version = manifest.get("format")
    if type(version) is not int or version > FORMAT:
        raise ArtifactError(
            f"{where}: a stack of format {version!r:.40}; this stackc reads up to {FORMAT}: "
            "pip install --upgrade stackc"
        )
    for key, fits in _KINDS.items():
        if not fits(manifest.get(key)):
            raise ArtifactError(f"{where}: not a readable manifest (at {key!r}); {remedy}")
    return manifest


def handed_on(manifest: dict[str, Any]) -> dict[str, Any]:
    """The manifest as a copy for others has it: of corpus files elsewhere on this machine it says the names alone.

    ``--set`` makes file names absolute, and folders tell who built the stack and where. Names below the recipe's own
    folder stay. The stack's SHA-256 covers none of them.
    """
    recipe = manifest["recipe"]
    corpus = recipe.get("corpus")
    if not isinstance(corpus, dict):
        return manifest
    return {**manifest, "recipe": {**recipe, "corpus": {key: _names_alone(value) for key, value in corpus.items()}}}


def _names_alone(value: Any) -> Any:
    if isinstance(value, list):
        return [_names_alone(item) for item in value]
    if not isinstance(value, str):
        return value
    if PureWindowsPath(value).drive:
        return PureWindowsPath(value).name or "."
    path = PurePosixPath(value)
    inside = not path.is_absolute() and not value.startswith("~") and ".." not in path.parts
    return value if inside else path.name or "."


def is_manifest(path: Path) -> bool:
    """Whether a file is the manifest of any stack; a link to a manifest is not."""
    if path.is_symlink() or not path.is_file():
        return False
    try:
        found = read_json(path, "manifest")
    except ArtifactError:
        return False
    kinds = {"format": int, "stackc": str, "name": str, "recipe": dict, "levels": list, "parts": dict}
    return all(isinstance(found.get(key), kind) for key, kind in kinds.items())


def coding_parts(manifest: dict[str, Any], upto: str | None = None) -> Iterator[str]:
    """The parts that decoding needs: the dictionary and tables of a compiled level, the frozen model of any other.

    Args:
        upto: the last level; None: all levels and the top model.
    """
    for name, compiled in _coders(manifest):
        for part in manifest["parts"]:
            owner, _, rest = part.partition("/")
            kind = rest.partition("/")[0]
            if owner == name and kind in _CODING and kind != ("frozen" if compiled else "dictionary"):
                yield part
        if name == upto:
            return


@contextlib.contextmanager
def checking_parts(folder: Path, manifest: dict[str, Any], owner: str, *kinds: str) -> Iterator[None]:
    """Around reading the files in these folders of level or top `owner`, which are hashed meanwhile, each in a thread.

    Whatever the block reads, it leaves only if every file matches the manifest. Hashing takes most of the time that a
    large stack takes to open, and releases Python's lock.

    Raises:
        ArtifactError: a file that does not match, whatever the block itself raised.
    """
    chosen = [name for name in manifest["parts"] if name.split("/")[0] == owner and name.split("/")[1] in kinds]
    present = {folder / name: manifest["parts"][name]["sha256"] for name in chosen if (folder / name).is_file()}
    with ThreadPoolExecutor(max(1, min(len(present), os.cpu_count() or 1))) as pool:
        found = pool.map(sha256_file, present)
        try:
            yield
        finally:
            for path, right, sha256 in zip(present, present.values(), found, strict=True):
                if sha256 != right:
                    raise ArtifactError(f"{path}: SHA-256 does not match the manifest; {remedy_for(folder)}")


def check_parts(folder: Path, manifest: dict[str, Any], owner: str, *kinds: str) -> None:
    """Raise `ArtifactError` unless the files in these folders of level or top `owner` match the manifest."""
    with checking_parts(folder, manifest, owner, *kinds):
        pass


def stack_sha256(manifest: dict[str, Any]) -> str:
    """The name of a stack: the SHA-256 of everything that decides what its tokens and payloads mean (docs/format.md).

    Names, training, corpus and machine are not included: two builds that code identically are one stack.

    Raises:
        ArtifactError: an incomplete recipe.
    """
    try:
        text = json.dumps(_meaning(manifest), sort_keys=True, separators=(",", ":"))
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise ArtifactError(f"the recipe in the manifest is incomplete ({error}); build the stack again") from error
    return hashlib.sha256(text.encode()).hexdigest()


def _meaning(manifest: dict[str, Any]) -> dict[str, Any]:
    """The data that `stack_sha256` hashes. An invalid recipe raises what Python raises for missing keys and types."""
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
                "parts": {
                    part.partition("/")[2]: parts[part]["sha256"] for part in needed if part.startswith(f"{name}/")
                },
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


# --------------------------------------------------------------------------------------------------
# The type of every value


def _table(**fields: type) -> Callable[[Any], bool]:
    """Whether a value is a table with these fields, each of exactly this type."""
    return lambda value: isinstance(value, dict) and all(type(value.get(key)) is kind for key, kind in fields.items())


_level = _table(name=str, alphabet=int, token_alphabet=int, compiled=bool, portability=str, host=str)
_plugin = _table(plugin=str, distribution=str, version=str, bits_version=int)
_part = _table(sha256=str, bytes=int)


def _is_part(name: str, value: Any) -> bool:
    """Whether a part's path stays inside the stack's folder, below a stage's folder, and its entry is valid."""
    path = PurePosixPath(name)
    inside = not path.is_absolute() and len(path.parts) >= 2 and ".." not in path.parts
    plain = name.isprintable() and not set(name) & set("\\:") and str(path) == name and len(name) <= MAX_NAME
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
