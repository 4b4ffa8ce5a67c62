"""Reads recipes: from a file, a shipped name, or the data in a manifest. Every problem is reported at once."""

from __future__ import annotations

import contextlib
import copy
import difflib
import itertools
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from stackc.api.errors import RecipeError
from stackc.api.fields import based
from stackc.api.names import expanded
from stackc.parts.registry import Registry
from stackc.parts.registry import registry as installed_parts
from stackc.recipe.assemble import assemble
from stackc.recipe.overrides import Override, apply_override, parse_override
from stackc.recipe.sections import Recipe
from stackc.recipe.structure import Problems
from stackc.recipe.tables import DESCRIBED


def load_recipe(source: str | Path, overrides: Iterable[str] = (), registry: Registry | None = None) -> Recipe:
    """Read, change and check a recipe.

    Args:
        source: a TOML file, or the name of a recipe that ships with stackc, such as "three_level".
        overrides: ``KEY=VALUE`` strings, as after ``--set``. File names in them are relative to the current folder, not
            to the recipe's.
        registry: the parts to choose from; None: the parts of all installed plugins.

    Raises:
        RecipeError: holds every problem found, one line ``path: problem`` for each.
        PluginError: a plugin breaks the contract.
    """
    path = find_recipe(source)
    problems = Problems()
    parsed = [override for text in overrides if (override := parse_override(text, problems)) is not None]
    return load_changed(path, parsed, Path.cwd(), registry, problems)


def load_changed(
    path: Path,
    overrides: Sequence[Override],
    here: Path,
    registry: Registry | None = None,
    problems: Problems | None = None,
) -> Recipe:
    """Same as `load_recipe`, for a file and overrides that are parsed already.

    Args:
        path: the TOML file.
        overrides: applied in their order.
        here: the folder that file names in overrides are relative to.
        registry: see `load_recipe`.
        problems: that were found before; None: no problems.
    """
    data, problems = read_toml(path), problems or Problems()
    _withdraw_described(data, overrides)
    for override in overrides:
        apply_override(data, override, problems)
    recipe = assemble(data, path.parent.absolute(), registry or installed_parts(), problems)
    if problems.lines or recipe is None:
        raise RecipeError(str(path), problems.lines)
    return attrs.evolve(_based_here(recipe, overrides, here), source=path.absolute())


def recipe_from_dict(data: Mapping[str, Any], base: Path, registry: Registry | None = None) -> Recipe:
    """The recipe that `Recipe.to_dict` wrote. `base`: the folder that its file names are relative to.

    Raises:
        RecipeError: see `load_recipe`.
    """
    problems = Problems()
    recipe = assemble(copy.deepcopy(dict(data)), base, registry or installed_parts(), problems)
    if problems.lines or recipe is None:
        raise RecipeError("recipe", problems.lines)
    return recipe


def shipped_recipes() -> dict[str, Path]:
    """The recipes that ship with stackc, by name: in the installed package, or next to it in a checkout."""
    package = Path(__file__).parents[1]
    for folder in (package / "recipes", package.parent / "recipes"):
        if folder.is_dir():
            return {path.stem: path for path in sorted(folder.glob("*.toml"))}
    return {}


def find_recipe(source: str | Path) -> Path:
    """The file of a recipe. Raises `RecipeError`, naming the nearest recipe, if no file is found."""
    path = expanded(source)
    if path.is_file():
        return path
    shipped = shipped_recipes()
    if str(source) in shipped:
        return shipped[str(source)]
    near = nearest_recipe(source)
    hint = f"did you mean {near}?" if near is not None else f"shipped recipes: {_families(shipped) or 'none'}"
    what = "is a folder, not a recipe" if path.is_dir() else "no such recipe file"
    raise RecipeError(str(source), [f"{what}; {hint}"])


def nearest_recipe(source: str | Path, folder: Path = Path(), without: Path | None = None) -> str | None:
    """The recipe whose name is most like this one, as a user can give it; None if no name is like it.

    Args:
        source: what was given, a file or the name of a shipped recipe.
        folder: that files are relative to.
        without: a file that is left out, such as a sweep's own.
    """
    beside = expanded(source).parent
    known = {name: name for name in shipped_recipes()}
    with contextlib.suppress(OSError, ValueError):  # no such folder, or no name of a folder
        files = sorted(path for path in (folder / beside).glob("*.toml") if path != without)
        known |= {path.stem: str(beside / path.name) for path in files}
    near = difflib.get_close_matches(Path(source).stem, known, n=1, cutoff=0.7)
    return known[near[0]] if near else None


def _families(names: Iterable[str]) -> str:
    """Names for a message; three or more with the same first word are one entry."""
    groups = {word: list(group) for word, group in itertools.groupby(sorted(names), lambda name: name.split("_")[0])}
    return ", ".join(
        ", ".join(group) if len(group) < 3 else f"{word}_* ({len(group)} of them)" for word, group in groups.items()
    )


def read_toml(path: Path) -> dict[str, Any]:
    """The data of a TOML file. Raises `RecipeError` if it cannot be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))  # some editors write a byte order mark
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(str(path), [f"not valid TOML: {error}"]) from error
    except RecursionError as error:
        raise RecipeError(str(path), ["not valid TOML: nested too deeply"]) from error
    except UnicodeDecodeError as error:
        raise RecipeError(str(path), [f"not UTF-8 text (byte {error.start})"]) from error
    except OSError as error:
        raise RecipeError(str(path), [f"cannot read ({error.strerror or error})"]) from error


def _withdraw_described(data: dict[str, Any], overrides: Iterable[Override]) -> None:
    """Remove what the recipe says of its text if an override chooses another: only the override's author knows it.

    Any key of ``[corpus]`` may choose, as each reader has its own, but those that leave the training text alone.
    """
    kept = {("corpus", key) for key in ("segment", "valid", "test")}
    stack = data.get("stack")
    if isinstance(stack, dict) and any(one.keys[0] == "corpus" and one.keys[:2] not in kept for one in overrides):
        for key in DESCRIBED:
            stack.pop(key, None)


def _based_here(recipe: Recipe, overrides: Iterable[Override], here: Path) -> Recipe:
    """File names in overrides are relative to `here`: make them absolute."""
    corpus = [override.keys for override in overrides if override.keys[0] == "corpus"]
    if not corpus:
        return recipe
    config = recipe.corpus.reader.config
    names = {keys[1] for keys in corpus if len(keys) > 1} or set(attrs.fields_dict(type(config)))
    reader = attrs.evolve(recipe.corpus.reader, config=based(config, here, only=names))
    return attrs.evolve(recipe, corpus=attrs.evolve(recipe.corpus, reader=reader))
