"""The frozen transformer on this machine: which exact products it has, and whether its bits are those of any other."""

from __future__ import annotations

import numpy as np

from stackc.api import Device
from stackc_torch.frozen.gemm import float_product
from stackc_torch.frozen.golden import ByKernels, Filler, Golden, numbers
from stackc_torch.frozen.golden import examine as examine_golden
from stackc_torch.frozen.predictor import FrozenPredictor, fastest
from stackc_torch.frozen.rules import exponential_table
from stackc_torch.transformer.arrays import Frozen
from stackc_torch.transformer.cpu import CpuArithmetic
from stackc_torch.transformer.device import DeviceArithmetic

GOLDEN = "2bed5b4bd28acb8f4ba4395c47e543d3eafcac24aa6d9501a2fbeac251220f4b"
"""SHA-256 of the frequencies that the network below gives for the text below. A change is a new `bits_version`."""

_ALPHABET, _LAYERS, _WIDTH, _HEADS, _SIZE, _HIDDEN, _CONTEXT, _COUNT = 50, 2, 64, 2, 32, 96, 16, 200


def examine(device: Device) -> str:
    """Run one network by every route. Raises `StackcError` if a bit differs."""
    return examine_golden(golden(), device, best, in_floats, by_kernels, [(37, _SIZE)])


def best(frozen: Frozen, device: Device) -> FrozenPredictor:
    """The predictor that codes on a device."""
    return fastest(frozen, device, CpuArithmetic, DeviceArithmetic)


def in_floats(frozen: Frozen) -> FrozenPredictor:
    """The same with float32 products."""
    return FrozenPredictor(CpuArithmetic(frozen, float_product))


def by_kernels(frozen: Frozen) -> ByKernels:
    """The same, stepped as compiled loops do."""
    return ByKernels(CpuArithmetic(frozen))


def golden() -> Golden:
    """A network of fixed integers, a text in one context, and what it gives."""
    text = numbers(9, _COUNT, 0, _ALPHABET)
    return Golden(sha256=GOLDEN, frozen=_network(), segments=[(text, np.zeros(_COUNT, bool))])


def _network() -> Frozen:
    fill, inner = Filler(), _HEADS * _SIZE
    return Frozen(
        embed=fill(np.int32, -(1 << 14), 1 << 14, _ALPHABET + 1, _WIDTH),
        norms=fill(np.int64, 20 << 24, 127 << 24, 2 * _LAYERS + 1),
        qkv=fill(np.int8, -127, 128, _LAYERS, 3 * inner, _WIDTH),
        qkv_shift=fill(np.int32, 5, 11, _LAYERS, 3 * inner),
        bias=fill(np.int32, -3000, 3000, _LAYERS, _HEADS, _CONTEXT),
        score=fill(np.int32, 1, 4000, _LAYERS, _HEADS),
        out=fill(np.int8, -127, 128, _LAYERS, _WIDTH, inner),
        out_shift=fill(np.int32, 6, 14, _LAYERS, _WIDTH),
        gate_up=fill(np.int8, -127, 128, _LAYERS, 2 * _HIDDEN, _WIDTH),
        gate_up_shift=fill(np.int32, 2, 8, _LAYERS, 2 * _HIDDEN),
        down=fill(np.int8, -127, 128, _LAYERS, _WIDTH, _HIDDEN),
        down_shift=fill(np.int32, 6, 14, _LAYERS, _WIDTH),
        head=fill(np.int8, -127, 128, _ALPHABET, _WIDTH),
        head_shift=fill(np.int32, 4, 8, _ALPHABET),
        exponential=exponential_table(),
    )
