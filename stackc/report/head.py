"""The head of the page: when and by what it was written, and of each stack its recipe, its corpus and their hashes."""

from __future__ import annotations

import html
import importlib.metadata
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from stackc.api.errors import ArtifactError
from stackc.api.messages import amount
from stackc.report.facts import SPLITS, Facts
from stackc.stack.manifest import stack_sha256

MAX_VALUE = 300
"""Characters of one value of a recipe that are shown, at most."""


def written_by() -> str:
    """A line on the page itself."""
    version = importlib.metadata.version("stackc")
    return f'<p class="note">Written {datetime.now(UTC):%Y-%m-%d} by stackc {_text(version)}</p>'


def about(facts: list[Facts]) -> str:
    """A card for each stack."""
    return f'<div class="grid about">{"".join(map(_card, facts))}</div>'


def _card(fact: Facts) -> str:
    lines = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in _lines(fact))
    return (
        f'<article class="own{fact.number % 8}"><h3>{_text(fact.label)}</h3><dl>{lines}</dl>{_recipe(fact)}</article>'
    )


def _lines(fact: Facts) -> Iterator[tuple[str, str]]:
    manifest = fact.manifest
    date = f"{datetime.fromtimestamp(fact.finished, UTC):%Y-%m-%d}, " if fact.finished is not None else ""
    yield "Built", f"{date}stackc {_text(str(manifest['stackc']))}{_machines(manifest)}"
    recipe = manifest["recipe"]
    corpus = recipe.get("corpus") if isinstance(recipe.get("corpus"), dict) else {}
    described = recipe.get("stack") if isinstance(recipe.get("stack"), dict) else {}
    if said := described.get("text"):
        licence = described.get("licence")
        yield "Text", _text(str(said)) + (f"; licence: {_text(str(licence))}" if licence else "")
    reader = f"{_text(str(corpus['reader']))}: " if "reader" in corpus else ""
    yield "Corpus", reader + "; ".join(_splits(fact, corpus))
    try:
        yield "SHA-256", f"<code>{stack_sha256(manifest)}</code>"
    except ArtifactError:
        yield "SHA-256", "unknown: the recipe in its manifest is incomplete"
    yield "Folder", _text(str(fact.folder))


def _machines(manifest: dict[str, Any]) -> str:
    """The machines that trained its models."""
    made = [one for one in manifest.get("trained", {}).values() if isinstance(one, dict)]
    found = dict.fromkeys(f"{one.get('device', '?')}, {one.get('build', '?')}" for one in made)
    return "".join(f"; trained on {_text(one)}" for one in found)


def _splits(fact: Facts, corpus: dict[str, Any]) -> Iterator[str]:
    """Files, size and hash of each split of the corpus."""
    for split in SPLITS:
        part = fact.manifest["parts"].get(f"corpus/{split}/symbols.bin")
        named = corpus.get(split)
        if part is None and not named:
            continue
        files = ", ".join(map(str, named)) if isinstance(named, list) else str(named or "")
        size = "" if part is None else f", {amount(part['bytes'], 'byte')}, <code>{_text(part['sha256'][:16])}…</code>"
        yield f"{split} {_text(files)}{size}"


def _recipe(fact: Facts) -> str:
    """The whole recipe, folded: a line for each table."""
    lines = "\n".join(f"{where}: {values}" for where, values in _tables(fact.manifest["recipe"]))
    name = f"Recipe {fact.manifest['name']}"
    return f"<details><summary>{_text(name)}</summary><pre>{_text(lines)}</pre></details>"


def _tables(recipe: dict[str, Any], where: str = "") -> Iterator[tuple[str, str]]:
    """Tables with their plain values, outer ones first."""
    plain = {key: value for key, value in recipe.items() if not _holds_tables(value)}
    if plain:
        yield where or "recipe", ", ".join(f"{key} = {_value(value)}" for key, value in plain.items())
    for key, value in recipe.items():
        if isinstance(value, dict):
            yield from _tables(value, f"{where}.{key}" if where else str(key))
        elif _holds_tables(value):
            for one in value:
                yield from _tables(one, str(one.get("name", key)))


def _holds_tables(value: Any) -> bool:
    return isinstance(value, dict) or (
        isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)
    )


def _value(value: Any) -> str:
    text = repr(value) if not isinstance(value, bool) else str(value).lower()
    return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 3] + "..."


def _text(text: str) -> str:
    """Escaped; invisible characters become blanks."""
    return html.escape("".join(char if char.isprintable() or char == "\n" else " " for char in text))
