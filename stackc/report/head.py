"""The head of the page: when and by what it was written, and of each stack its recipe, its corpus and their hashes."""

from __future__ import annotations

import contextlib
import html
import importlib.metadata
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs

from stackc.api.errors import ArtifactError
from stackc.api.messages import amount
from stackc.report.entrants import Entrant
from stackc.report.facts import SPLITS, Facts, finished
from stackc.stack.manifest import manifest_alone, stack_sha256

MAX_VALUE = 300
"""Characters of one value of a recipe that are shown, at most."""

MAX_CARDS = 100
"""Cards on a page of a comparison or a sweep, which may have thousands of settings, at most."""


def written_by() -> str:
    """A line on the page itself."""
    version = importlib.metadata.version("stackc")
    return f'<p class="note">Written {datetime.now(UTC):%Y-%m-%d} by stackc {_text(version)}</p>'


@attrs.frozen(kw_only=True)
class Subject:
    """What a card is about: a stack, or stacks that differ in their seed alone.

    Attributes:
        label: its heading.
        number: of its colour, from 0.
        manifests: of its stacks, by folder; at least one.
        seeds: of its stacks; none if there is one stack, whose recipe tells its seed.
    """

    label: str
    number: int
    manifests: dict[Path, dict[str, Any]]
    seeds: tuple[int, ...] = ()

    @property
    def manifest(self) -> dict[str, Any]:
        """The first stack's."""
        return next(iter(self.manifests.values()))


def about(facts: list[Facts]) -> str:
    """A card for each stack."""
    return _cards([Subject(label=one.label, number=one.number, manifests={one.folder: one.manifest}) for one in facts])


def about_entrants(entrants: Sequence[Entrant]) -> str:
    """A card for each setting of stacks that are compared, and a line on those that have none."""
    groups: dict[str, list[Entrant]] = {}
    for one in entrants:
        groups.setdefault(one.setting, []).append(one)
    arms = list(dict.fromkeys(one.arm for one in entrants))  # as in the plots, whose lines have the arms' colours
    made = (_subject(arms.index(group[0].arm), group) for group in groups.values())
    subjects = [one for one in made if one is not None]
    notes = []
    if gone := len(groups) - len(subjects):
        notes.append(f"{amount(gone, 'setting')} without a card: the folders of their stacks are gone.")
    if more := len(subjects[MAX_CARDS:]):
        notes.append(f"{amount(more, 'setting')} more, whose manifests name recipe, corpus and hashes.")
    return _cards(subjects[:MAX_CARDS]) + "".join(f'<p class="note">{note}</p>' for note in notes)


def _subject(number: int, group: list[Entrant]) -> Subject | None:
    """Stacks of one setting; None if the folders of all of them are gone."""
    found = {}
    for one in group:
        with contextlib.suppress(ArtifactError):
            found[one.folder] = manifest_alone(one.folder)
    seeds = tuple(one.seed for one in group if one.folder in found) if len(group) > 1 else ()
    return Subject(label=group[0].setting, number=number, manifests=found, seeds=seeds) if found else None


def _cards(subjects: Sequence[Subject]) -> str:
    return f'<div class="grid about">{"".join(map(_card, subjects))}</div>'


def _card(one: Subject) -> str:
    lines = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in _lines(one))
    return f'<article class="own{one.number % 8}"><h3>{_text(one.label)}</h3><dl>{lines}</dl>{_recipe(one)}</article>'


def _lines(one: Subject) -> Iterator[tuple[str, str]]:
    manifest = one.manifest
    dates = sorted({f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}" for at in map(finished, one.manifests) if at})
    versions = dict.fromkeys(str(made["stackc"]) for made in one.manifests.values())
    date = f"{' to '.join(dict.fromkeys((dates[0], dates[-1])))}, " if dates else ""
    yield "Built", f"{date}stackc {_text(', '.join(versions))}{_machines(one)}"
    recipe = manifest["recipe"]
    corpus = recipe.get("corpus") if isinstance(recipe.get("corpus"), dict) else {}
    described = recipe.get("stack") if isinstance(recipe.get("stack"), dict) else {}
    if said := described.get("text"):
        licence = described.get("licence")
        yield "Text", _text(str(said)) + (f"; licence: {_text(str(licence))}" if licence else "")
    reader = f"{_text(str(corpus['reader']))}: " if "reader" in corpus else ""
    yield "Corpus", reader + "; ".join(_splits(manifest, corpus))
    seeds = [f"seed {seed}: " for seed in one.seeds] or [""]
    hashes = map(_hash, one.manifests.values())
    yield "SHA-256", "<br>".join(seed + found for seed, found in zip(seeds, hashes, strict=True))
    yield "Folder", "<br>".join(_text(str(folder)) for folder in one.manifests)


def _hash(manifest: dict[str, Any]) -> str:
    try:
        return f"<code>{stack_sha256(manifest)}</code>"
    except ArtifactError:
        return "unknown: the recipe in its manifest is incomplete"


def _machines(one: Subject) -> str:
    """The machines that trained its models."""
    trained = [how for manifest in one.manifests.values() for how in manifest.get("trained", {}).values()]
    found = dict.fromkeys(
        f"{how.get('device', '?')}, {how.get('build', '?')}" for how in trained if isinstance(how, dict)
    )
    return "".join(f"; trained on {_text(machine)}" for machine in found)


def _splits(manifest: dict[str, Any], corpus: dict[str, Any]) -> Iterator[str]:
    """Files, size and hash of each split of the corpus."""
    for split in SPLITS:
        part = manifest["parts"].get(f"corpus/{split}/symbols.bin")
        named = corpus.get(split)
        if part is None and not named:
            continue
        files = ", ".join(map(str, named)) if isinstance(named, list) else str(named or "")
        size = "" if part is None else f", {amount(part['bytes'], 'byte')}, <code>{_text(part['sha256'][:16])}…</code>"
        yield f"{split} {_text(files)}{size}"


def _recipe(one: Subject) -> str:
    """The whole recipe, folded: a line for each table. Of several seeds, the first one's."""
    manifest = one.manifest
    lines = "\n".join(f"{where}: {values}" for where, values in _tables(manifest["recipe"]))
    name = f"Recipe {manifest['name']}"
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
