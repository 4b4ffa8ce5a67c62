"""Training a recurrent network: the loop over time and its gradients against plain autograd."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from stackc_torch.gru.config import Gru
from stackc_torch.gru.network import OPERAND, GruNetwork, GruScales, joined
from stackc_torch.gru.recurrence import Recurrence
from stackc_torch.training.quantise import round_to
from stackc_torch.training.rows import Rows
from stackc_torch.training.steps import AutogradStep


def plain(entering: Tensor, weights: Tensor, kept: Tensor | None, operand: float) -> Tensor:
    """As one writes it first."""
    units = weights.shape[1]
    h = o = entering.new_zeros(entering.shape[1], units)
    operands = []
    for t, gates in enumerate(entering):
        if kept is not None:
            h, o = h * kept[t], o * kept[t]
        recalled = F.linear(o, weights)
        r, z = torch.sigmoid(gates[:, : 2 * units] + recalled[:, : 2 * units]).chunk(2, -1)
        n = torch.tanh(gates[:, 2 * units :] + r * recalled[:, 2 * units :])
        h = (1 - z) * n + z * h
        o = round_to(h, h.new_tensor(operand)) if operand else h
        operands.append(o)
    return torch.stack(operands)


@pytest.mark.parametrize("operand", [0.0, OPERAND])
@pytest.mark.parametrize("share", [None, 0.0, 0.3])
@pytest.mark.parametrize(("length", "rows", "units"), [(1, 1, 1), (9, 3, 5), (17, 2, 8)])
def test_states_and_gradients_are_those_of_autograd(operand, share, length, rows, units) -> None:
    generator = torch.Generator().manual_seed(length)
    entering = (torch.randn(length, rows, 3 * units, generator=generator).double() * 2).requires_grad_()
    weights = torch.randn(3 * units, units, generator=generator).double().requires_grad_()
    kept = None if share is None else (torch.rand(length, rows, 1, generator=generator) >= share).double()
    ours, expected = Recurrence.apply(entering, weights, kept, operand), plain(entering, weights, kept, operand)
    assert torch.allclose(ours, expected, rtol=0, atol=1e-12)
    upstream = torch.randn(expected.shape, generator=generator).double()
    found = torch.autograd.grad(ours, (entering, weights), upstream)
    for one, right in zip(found, torch.autograd.grad(expected, (entering, weights), upstream), strict=True):
        assert torch.allclose(one, right, rtol=1e-9, atol=1e-11)


def rows_of(count: int, length: int, alphabet: int, restarts: float, seed: int) -> Rows:
    random = np.random.default_rng(seed)
    starts = random.random((count, length)) < restarts
    starts[:, 0] = True
    targets = torch.from_numpy(random.integers(0, alphabet, (count, length)))
    inputs = torch.cat([torch.zeros(count, 1, dtype=torch.int64), targets[:, :-1]], 1)
    inputs[torch.from_numpy(starts)] = alphabet
    first = torch.from_numpy(np.maximum.accumulate(np.where(starts, np.arange(length), 0), 1))
    return Rows(inputs=inputs, targets=targets, first=first if restarts else None)


@pytest.mark.parametrize("scales", [None, GruScales(entering=torch.tensor([40.0]), head_in=torch.tensor([40.0]))])
@pytest.mark.parametrize("short", [(4, 6), (6, 4), (2, 12)])
def test_rows_end_to_end_give_the_same_gradients(short: tuple[int, int], scales: GruScales | None) -> None:
    """Short rows beside long ones: the same loss and gradients as block by block."""
    network, blocks = GruNetwork(Gru(width=8, state=6)), [rows_of(3, 12, 5, 0.0, 1), rows_of(*short, 5, 0.3, 2)]
    (block,) = joined(blocks)
    assert block.inputs.shape == (3 + short[0] * short[1] // 12, 12)
    weights = network.initial(5, 3)
    outcomes = []
    for make in (AutogradStep, lambda *arguments: network.stepper(*arguments[1:], torch.device("cpu"))):
        grads = {name: torch.zeros_like(tensor) for name, tensor in weights.items()}
        nats = make(network, weights, grads, 1e-4, False)(blocks, 60, scales)
        outcomes.append([nats.float(), *grads.values()])
    for one, right in zip(*outcomes, strict=True):
        assert torch.allclose(one, right, rtol=1e-4, atol=1e-6)
        assert right.abs().max() > 0


def test_rows_that_do_not_fit_end_to_end_are_left_as_they_are() -> None:
    for short in ((2, 5), (3, 6)):
        blocks = [rows_of(3, 12, 5, 0.1, 1), rows_of(*short, 5, 0.3, 2)]
        assert joined(blocks) is blocks
    (alone,) = joined([rows_of(3, 12, 5, 0.0, 1)])
    assert alone.first is None
