"""The runs that a sweep's file describes: every arm at every point of its axes with every seed.

All runs are resolved before any of them starts, so that everything wrong is reported at once. A run is named by the
hash of its resolved recipe and of its corpus: the same run has the same name in every sweep and on every machine.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from stackc.api.errors import RecipeError, StackcError
from stackc.api.fields import GLOBS
from stackc.parts.checked import GuardedReader
from stackc.pipeline.fingerprints import Remembered, fingerprint
from stackc.pipeline.plan import SPLITS
from stackc.pipeline.sweeps.file import Address, Arm, SweepFile, flat, read_sweep
from stackc.recipe import Recipe
from stackc.recipe.load import load_changed
from stackc.recipe.overrides import Override
from stackc.recipe.sections import plain_part
from stackc.recipe.structure import Problems
from stackc.recipe.wording import show

ID_CHARACTERS = 16

BUDGETS = ("operations", "steps", "symbols")
"""Keys that say how long a model is trained: a whole number of steps, at least one."""

ENOUGH = 100
"""Points of an arm that are resolved if there is something wrong with every one: the rest would say the same."""

Texts = dict[str, str]
"""Fingerprints of a corpus, by split."""


@attrs.frozen(kw_only=True)
class Run:
    """One stack of a sweep.

    Attributes:
        id: hash of its resolved recipe and of its corpus.
        arm: name of its arm.
        point: the values of its axes.
        seed: of its recipe.
        values: its values of the axes in few words, by address.
        label: its arm and values; runs that differ in their seed alone share it.
        recipe: resolved.
        texts: fingerprints of its corpus.
    """

    id: str
    arm: str
    point: tuple[Address, ...]
    seed: int
    values: dict[str, str]
    label: str
    recipe: Recipe
    texts: Texts


@attrs.frozen(kw_only=True)
class Sweep:
    """A sweep that can run.

    Attributes:
        path: its file.
        name: its name.
        axes: addresses of its axes.
        runs: in the order of the file; all have different ids.
    """

    path: Path
    name: str
    axes: tuple[str, ...]
    runs: tuple[Run, ...]


def load_sweep(path: Path | str, remembered: Remembered | None = None) -> Sweep:
    """Read and resolve a sweep's file.

    Args:
        remembered: fingerprints of corpora that were read before; None: they are read.

    Raises:
        RecipeError: holds every problem of the file, of the recipes that it makes, and of their corpora.
    """
    path, problems = Path(path), Problems()
    file = read_sweep(path, problems)
    runs = _Expansion(file, problems, remembered or Remembered(None)).runs() if file is not None else []
    if problems.lines or file is None:
        raise RecipeError(str(path), problems.lines)
    return Sweep(path=path, name=file.name, axes=file.axes, runs=tuple(runs))


def short_names(addresses: Iterable[str]) -> dict[str, str]:
    """The shortest suffix of each address that no other has."""
    parts = {address: address.split(".") for address in addresses}
    found = {}
    for address, keys in parts.items():
        ends = (".".join(keys[-n:]) for n in range(1, len(keys) + 1) if not keys[-n].isdigit())
        others = [other for other in parts if other != address]
        found[address] = next(
            (end for end in ends if not any(other == end or other.endswith(f".{end}") for other in others)), address
        )
    return found


def written_value(value: Any) -> str:
    """A value of an axis in few characters."""
    if isinstance(value, float):
        return re.sub(r"e\+?(-?)0*", r"e\1", f"{value:g}")
    return value if isinstance(value, str) else show(value)


def written_values(values: list[Any]) -> list[str]:
    """Short, distinct names of the values of one axis: for tables, the entries in which they differ."""
    if all(isinstance(value, Mapping) for value in values):
        leaves = [dict(flat(value)) for value in values]
        keys = dict.fromkeys(key for one in leaves for key in one)
        differing = [key for key in keys if any(one.get(key) != leaves[0].get(key) for one in leaves)]
        names = short_names(differing)
        texts = [
            ", ".join(f"{names[key]}={written_value(one[key])}" for key in differing if key in one) for one in leaves
        ]
    else:
        texts = [written_value(value) for value in values]
    # Long values may differ only after the point where they are cut off.
    whole = list(map(_json, values))
    if len(set(texts)) == len(set(whole)):
        return texts
    places = {one: number for number, one in enumerate(dict.fromkeys(whole), 1)}
    return [f"{places[one]}: {text}" for one, text in zip(whole, texts, strict=True)]


class _Expansion:
    """Resolves the runs of one file."""

    def __init__(self, file: SweepFile, problems: Problems, remembered: Remembered) -> None:
        self.file, self.problems, self.remembered = file, problems, remembered
        self.names = short_names(file.axes)
        self.words = {axis: self._words(axis) for axis in file.axes}  # of an axis, by the JSON of its values
        self.faults: dict[str, list[str]] = defaultdict(list)  # labels of runs, by their problems
        self.texts: dict[str, Texts | str] = {}  # or why a corpus cannot be read

    def runs(self) -> list[Run]:
        found: list[Run] = []
        count, of_file = 0, len(self.problems.lines)
        for arm in self.file.arms:
            made = len(found)
            for number, point in enumerate(arm.points, 1):
                count += 1
                found += self.at(arm, point)
                if number == ENOUGH and len(found) == made:
                    break
        for line, labels in self.faults.items():
            where = "" if len(labels) == count else f" (in {_listed(labels)})"
            self.problems.add("", line + where)
        before = len(self.problems.lines)
        self.check_effects()
        if len(self.problems.lines) == before and not of_file:
            self.check_duplicates(found)
        self.check_texts(found)
        return found

    def at(self, arm: Arm, point: tuple[Address, ...]) -> Iterator[Run]:
        """The runs of one point of an arm's axes, which differ in their seeds."""
        label = self.label(arm, point)
        try:
            recipe = self.recipe(arm, point)
        except RecipeError as error:
            for line in error.problems:
                self.faults[_placed(arm, line)].append(label)
            return
        texts = self.corpus(recipe)
        if isinstance(texts, str):
            self.faults[_placed(arm, texts)].append(label)
            return
        for seed in arm.seeds or (recipe.stack.seed,):
            name = _slug(f"{label}-{seed}")
            own = attrs.evolve(recipe, stack=attrs.evolve(recipe.stack, seed=seed, name=name))
            yield Run(
                id=run_id(own, texts), arm=arm.name, point=point, seed=seed, values=self.values(point), label=label,
                recipe=own, texts=texts,
            )  # fmt: skip

    def _words(self, axis: str) -> dict[str, str]:
        found = [value for arm in self.file.arms for point in arm.points for at, value in point if at == axis]
        return dict(zip(map(_json, found), written_values(found), strict=True))

    def values(self, point: tuple[Address, ...]) -> dict[str, str]:
        """Short names of the values of axes."""
        return {address: self.words[address][_json(value)] for address, value in point}

    def label(self, arm: Arm, point: tuple[Address, ...]) -> str:
        # The name of a table has its entries already.
        words = [text if "=" in text else f"{self.names[at]}={text}" for at, text in self.values(point).items()]
        return ", ".join([arm.name, *words] if arm.path or not words else words)

    def recipe(self, arm: Arm, point: tuple[Address, ...]) -> Recipe:
        overrides = [
            Override(f'"{address}"', tuple(address.split(".")), value) for address, value in (*arm.set, *point)
        ]
        return load_changed(arm.base, overrides, self.file.path.parent.absolute())

    def corpus(self, recipe: Recipe) -> Texts | str:
        """Fingerprints of the corpus, computed once per corpus; or why it cannot be read."""
        reader = recipe.corpus.reader
        key = json.dumps([str(recipe.base), plain_part("reader", reader)], sort_keys=True, default=str)
        if key not in self.texts:
            try:
                guarded = GuardedReader(reader.make(recipe.base), reader.who)
                self.texts[key] = {split: fingerprint(self.remembered, reader, guarded, split) for split in SPLITS}
            except StackcError as error:
                self.texts[key] = str(error)
        return self.texts[key]

    def check_effects(self) -> None:
        """Report every axis whose values all give the same recipe."""
        found: dict[str, list[str]] = defaultdict(list)
        for arm in self.file.arms:
            for address in dict(arm.points[0]):
                if why := self.no_effect(arm, address):
                    found[f"{arm.places[address]}: {why}"].append(arm.name)
        for line, arms in found.items():
            where = "" if len(arms) == len(self.file.arms) else f" (in {_listed(arms)})"
            self.problems.add("", line + where)

    def no_effect(self, arm: Arm, address: str) -> str:
        """The problem of an axis of an arm; empty if its values give different recipes."""
        first = arm.points[0]
        own = dict(first)[address]
        others = list({_json(value): value for point in arm.points if (value := dict(point)[address]) != own}.values())
        made = [
            self.recipe_or_none(arm, tuple((at, value if at == address else kept) for at, kept in first))
            for value in [own, *others]
        ]
        recipes = [recipe for recipe in made if recipe is not None]
        if address.rpartition(".")[2] in BUDGETS and (same := _same_training(recipes)):
            return same
        keys = {(run_id(recipe, {}), str(plain_part("reader", recipe.corpus.reader))) for recipe in recipes}
        if not others or len(recipes) < len(made) or len(keys) > 1:
            return ""
        if len({json.dumps(recipe.to_dict(), default=str) for recipe in recipes}) > 1:
            return "changes speed or names alone, so all its values give the same stack; remove the axis"
        return "has no effect on the recipe; remove the axis"

    def recipe_or_none(self, arm: Arm, point: tuple[Address, ...]) -> Recipe | None:
        """The recipe of a point that need not be one of the sweep's; None if it is not valid."""
        try:
            return self.recipe(arm, point)
        except RecipeError:
            return None

    def check_texts(self, runs: list[Run]) -> None:
        """Report runs that are measured on another text than the first one."""
        labels = [run.label for run in runs if run.texts["test"] != runs[0].texts["test"]]
        if labels:
            text = f"corpus.test: {_listed(labels)}: another text than in {runs[0].label}"
            self.problems.add("", f"{text}; bits per byte of different texts do not compare: make two sweeps")

    def check_duplicates(self, runs: list[Run]) -> None:
        """Report runs that are the same stack."""
        paths = {arm.name: arm.path for arm in self.file.arms}
        first: dict[str, Run] = {}
        for run in runs:
            other = first.setdefault(run.id, run)
            if other is run:
                continue
            if other.arm != run.arm:
                text = f"{show(run.arm)} gives the same stack as arm {show(other.arm)}"
                self.problems.add(paths[run.arm], f"{text}; remove one")
            else:
                text = f"{show(run.label)} and {show(other.label)} are the same stack; remove one"
                self.problems.add(paths[run.arm], text)


