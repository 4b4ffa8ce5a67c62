"""What every model that codes bit by bit must keep, and what this one does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stackc.api import ArtifactError, Device, ModelBackend, read_tensors, write_tensors
from stackc.testing import BitwiseContract, PluginContract

import stackc_order_two
from stackc_order_two import STATE, OrderTwo, OrderTwoConfig, make, untrained
from stackc_order_two_loops import INPUTS, SCRATCH


class TestPlugin(PluginContract):
    plugin = stackc_order_two


class TestModel(BitwiseContract):
    def config(self) -> Any:
        return OrderTwoConfig(slots=10)

    def make(self) -> tuple[ModelBackend, Any]:
        return make(self.config()), None

    @pytest.mark.parametrize(
        ("name", "number"), [("weights", -(2**63)), ("stretch", -(2**63)), ("stretch", 2048), ("squash", 0)]
    )
    def test_numbers_out_of_range_are_refused(self, frozen_five: Path, name: str, number: int) -> None:
        """Loops do not check indices, and the file may come from anywhere. abs(-2^63) is -2^63 in int64."""
        tables = read_tensors(frozen_five / STATE)
        tables[name] = np.append(tables[name][1:], number)
        write_tensors(frozen_five / STATE, tables)
        with pytest.raises(ArtifactError, match="numbers out of range"):
            self.make()[0].load(frozen_five, 5, Device())


def coded(text: bytes) -> bytes:
    model = OrderTwo(OrderTwoConfig(), 256, *untrained(OrderTwoConfig()))
    out = np.zeros(1000, np.uint8)
    size = model.encode_block(model.begin(), np.frombuffer(text, np.uint8).copy(), out)
    return out[:size].tobytes()


def test_known_bytes() -> None:
    """Pinned: when they change, so does what users' files decode to, and `bits_version` must be raised."""
    assert coded(b"abracadabra").hex() == "9e9c37c657a70452e440"


def test_it_learns_while_it_codes() -> None:
    assert len(coded(b"to be or not to be, " * 20)) < 100


def test_the_constants_are_those_of_the_loops() -> None:
    assert (stackc_order_two.INPUTS, stackc_order_two.SCRATCH) == (INPUTS, SCRATCH)
