"""The arithmetic of the recurrent network in torch operations: the route for CUDA (see `stackc_torch.frozen.exact`)."""

from __future__ import annotations

import torch
from torch import Tensor

from stackc_torch.frozen.exact import OnDevice, added, product, rshift
from stackc_torch.frozen.rules import GATE_TOP, LIFT, TOP, Array
from stackc_torch.gru import arrays as G
from stackc_torch.gru.arithmetic import Recurrent
from stackc_torch.gru.arrays import FrozenGru


class DeviceArithmetic(OnDevice, Recurrent):
    """See `OnDevice`: int64 tensors throughout."""

    frozen: FrozenGru
    lanes = 512

    def __init__(self, frozen: FrozenGru, device: torch.device) -> None:
        super().__init__(frozen, device)
        self._sigmoid, self._tanh = (self.sent(table).to(torch.int64) for table in G.tables())

    def states(self, *shape: int) -> Tensor:
        return torch.zeros((*shape, self.frozen.units), dtype=torch.int64, device=self.device)

    def enter(self, layer: int, x: Tensor) -> Tensor:
        return product(self.normed(x, layer), self.w["enter"][layer])

    def remember(self, layer: int, entering: Tensor, h: Tensor) -> Tensor:
        w, units = self.w, self.frozen.units
        recalled = gates(product(operand(h), w["recall"][layer]), w["recall_shift"][layer])
        entering = gates(entering, w["enter_shift"][layer]) + w["bias"][layer]
        both = entering[:, : 2 * units] + recalled[:, : 2 * units]
        place, negative = places(both)
        found = self._sigmoid[place]
        r, z = torch.where(negative, G.ONE - found, found).chunk(2, -1)
        place, negative = places(entering[:, 2 * units :] + rshift(r * recalled[:, 2 * units :], 15))
        found = self._tanh[place]
        n = torch.where(negative, -found, found)
        return n + rshift(z * (h - n), 15)

    def recur(self, layer: int, entering: Tensor, fresh: Array, h: Tensor) -> Tensor:
        out = []
        for row, emptied in zip(entering.split(1), fresh.tolist(), strict=True):
            h = self.remember(layer, row, torch.zeros_like(h) if emptied else h)
            out.append(h)
        return torch.cat(out)

    def leave(self, layer: int, x: Tensor, h: Tensor) -> Tensor:
        return added(x, product(operand(h), self.w["out"][layer]), self.w["out_shift"][layer])


def gates(sums: Tensor, shift: Tensor) -> Tensor:
    """A product's rows in Q12."""
    return rshift(sums << LIFT, shift).clamp(-GATE_TOP, GATE_TOP)


def operand(h: Tensor) -> Tensor:
    """States as int8 operands."""
    return rshift(h, G.STATE_SHIFT).clamp(-TOP, TOP)


def places(sums: Tensor) -> tuple[Tensor, Tensor]:
    """Where sums in Q12 are looked up, and whether they are negative."""
    sums = sums.clamp(-GATE_TOP, GATE_TOP)
    return (sums.abs() + (1 << G.STEP_SHIFT) // 2) >> G.STEP_SHIFT, sums < 0
