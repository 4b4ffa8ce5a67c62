"""Configurations with all types that a part may use."""

from __future__ import annotations

import pathlib
from typing import Any, Literal

import attrs
import pytest
from attrs.validators import ge
from hypothesis import given, settings
from hypothesis import strategies as st

from recipe_toys import PARTS
from stackc.api import PluginError, RecipeError, bits
from stackc.recipe import recipe_from_dict
from stackc.recipe.structure import Problems, table


@attrs.frozen(kw_only=True)
class Inner:
    depth: int = bits(1, check=ge(0), help="depth")


@attrs.frozen(kw_only=True)
class Rich:
    sizes: tuple[int, ...] = bits((), help="sizes")
    pair: tuple[int, str] = bits((1, "a"), help="a pair")
    names: list[str] = attrs.field(factory=list)
    inner: Inner = attrs.field(factory=Inner)
    maybe: int | None = bits(None, check=attrs.validators.optional(ge(1)), help="a number or nothing")
    mode: Literal["a", 1] = bits("a", help="a mode")
    path: pathlib.Path = attrs.field(factory=pathlib.Path)
    shares: dict[str, float] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        if self.sizes and max(self.sizes) > 9:
            raise ValueError("sizes and depth do not fit together")


def structured(**data: Any) -> tuple[Rich | None, list[str]]:
    problems = Problems()
    return table(Rich, data, "x", problems), problems.lines


def test_rich_types() -> None:
    made, lines = structured(sizes=[1, 2], pair=[3, "b"], names=["n"], inner={"depth": 2}, maybe=4, mode=1, path="a/b",
                             shares={"en": 1})  # fmt: skip
    assert lines == []
    assert made == Rich(
        sizes=(1, 2), pair=(3, "b"), names=["n"], inner=Inner(depth=2), maybe=4, mode=1, path=pathlib.Path("a/b"),
        shares={"en": 1.0},
    )  # fmt: skip


def test_problems_of_rich_types() -> None:
    _, lines = structured(
        sizes=[1, "b"],
        pair=[3],
        names="n",
        inner={"depth": -1, "dpth": 0},
        maybe=0,
        mode=True,
        path=3,
        shares={"en": "1"},
    )
    assert lines == [
        'x.sizes[1]: expected a whole number, found "b"',
        "x.pair: expected a list of 2, found [3]",
        'x.names: expected a list of text, found "n"',
        "x.inner.depth: -1 is below 0",
        "x.inner.dpth: unknown key; did you mean 'depth'?",
        "x.maybe: 0 is below 1",
        'x.mode: true is not one of "a", 1',
        "x.path: expected text, found 3",
        'x.shares.en: expected a number, found "1"',
    ]
    assert structured(shares=[1])[1] == ["x.shares: expected a table, found [1]"]


def test_a_field_of_a_type_that_recipes_cannot_hold_is_the_plugins_fault() -> None:
    @attrs.frozen(kw_only=True)
    class Odd:
        when: complex = attrs.field()

    with pytest.raises(PluginError, match="a field of type <class 'complex'>: recipes hold text"):
        table(Odd, {"when": 1}, "x", Problems())


def test_check_over_several_fields() -> None:
    assert structured(sizes=[10])[1] == ["x: sizes and depth do not fit together"]


def test_long_values_are_shortened() -> None:
    assert len(structured(names="n" * 1000)[1][0]) < 120


JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


KEYS = [
    "stack",
    "corpus",
    "level",
    "top",
    "run",
    "model",
    "train",
    "windowing",
    "coder",
    "tokens",
    "name",
    "bits",
    "kind",
]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.lists(st.sampled_from([*KEYS, "1", "2"]), min_size=1, max_size=4), JSON_LIKE), max_size=4))
def test_no_data_whatever_ends_in_anything_but_a_recipe_error(changes: list[tuple[list[str], Any]]) -> None:
    data: dict[str, Any] = {"stack": {"name": "x"}, "level": [{}, {}]}
    for keys, value in changes:
        place: Any = data
        for key in keys[:-1]:
            if isinstance(place, list):
                place = place[int(key) % len(place)] if key.isdigit() and place else {}
            elif isinstance(place, dict):
                place = place.setdefault(key, {})
        if isinstance(place, dict):
            place[keys[-1]] = value
    with pytest.raises(RecipeError):
        recipe_from_dict(data, pathlib.Path(), PARTS)
