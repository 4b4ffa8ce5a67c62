"""The worked table of `budget`, `ends` and `full` in docs/how-to/write-a-plugin.md holds for such coders."""

from __future__ import annotations

import re
import types
from pathlib import Path
from typing import Any, ClassVar

import attrs
import numpy as np

from registered import coder
from stackc.api import Window, Windowing
from stackc.coding.level import Level
from stackc.coding.spec import LevelSpec
from stackc.coding.trial import _even
from stackc.parts.rules import registration_problems

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "write-a-plugin.md"
TABLE = re.search(r"<!-- table: windows -->\n(.*?)\n\n", PAGE.read_text(), re.DOTALL)
END = 7


@attrs.define
class ThreeBits:
    """Three bits for each of seven symbols; a coder that marks ends has the eighth value for it."""

    ends: bool
    value: int = 0
    size: int = 0
    source: Any = None

    def encoder(self, window: Window) -> ThreeBits:
        return ThreeBits(self.ends)

    def decoder(self, window: Window, source: Any) -> ThreeBits:
        return ThreeBits(self.ends, source=source)

    def add(self, freqs: Any, symbol: int) -> bool:
        self.value, self.size = self.value << 3 | symbol, self.size + 3
        return True

    def close(self, full: bool) -> tuple[int, int]:
        return (self.value << 3 | END, self.size + 3) if self.ends and not full else (self.value, self.size)

    def next(self, freqs: Any) -> int | None:
        self.size += 3
        symbol = int(self.source.read(3))
        return None if self.ends and symbol == END else symbol

    def used(self, full: bool) -> int:
        return self.size


def written(symbols: int, ends: bool, bits: int | None, budget: bool) -> int:
    """Bits of the tokens of one window, which must decode to what it was made of."""
    flags = types.SimpleNamespace(budget=budget, ends=ends, total=False, needs_model=budget)
    own: dict[str, Any] = coder("arithmetic") if budget else {"coder": ThreeBits(ends), "flags": flags}
    spec = LevelSpec(
        name="M1", alphabet=7, segment=100, windowing=Windowing(bits=bits, symbols=4), token_bits=4,
        load_predictor=_even if budget else None, coder_name="a coder", **own,
    )  # fmt: skip
    level, text = Level(spec), np.arange(symbols)
    coded = level.encode(text)
    assert len(coded.starts) == 1
    assert np.array_equal(level.decode(coded.tokens).symbols, text)
    return 4 * len(coded.tokens)


def test_the_table_says_what_is_written() -> None:
    assert TABLE is not None
    rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in TABLE[1].splitlines()[2:]]
    said = {
        (row[0] == "True", row[1] == "True", row[2]): tuple(map(int, row[-2:])) for row in rows if row[-1].isdigit()
    }
    assert said == {
        (True, True, "16"): (written(2, True, 16, True), written(4, True, 16, True)),
        (True, True, "None"): (written(2, True, None, True), written(4, True, None, True)),
        (False, True, "None"): (written(2, True, None, False), written(4, True, None, False)),
        (False, False, "None"): (written(2, False, None, False), written(4, False, None, False)),
    }


def test_a_budget_without_ends_is_refused() -> None:
    @attrs.frozen(kw_only=True)
    class Config:
        bits_version: ClassVar[int] = 1
        budget: ClassVar[bool] = True
        ends: ClassVar[bool] = False
        total: ClassVar[bool] = True
        needs_model: ClassVar[bool] = False

    (problem,) = registration_problems("coder", "endless", lambda config: None, Config, "a coder")
    assert "ends = True: with budget = True" in problem
