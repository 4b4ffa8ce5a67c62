"""One flipped token of an Equal-Info level damages one window of the text below it, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from recipes_of_tests import TEXT
from stackc import Stack
from stackc.coding.level import Level

Get = Callable[[str], Stack]


def only_one_window_differs(level: Level, symbols: np.ndarray, rng: np.random.Generator) -> tuple[int, int, np.ndarray]:
    """Flip a token; (first damaged symbol, symbols after the damage, the damaged symbols)."""
    coded = level.encode(symbols)
    per = level.window_tokens or 1
    place = int(rng.integers(len(coded.tokens)))
    tokens = coded.tokens.copy()
    tokens[place] ^= 1 << int(rng.integers(level.spec.token_bits))
    window = place // per
    starts = np.append(coded.starts, len(symbols))
    before, after = int(starts[window]), len(symbols) - int(starts[window + 1])
    back = level.decode(tokens).symbols
    assert np.array_equal(back[:before], symbols[:before]), "every window before it is as it was"
    assert after == 0 or np.array_equal(back[len(back) - after :], symbols[len(symbols) - after :]), "and after it"
    assert not np.array_equal(back, symbols), "different codes name different texts"
    return before, after, back


@pytest.mark.parametrize("name", ["twice", "two"])
def test_at_level_1(stack: Get, name: str) -> None:
    rng = np.random.default_rng(5)
    text = np.frombuffer((TEXT * 4).encode(), np.uint8)
    for _ in range(100):
        only_one_window_differs(stack(name).levels[0], text, rng)


def test_through_two_levels(stack: Get) -> None:
    """The damaged window of level 2 is a run of level-1 tokens, and these are a run of the text."""
    first, second = stack("twice").levels
    assert second.spec.restarts_with_window
    text = np.frombuffer((TEXT * 4).encode(), np.uint8)
    coded = first.encode(text)
    starts = np.append(coded.starts, len(text))
    rng = np.random.default_rng(6)
    for _ in range(60):
        before, after, damaged = only_one_window_differs(second, coded.tokens, rng)
        back = first.decode(damaged).symbols
        left, right = int(starts[before]), len(text) - int(starts[len(coded.tokens) - after])
        assert np.array_equal(back[:left], text[:left])
        assert right == 0 or np.array_equal(back[len(back) - right :], text[len(text) - right :])
