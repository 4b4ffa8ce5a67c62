"""The frozen recurrent network on this machine: whether its bits are those of any other."""

from __future__ import annotations

import numpy as np

from stackc.api import Device
from stackc_torch.gemm import float_product
from stackc_torch.golden import Filler, Golden, numbers
from stackc_torch.golden import examine as examine_golden
from stackc_torch.gru.cpu import CpuArithmetic
from stackc_torch.gru.integers import FrozenGru
from stackc_torch.gru.network import GruNetwork
from stackc_torch.gru.predictor import PASS, GruPredictor

GOLDEN = "c87fb5790b442c6e6220d7b4c1c43f330453822db7bc1781fa35846a8e0dd542"
"""SHA-256 of the frequencies that the network below answers for the text below. A change is a new `bits_version`."""

_ALPHABET, _LAYERS, _WIDTH, _UNITS = 50, 2, 64, 96
_COUNT, _WINDOW = PASS + 100, 5


def examine(device: Device) -> str:
    """Run one network by every route. Raises `StackcError` where a bit differs."""
    return examine_golden(golden(), device, GruNetwork.predictor, _in_floats)


def golden() -> Golden:
    """A network of fixed integers, a text, and what comes of them.

    The context runs on through a pass of scoring, and restarts every few symbols in the next: the two ways to score.
    """
    at = np.arange(_COUNT)
    restarts = (at > PASS) & (at % _WINDOW == 0)
    return Golden(sha256=GOLDEN, frozen=_network(), text=numbers(9, _COUNT, 0, _ALPHABET), restarts=restarts)


def _in_floats(frozen: FrozenGru) -> GruPredictor:
    return GruPredictor(frozen, CpuArithmetic(frozen, float_product))


def _network() -> FrozenGru:
    fill, gates = Filler(), 3 * _UNITS
    return FrozenGru(
        embed=fill(np.int32, -(1 << 14), 1 << 14, _ALPHABET + 1, _WIDTH),
        norms=fill(np.int64, 20 << 24, 127 << 24, _LAYERS + 1),
        enter=fill(np.int8, -127, 128, _LAYERS, gates, _WIDTH),
        enter_shift=fill(np.int32, 8, 17, _LAYERS, gates),
        recall=fill(np.int8, -127, 128, _LAYERS, gates, _UNITS),
        recall_shift=fill(np.int32, 8, 17, _LAYERS, gates),
        bias=fill(np.int32, -4000, 4000, _LAYERS, gates),
        out=fill(np.int8, -127, 128, _LAYERS, _WIDTH, _UNITS),
        out_shift=fill(np.int32, 6, 14, _LAYERS, _WIDTH),
        head=fill(np.int8, -127, 128, _ALPHABET, _WIDTH),
        head_shift=fill(np.int32, 4, 8, _ALPHABET),
    )
