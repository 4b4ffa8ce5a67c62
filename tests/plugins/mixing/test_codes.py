"""The prefix codes of six contexts are those that docs/format.md specifies."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from mixing_toys import CONFIGS, predictor_of, twin_of
from stackc_mixing.codes import CLASSES, LENGTHS, codes_of
from stackc_mixing.state import depth_of

PAGE = (Path(__file__).parents[3] / "docs" / "format.md").read_text()
SECTION = PAGE[PAGE.index("#### The prefix codes of six contexts") : PAGE.index("### Stacks of counts")]
NAMES = {"tab": 9, "space": 32, "line feed": 10, "carriage return": 13}


def members(said: str, taken: set[int]) -> set[int]:
    """The symbols of a row of the page's table; "any other" are those that no row above has."""
    if said.startswith("any other"):
        return set(range(33, 127) if "from 33 to 126" in said else range(128)) - taken
    if found := re.fullmatch(r"`?(\w+)`? to `?(\w+)`?", said):
        least, most = (int(one) if len(one) > 1 else ord(one) for one in found.groups())
        return set(range(least, most + 1))
    if said.startswith("`"):
        return {ord(one) for one in said.strip("`").split(" ")}
    return {NAMES[one] for one in said.split(", ")}


def classes() -> list[set[int]]:
    found: list[set[int]] = []
    for row in re.findall(r"^\| \d+ \| (.*) \|$", SECTION, re.MULTILINE):
        found.append(members(row, set().union(*found)))
    return found


def test_the_page_has_the_classes_and_the_lengths() -> None:
    assert classes() == [set(one) for one in CLASSES]
    assert sorted(b"".join(CLASSES)) == list(range(256))
    assert f"`{hashlib.sha256(''.join(LENGTHS).encode()).hexdigest()}`" in SECTION


def code_of(row: str) -> dict[int, str]:
    """The codes of a row of lengths, by the page's rule."""
    codes: dict[int, str] = {}
    before = ""
    for symbol in sorted(range(256), key=lambda one: (row[one], one)):
        size = int(row[symbol], 16)
        number = int(before, 2) + 1 if before else 0
        before = codes[symbol] = format(number << size - (len(before) or size), f"0{size}b")
    return codes


@pytest.mark.parametrize("alphabet", [1, 2, 10, 129, 256, 1000])
def test_symbols_take_the_codes_that_the_page_gives_them(alphabet: int) -> None:
    """In the twin and in the tables of the kernels, after every symbol and at the start."""
    depth = depth_of(alphabet)
    bits = {symbol: format(symbol, f"0{depth}b") for symbol in range(1 << depth)}
    codes = [code_of(row) for row in LENGTHS] if depth == 8 else [bits]
    twin, tables = twin_of(predictor_of([], alphabet, CONFIGS["six"]).begin(), alphabet), codes_of(depth)
    for number, one in enumerate(codes):
        befores = sorted(classes()[number]) if depth == 8 else range(min(3, 1 << depth))
        for symbol, code in one.items():
            at = (number << depth) + symbol
            assert format(int(tables.codes[at]), "b") == "1" + code
            assert tables.sizes[at] == len(code)
        for before in befores:
            assert tables.classes[before % 256] == number
            twin.text = [before]
            assert all("".join(map(str, twin.decisions(symbol))) == code for symbol, code in one.items())
        if 0 in befores:
            twin.text = []
            assert all("".join(map(str, twin.decisions(symbol))) == code for symbol, code in one.items())
