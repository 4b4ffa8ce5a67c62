"""Networks of fixed integers, every route of which must come to one SHA-256: what `stackc doctor` runs, and more."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stackc.api import Device, StackcError
from stackc_torch.frozen import golden
from stackc_torch.frozen.gemm import float_product
from stackc_torch.frozen.predictor import FrozenPredictor
from stackc_torch.gru import self_test as gru
from stackc_torch.gru.cpu import CpuArithmetic
from stackc_torch.gru.device import DeviceArithmetic
from stackc_torch.gru.twin import GruTwin
from stackc_torch.transformer import self_test as transformer
from stackc_torch.transformer.twin import Twin
from torch_toys import on_cpu, on_device

CPU = torch.device("cpu")

ROUTES = {
    "transformer": {
        "int8": on_cpu,
        "float32": lambda frozen: on_cpu(frozen, float_product),
        "kernels": transformer.by_kernels,
        "device": lambda frozen: on_device(frozen, CPU),
    },
    "gru": {
        "int8": lambda frozen: FrozenPredictor(CpuArithmetic(frozen)),
        "float32": lambda frozen: FrozenPredictor(CpuArithmetic(frozen, float_product)),
        "kernels": gru.by_kernels,
        "device": lambda frozen: FrozenPredictor(DeviceArithmetic(frozen, CPU)),
    },
}
DOCTORS = {"transformer": transformer, "gru": gru}
EVERY = [(backend, route) for backend, routes in ROUTES.items() for route in routes]


@pytest.mark.parametrize(("backend", "route"), EVERY)
def test_every_route_gives_the_golden_bits(backend: str, route: str) -> None:
    known = DOCTORS[backend].golden()
    known.frozen.check(backend)
    model = ROUTES[backend][route](known.frozen)
    assert known.scored(model) == known.sha256, "the bits changed: raise bits_version"
    for lanes in (1, 3, 7):
        assert known.stepped(model, lanes) == known.sha256, lanes


@pytest.mark.parametrize(("doctor", "twin"), [(transformer, Twin), (gru, GruTwin)])
def test_plain_integers_give_the_golden_bits(doctor, twin) -> None:
    known = doctor.golden()
    assert known.stepped(twin(known.frozen), 1) == known.sha256


@pytest.mark.parametrize("backend", ROUTES)
def test_the_doctor_says_what_it_found(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "float32 products gave the golden bits on cpu" in DOCTORS[backend].examine(Device())
    monkeypatch.setattr(DOCTORS[backend], "GOLDEN", "0" * 64)
    with pytest.raises(StackcError, match="scoring on cpu gave other bits than every other machine"):
        DOCTORS[backend].examine(Device())


class WrongOnce:
    """A predictor that errs in one entry: of a row that is scored, or of the last of several lanes."""

    def __init__(self, inner: FrozenPredictor, where: str) -> None:
        self.inner, self.where = inner, where
        self.start = inner.start

    def score(self, segment, restarts):
        for block in self.inner.score(segment, restarts):
            rows = block.copy()
            rows[-1, 7] += self.where == "score"
            yield rows

    def step(self, state, symbols):
        rows = self.inner.step(state, symbols).copy()
        rows[-1, 7] += self.where == "lanes" and len(symbols) > 1 and int(symbols[0]) == 3
        return rows


def test_one_wrong_entry_is_found() -> None:
    right = ROUTES["gru"]["int8"]

    def scores_wrongly(frozen):
        return WrongOnce(right(frozen), "score")

    def found(best=lambda frozen, device: right(frozen), in_floats=right, by_kernels=gru.by_kernels):
        golden.examine(gru.golden(), Device(), best, in_floats, by_kernels)

    found()
    with pytest.raises(StackcError, match="scoring on cpu gave other bits"):
        found(best=lambda frozen, device: scores_wrongly(frozen))
    with pytest.raises(StackcError, match="float32 products gave other bits"):
        found(in_floats=scores_wrongly)
    with pytest.raises(StackcError, match=r"stepping on cpu gave other bits than scoring \(lanes: 7\)"):
        found(best=lambda frozen, device: WrongOnce(right(frozen), "lanes"))
    with pytest.raises(StackcError, match="the kernels of compiled loops gave other bits than scoring"):
        found(by_kernels=lambda frozen: WrongOnce(gru.by_kernels(frozen), "lanes"))


def test_the_generator_of_numbers_is_fixed() -> None:
    assert golden.numbers(9, 4, 0, 50).tolist() == [13, 41, 22, 40]
    fill = golden.Filler()
    first, second = fill(np.int8, -127, 128, 2, 2), fill(np.int8, -127, 128, 2, 2)
    assert (first.dtype, first.shape, (first != second).any()) == (np.int8, (2, 2), True)
