"""The frozen recurrent network on this machine: whether its bits are those of any other."""

from __future__ import annotations

import numpy as np

from stackc.api import Device
from stackc_torch.frozen.gemm import float_product
from stackc_torch.frozen.golden import ByKernels, Filler, Golden, numbers
from stackc_torch.frozen.golden import examine as examine_golden
from stackc_torch.frozen.predictor import FrozenPredictor, fastest
from stackc_torch.gru.arrays import FrozenGru
from stackc_torch.gru.cpu import CpuArithmetic
from stackc_torch.gru.device import DeviceArithmetic

GOLDEN = "83c03ca2bc251fc7b2787d3f42b578b4636658daba73092218fe79d33b8c947b"
"""SHA-256 of the frequencies that the network below gives for the text below. A change is a new `bits_version`."""

_ALPHABET, _LAYERS, _WIDTH, _UNITS, _COUNT, _WINDOW = 50, 2, 64, 96, 150, 7


def examine(device: Device) -> str:
    """Run one network by every route. Raises `StackcError` if a bit differs."""
    return examine_golden(golden(), device, best, in_floats, by_kernels)


def best(frozen: FrozenGru, device: Device) -> FrozenPredictor:
    """The predictor that codes on a device."""
    return fastest(frozen, device, CpuArithmetic, DeviceArithmetic)


def in_floats(frozen: FrozenGru) -> FrozenPredictor:
    """The same with float32 products."""
    return FrozenPredictor(CpuArithmetic(frozen, float_product))


def by_kernels(frozen: FrozenGru) -> ByKernels:
    """The same, stepped as compiled loops do."""
    return ByKernels(CpuArithmetic(frozen))


def golden() -> Golden:
    """A network of fixed integers, a text, and what it gives.

    Two ways to score: the context continues through one segment, and restarts every few symbols in the next.
    """
    text, often = numbers(9, 2 * _COUNT, 0, _ALPHABET), np.arange(_COUNT) % _WINDOW == 0
    segments = [(text[:_COUNT], np.zeros(_COUNT, bool)), (text[_COUNT:], often)]
    return Golden(sha256=GOLDEN, frozen=_network(), segments=segments)


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
