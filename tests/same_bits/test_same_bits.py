"""The matrix in small: one golden network by every route. `run.py` is the long one, over a stack of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from same_bits.routes import Route, matrix, number, opened
from same_bits.rows import SEGMENT, restarts, rows_hash
from same_bits.run import compare, in_a_process

ALPHABET = 256
GOLDEN = Path(__file__).parents[1] / "archive" / "golden"
FROZEN = GOLDEN / "two" / "M3" / "frozen"
TEXT = np.random.default_rng(3).integers(0, ALPHABET, 3 * SEGMENT).astype(np.uint8)


@pytest.fixture(scope="module")
def frozen() -> Any:
    return opened(FROZEN, ALPHABET)


@pytest.mark.parametrize("stack", ["two", "recurrent"])
def test_every_route_in_one_process(stack: str) -> None:
    frozen = opened(GOLDEN / stack / "M3" / "frozen", ALPHABET)
    long, few, twin = 3 * SEGMENT, 2 * SEGMENT, SEGMENT
    expected = {count: number(frozen, TEXT, Route("fastest", 0, 1, count)) for count in (long, few, twin)}
    assert len(set(expected.values())) == 3
    for route in matrix(long, few, twin):
        if not route.fresh:
            assert number(frozen, TEXT, route) == expected[route.symbols], route.name


def test_a_process_of_its_own(frozen: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "text.npy", TEXT)
    route = Route("float32", 7, 2, SEGMENT)
    found, _ = in_a_process(FROZEN, tmp_path / "text.npy", ALPHABET, route)
    assert int(found, 16) == number(frozen, TEXT, Route("fastest", 0, 1, SEGMENT))


@pytest.mark.long
def test_every_route_in_a_process_of_its_own(tmp_path: Path) -> None:
    np.save(tmp_path / "text.npy", np.resize(TEXT, 20 * SEGMENT))
    assert compare(FROZEN, tmp_path / "text.npy", "M3", ALPHABET, matrix(20 * SEGMENT, 5 * SEGMENT, SEGMENT)) == 0


def test_one_entry_of_one_row_changes_the_number(frozen: Any) -> None:
    """What the matrix rests on: a route that differs anywhere is seen."""
    from same_bits.rows import odd_numbers, scored
    from stackc_torch.frozen.predictor import FrozenPredictor
    from stackc_torch.transformer.cpu import CpuArithmetic

    class Wrong(FrozenPredictor):
        def score(self, segment: Any, restarts: Any = None) -> Any:
            for rows in super().score(segment, restarts):
                wrong = rows.copy()
                wrong[-1, 77] += 1
                yield wrong

    assert scored(Wrong(CpuArithmetic(frozen)), TEXT) != scored(FrozenPredictor(CpuArithmetic(frozen)), TEXT)
    rows = np.random.default_rng(0).integers(1, 1 << 24, (4, ALPHABET)).astype(np.uint32)
    places, odd = np.arange(4), odd_numbers(ALPHABET)
    whole = rows_hash(rows, places, odd)
    assert rows_hash(rows[[1, 0, 2, 3]], places, odd) != whole, "rows that changed places"
    assert rows_hash(rows[::-1].copy(), places[::-1].copy(), odd) == whole, "the order does not matter"


def test_contexts_restart_and_run_on() -> None:
    fresh = restarts(20 * SEGMENT)
    assert fresh[::SEGMENT].all()
    assert fresh[: 2 * SEGMENT].sum() > 100, "windows in the second segment"
    assert fresh[1:SEGMENT].sum() == 0, "one context through the first"
