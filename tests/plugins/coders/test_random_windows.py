"""A short run of `random_windows.py`; its own run of ten million is started by hand (docs/trust.md)."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest


@pytest.fixture(scope="module")
def script() -> Any:
    path = Path(__file__).with_name("random_windows.py")
    spec = importlib.util.spec_from_file_location("random_windows", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_random_windows_come_back(script: Any) -> None:
    ways, windows = set(), 0
    for number in range(25):
        found, way = script.one_round(np.random.default_rng([2, number]), 1000)
        windows += found
        ways.add(way)
    assert ways == {"compiled", "scored", "stepped"}
    assert windows > 2000


def test_a_wrong_symbol_is_seen(script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from stackc_coders.lanes import SlotLaneDecoder

    right = SlotLaneDecoder.next

    def wrong(self: Any, freqs: Any, active: Any) -> Any:
        out = right(self, freqs, active)
        return np.where(out == 1, 0, out)

    monkeypatch.setattr(SlotLaneDecoder, "next", wrong)
    with pytest.raises(AssertionError):
        [script.one_round(np.random.default_rng([2, number]), 1000) for number in range(25)]
