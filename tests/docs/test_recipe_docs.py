"""docs/recipes.md is true: its tables are those of the configuration classes, its examples run.

After a change of a field, write the tables anew with ``STACKC_REWRITE_DOCS=1 pytest tests/docs/test_recipe_docs.py``.
"""

from __future__ import annotations

import importlib
import os
import re
import types
import typing
from pathlib import Path
from typing import Any, Literal

import attrs
import pytest

from stackc.api.fields import GLOBS, SPEED_ONLY
from stackc.parts.registry import registry
from stackc.recipe import load_recipe

DOCS = Path(__file__).parents[2] / "docs" / "recipes.md"
MARK = re.compile(r"<!-- fields: (\S+):(\w+) -->\n(?:\n(?:\|.*\n)+)?")
NOUNS = {int: "whole number", float: "number", str: "text", bool: "true or false"}


def noun(hint: Any) -> str:
    """A field's type as the docs call it."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return " or ".join(f'`"{choice}"`' for choice in args)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(noun(arg) for arg in args if arg is not types.NoneType)
    if origin is tuple:
        return f"list of {noun(args[0])}"
    return NOUNS[hint]


def default(field: Any) -> str:
    if field.default is attrs.NOTHING:
        return "required"
    if field.default is None or field.default == ():
        return "none"
    return f'`"{field.default}"`' if isinstance(field.default, str) else f"`{field.default}`"


def fields_table(config: Any) -> str:
    hints = typing.get_type_hints(config)
    rows = ["| field | value | default | bits | |", "|---|---|---|---|---|"]
    for field in attrs.fields(config):
        affects = "no" if field.metadata[SPEED_ONLY] and not field.metadata.get(GLOBS) else "yes"
        affects = "their content" if field.metadata.get(GLOBS) else affects
        cells = [f"`{field.name}`", noun(hints[field.name]), default(field), affects, field.metadata["help"]]
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows) + "\n"


def rendered(text: str) -> str:
    """The docs with every table as it should be."""

    def fill(mark: re.Match[str]) -> str:
        config = getattr(importlib.import_module(mark[1]), mark[2])
        return f"<!-- fields: {mark[1]}:{mark[2]} -->\n\n{fields_table(config)}"

    return MARK.sub(fill, text)


def test_tables_are_those_of_the_classes() -> None:
    text = DOCS.read_text()
    if os.environ.get("STACKC_REWRITE_DOCS") == "1":
        DOCS.write_text(rendered(text))
    assert DOCS.read_text() == rendered(text), "set STACKC_REWRITE_DOCS=1 to write the tables anew"


def test_every_field_of_every_part_is_documented() -> None:
    marked = {getattr(importlib.import_module(module), name) for module, name in MARK.findall(DOCS.read_text())}
    for part in registry().parts():
        if part.distribution == "stackc":
            for config in (part.config, getattr(part.config, "train", None) if part.kind == "model" else None):
                assert config is None or not attrs.fields(config) or config in marked, f"{part.name}: {config}"
            assert f"`{part.name}`" in DOCS.read_text() or f'"{part.name}"' in DOCS.read_text()


def test_table_of_coders_is_true() -> None:
    for part in registry().parts("coder"):
        if part.distribution == "stackc":
            budget = "yes" if part.config.budget else "no"
            model = "needs one" if part.config.needs_model else "none: `[level.model]` is an error"
            assert f"| `{part.name}` | {budget} | {model} |" in DOCS.read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOCS.read_text(), re.DOTALL)


@pytest.mark.parametrize("block", blocks("toml"))
def test_toml_examples_are_recipes(tmp_path: Path, block: str) -> None:
    (tmp_path / "example.toml").write_text(block)
    recipe = load_recipe(tmp_path / "example.toml")
    assert [level.alphabet for level in recipe.levels] == [256, 65_536]
    assert recipe.top.alphabet == 256


def test_settings_shown_can_be_set() -> None:
    shown = re.findall(r"--set (?:'([^']+)'|(\S+=\S+?))[`\s]", DOCS.read_text())
    settings = ["".join(pair) for pair in shown if "KEY" not in "".join(pair)]
    assert len(settings) >= 4
    for setting in settings:
        # taking away the training settings makes sense beside the model that has none
        more = ['level.1.model={backend="unigram"}', "level.1.train={}"] if "{" in setting else []
        load_recipe("three_level_equal_info", ["level.1.tokens.bits=2", *more, setting])