def run_id(recipe: Recipe, texts: Texts) -> str:
    """The name of a run: a hash of everything that decides its figures.

    The corpus enters by its content. Other files that a part names, such as a checkpoint, enter by their names.
    """
    files = [
        [one.name, field.name, str(value)]
        for one in recipe.chosen()[1:]
        for field in attrs.fields(type(one.config))
        if field.metadata.get(GLOBS, False) and (value := getattr(one.config, field.name))
    ]
    material = {"recipe": recipe.key(), "corpus": texts, **({"files": files} if files else {})}
    text = json.dumps(material, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:ID_CHARACTERS]


def _same_training(recipes: list[Recipe]) -> str:
    """Why some budgets of an axis are one and the same; empty if all differ."""
    operations = [
        [
            section.model.cost(section.alphabet, section.train, recipe.base).train_ops
            for section in recipe.sections
            if section.model is not None
        ]
        for recipe in recipes
    ]
    twice = [one for number, one in enumerate(operations) if one in operations[:number]]
    if not twice or not sum(twice[0]):
        return ""
    return f"two values are the same training, of {sum(twice[0]):.3g} operations in all; leave at least a step between"


def _placed(arm: Arm, line: str) -> str:
    """A problem of a recipe, with the place in the sweep's file that it comes from, or else its base."""
    path, _, text = line.partition(": ")
    below = [address for address in arm.places if path == address or path.startswith(f"{address}.")]
    if below:
        address = max(below, key=len)
        return f"{arm.places[address]}{path.removeprefix(address)}: {text}"
    above = [address for address in arm.places if address.startswith(f"{path}.")]
    return f"{arm.places[above[0]]}: {line}" if above else f"{arm.base.name}: {line}"


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _slug(text: str) -> str:
    """A label as the name of a stack."""
    name = re.sub(r"[^A-Za-z0-9._=-]+", "-", text).replace("=", "-")
    return (name if name[:1].isalpha() else f"run-{name}")[:64]


def _listed(labels: list[str], most: int = 3) -> str:
    unique = list(dict.fromkeys(labels))
    more = f" and {len(unique) - most} more" if len(unique) > most else ""
    return "; ".join(unique[:most]) + more
