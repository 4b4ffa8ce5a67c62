"""Recipes: the description of a stack, read from TOML and checked completely before anything is built."""

from __future__ import annotations

from stackc.recipe.load import load_recipe, recipe_from_dict, shipped_recipes
from stackc.recipe.sections import Chosen, CorpusSection, LevelSection, Recipe, TopSection
from stackc.recipe.tables import RunSection, StackSection

__all__ = [
    "Chosen", "CorpusSection", "LevelSection", "Recipe", "RunSection", "StackSection", "TopSection", "load_recipe",
    "recipe_from_dict", "shipped_recipes",
]  # fmt: skip
