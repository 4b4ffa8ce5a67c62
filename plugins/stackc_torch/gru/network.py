"""The recurrent network in floats, how it is rounded, and how it becomes integers.

Shapes: B rows, T positions, d width, H units.
"""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from stackc.api import Device, Predictor
from stackc_torch.frozen import rules
from stackc_torch.frozen.predictor import fastest
from stackc_torch.gru import arrays as G
from stackc_torch.gru.arrays import FrozenGru
from stackc_torch.gru.config import Gru
from stackc_torch.gru.device import DeviceArithmetic
from stackc_torch.gru.recurrence import Recurrence
from stackc_torch.training.architecture import initial_weights, normed
from stackc_torch.training.inputs import TextInputs
from stackc_torch.training.quantise import LOG2_UNITS, Factors, as_integers, best_scale, frozen_parts
from stackc_torch.training.rows import Rows, Weights
from stackc_torch.training.steps import AutogradStep

OPERAND = float(G.ONE >> G.STATE_SHIFT)
"""Integer units per 1.0 of the state as an operand."""

LONGEST_MEMORY = 32.0
"""Symbols that the slowest unit remembers at first; the units spread geometrically from 1 to this."""


@attrs.frozen(kw_only=True, eq=False)
class GruScales:
    """Integer units per 1.0 after the norms: `entering` float32[L] of the layers, `head_in` float32[1] of the last."""

    entering: Tensor
    head_in: Tensor


class GruNetwork:
    """See `stackc_torch.training.architecture.Architecture`."""

    name = "gru"
    scales = GruScales
    load = staticmethod(FrozenGru.load)
    inputs: TextInputs | None = None

    def __init__(self, config: Gru) -> None:
        self.config = config

    def initial(self, alphabet: int, seed: int) -> Weights:
        def bias(name: str) -> Tensor:
            """The keep gates' biases decide how long the units remember."""
            values, units = torch.zeros(3 * self.config.units), self.config.units
            memory = LONGEST_MEMORY ** (torch.arange(units) / max(1, units - 1))
            values[units : 2 * units] = memory.log()
            return values

        return initial_weights(self.config.shapes(alphabet), seed, bias, {})

    def layer(self, weights: Weights, number: int, x: Tensor, rows: Rows, scales: GruScales | None = None) -> Tensor:
        """The stream [B, T, d] after one layer. With `scales`, rounded as when frozen."""
        y = normed(x, scales and scales.entering[number])
        return x + self._recurrent(weights, number, y, rows, scales is not None)

    def _recurrent(self, weights: Weights, layer: int, y: Tensor, rows: Rows, rounding: bool) -> Tensor:
        """What a layer adds to the stream: [B, T, d]."""
        # Time comes first: all that one step of the loop reads and writes is then contiguous.
        entering = F.linear(y.transpose(0, 1), weights[f"{layer}.in"]).float() + weights[f"{layer}.bias"].float()
        kept = None
        if rows.first is not None:
            kept = (torch.arange(y.shape[1], device=y.device)[:, None] != rows.first.T).float()[..., None]
        operands = Recurrence.apply(entering, weights[f"{layer}.state"].float(), kept, OPERAND if rounding else 0.0)
        return F.linear(operands, weights[f"{layer}.out"]).transpose(0, 1)

    @torch.no_grad()
    def calibrate(self, weights: Weights, blocks: list[Rows]) -> GruScales:
        """The scales of a float network, from its own activations on `blocks` (a few thousand symbols)."""
        streams, entering = [weights["embed"][rows.inputs] for rows in blocks], []
        for layer in range(self.config.layers):
            ys = [normed(x, None) for x in streams]
            entering.append(best_scale(torch.cat([y.reshape(-1) for y in ys])[None]))
            added = [self._recurrent(weights, layer, y, rows, False) for y, rows in zip(ys, blocks, strict=True)]
            streams = [x + more for x, more in zip(streams, added, strict=True)]
        head_in = best_scale(torch.cat([normed(x, None).reshape(-1) for x in streams])[None])
        return GruScales(entering=torch.cat(entering).cpu(), head_in=head_in.cpu())

    def factors(self, scales: GruScales) -> Factors:
        """See `stackc_torch.training.quantise.Factors`."""
        found: Factors = {}
        # What a sum of 1 is worth, in the stream and in gates, before its shift: 2^10 in Q12.
        lifted = torch.full((1,), 2.0 ** (rules.STREAM_BITS - rules.LIFT))
        operand = torch.full((1,), 1 / OPERAND)
        for layer in range(self.config.layers):
            found[f"{layer}.in"] = lifted, (1 / scales.entering[layer])[None]
            found[f"{layer}.state"] = lifted, operand
            found[f"{layer}.out"] = lifted, operand
        found["head"] = torch.full((1,), LOG2_UNITS), 1 / scales.head_in
        return found

    @torch.no_grad()
    def freeze(self, weights: Weights, scales: GruScales) -> FrozenGru:
        """The integer network of float weights (on the CPU) under `scales`."""
        names = {"in": "enter", "state": "recall", "out": "out"}
        bias = torch.stack([weights[f"{layer}.bias"] for layer in range(self.config.layers)])
        norms = [scales.entering, scales.head_in]
        return FrozenGru(
            **frozen_parts(weights, self.factors(scales), norms, self.config.layers, names),
            bias=as_integers(bias * (1 << rules.STREAM_BITS), -rules.GATE_TOP, rules.GATE_TOP, np.int32),
        )

    def predictor(self, frozen: FrozenGru, device: Device) -> Predictor:
        # Imported here: kernels are compiled when they are imported, and training does without them.
        from stackc_torch.gru.cpu import CpuArithmetic

        return fastest(frozen, device, CpuArithmetic, DeviceArithmetic)

    def stepper(self, weights: Weights, grads: Weights, z_loss: float, bf16: bool, device: torch.device) -> Any:
        """Autograd, over blocks joined for as few steps through time as possible."""
        step = AutogradStep(self, weights, grads, z_loss, bf16)
        return lambda blocks, symbols, scales=None: step(joined(blocks), symbols, scales)


def joined(blocks: list[Rows]) -> list[Rows]:
    """One block of these, where rows laid end to end are as long as the longest: fewer and wider steps through time."""
    length = max(rows.inputs.shape[1] for rows in blocks)
    wide = []
    for rows in blocks:
        count, size = rows.inputs.shape
        if length % size or count % (length // size):
            return blocks
        shape, starts = (-1, length // size, size), torch.arange(0, length, size)[:, None]
        first = torch.zeros_like(rows.inputs) if rows.first is None else rows.first
        wide.append([part.reshape(-1, length) for part in (rows.inputs, rows.targets, first.view(shape) + starts)])
    inputs, targets, first = (torch.cat(parts) for parts in zip(*wide, strict=True))
    return [Rows(inputs=inputs, targets=targets, first=first if first.any() else None)]
