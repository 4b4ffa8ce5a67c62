"""The arithmetic of the recurrent network in torch operations: the route for CUDA, tested on CPU against the others."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import torch
from torch import Tensor

from stackc.api import Frequencies
from stackc_torch import integers as I
from stackc_torch.exact import added, answers, norm, product, rshift
from stackc_torch.gru import integers as G
from stackc_torch.gru.integers import FrozenGru
from stackc_torch.integers import Array
from stackc_torch.numerics import exact_products


class DeviceArithmetic:
    """An `stackc_torch.gru.predictor.Arithmetic`: int64 tensors on a device throughout."""

    few: int = 0

    def __init__(self, frozen: FrozenGru, device: torch.device) -> None:
        self.frozen = frozen
        self.device = device
        self._w = {name: torch.from_numpy(array).to(device) for name, array in attrs.asdict(frozen).items()}
        for name in ("enter_shift", "recall_shift", "bias", "out_shift", "head_shift"):
            self._w[name] = self._w[name].to(torch.int64)
        self._sigmoid, self._tanh = (torch.from_numpy(table).to(device, torch.int64) for table in G.tables())
        self._exponential = torch.from_numpy(I.exponential_table()).to(device, torch.int64)

    def embed(self, inputs: Array) -> Tensor:
        return self._w["embed"][torch.from_numpy(inputs).to(self.device)].to(torch.int64)

    def states(self, *shape: int) -> Tensor:
        return torch.zeros((*shape, self.frozen.units), dtype=torch.int64, device=self.device)

    def enter(self, layer: int, x: Tensor) -> Tensor:
        y = norm(x, int(self.frozen.norms[layer]))
        with exact_products():
            return product(y, self._w["enter"][layer])

    def remember(self, layer: int, entering: Tensor, h: Tensor) -> Tensor:
        w, units = self._w, self.frozen.units
        with exact_products():
            recalled = product(operand(h), w["recall"][layer])
        recalled = gates(recalled, w["recall_shift"][layer])
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
        with exact_products():
            return added(x, product(operand(h), self._w["out"][layer]), self._w["out_shift"][layer])

    def answers(self, x: Tensor) -> Iterator[Frequencies]:
        y = norm(x, int(self.frozen.norms[-1]))
        with exact_products():
            yield from answers(y, self._w["head"], self._w["head_shift"], self._exponential)


def gates(sums: Tensor, shift: Tensor) -> Tensor:
    """A product's rows in Q12."""
    return rshift(sums << I.LIFT, shift).clamp(-G.GATE_TOP, G.GATE_TOP)


def operand(h: Tensor) -> Tensor:
    """States as int8 operands."""
    return rshift(h, G.STATE_SHIFT).clamp(-I.TOP, I.TOP)


def places(sums: Tensor) -> tuple[Tensor, Tensor]:
    """Where sums in Q12 are looked up, and whether they are negative."""
    sums = sums.clamp(-G.GATE_TOP, G.GATE_TOP)
    return (sums.abs() + (1 << G.STEP_SHIFT) // 2) >> G.STEP_SHIFT, sums < 0
