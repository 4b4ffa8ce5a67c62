"""The frozen network's bits: golden values, and every route against the plain-integer twin."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stackc.api import IDLE, TOTAL, ArtifactError, CodingError, Device
from stackc_torch.frozen.gemm import float_product
from stackc_torch.frozen.predictor import fastest
from stackc_torch.frozen.rules import exponential_table
from stackc_torch.transformer.arrays import Frozen
from stackc_torch.transformer.cpu import CpuArithmetic
from stackc_torch.transformer.device import DeviceArithmetic
from stackc_torch.transformer.self_test import by_kernels
from stackc_torch.transformer.twin import Twin
from torch_toys import counting, on_cpu, on_device

CPU = torch.device("cpu")


def routes(frozen: Frozen) -> dict:
    return {
        "int8": on_cpu(frozen),
        "float32": on_cpu(frozen, float_product),
        "device": on_device(frozen, CPU),
    }


def stepping(frozen: Frozen) -> dict:
    """These, and the kernels that compiled loops step with: they check nothing, and have no `take`."""
    return routes(frozen) | {"kernels": by_kernels(frozen)}


def golden_network() -> Frozen:
    """A network whose every integer is a formula: 2 layers, d = 4, 2 heads of 2, F = 3, C = 3, A = 5."""
    return Frozen(
        embed=counting(6, 4, modulus=20_011, offset=1).astype(np.int32),
        norms=np.array([40, 35, 50, 45, 38], np.int64) << 24,
        qkv=counting(2, 12, 4, modulus=255, offset=2).astype(np.int8),
        qkv_shift=(counting(2, 12, modulus=3, offset=3) + 8).astype(np.int32),
        bias=counting(2, 2, 3, modulus=2001, offset=4).astype(np.int32),
        score=(counting(2, 2, modulus=1001, offset=5) + 1500).astype(np.int32),
        out=counting(2, 4, 4, modulus=255, offset=6).astype(np.int8),
        out_shift=(counting(2, 4, modulus=3, offset=7) + 12).astype(np.int32),
        gate_up=counting(2, 6, 4, modulus=255, offset=8).astype(np.int8),
        gate_up_shift=(counting(2, 6, modulus=3, offset=9) + 3).astype(np.int32),
        down=counting(2, 4, 3, modulus=255, offset=10).astype(np.int8),
        down_shift=(counting(2, 4, modulus=3, offset=11) + 12).astype(np.int32),
        head=counting(5, 4, modulus=255, offset=12).astype(np.int8),
        head_shift=(counting(5, modulus=3, offset=13) + 5).astype(np.int32),
        exponential=exponential_table(),
    )


GOLDEN_SYMBOLS = np.array([0, 3, 1, 4, 4, 2, 0, 1])
GOLDEN_RESTARTS = np.array([1, 0, 0, 0, 0, 0, 1, 0], bool)
GOLDEN = [
    [5330898, 5813389, 978787, 2883178, 1770964],
    [4022918, 2914804, 1205776, 7027103, 1606615],
    [2343697, 1382297, 3156823, 3815602, 6078797],
    [1568934, 3691379, 6361278, 1620748, 3534877],
    [2015419, 4793500, 5356298, 1699354, 2912645],
    [2124503, 4658734, 5738684, 1855507, 2399788],
    [5330898, 5813389, 978787, 2883178, 1770964],
    [4022918, 2914804, 1205776, 7027103, 1606615],
]


def test_golden_frequencies():
    """Bits are an interface: these rows change only with `Transformer.bits_version`."""
    for name, predictor in {"twin": Twin(golden_network()), **routes(golden_network())}.items():
        state = predictor.start(1)
        rows = []
        for i, fresh in enumerate(GOLDEN_RESTARTS):
            symbol = -1 if fresh else GOLDEN_SYMBOLS[i - 1]
            rows.append(predictor.step(state, np.array([symbol]))[0].tolist())
        assert rows == GOLDEN, name


def test_the_exponential_table_is_right_and_ends_in_zero():
    table = exponential_table()
    assert table[[0, 256, 2560, 6400, 6401]].tolist() == [1 << 24, 1 << 23, 1 << 14, 1, 0]
    exact = np.floor(2.0 ** (24 - np.arange(6401) / 256) + 0.5)
    assert np.array_equal(table[:-1], exact)


SHAPES = [
    {},
    {"alphabet": 2, "layers": 1, "width": 3, "heads": 1, "size": 1, "hidden": 1, "context": 1},
    {"alphabet": 1, "width": 8, "context": 2},
    {"alphabet": 40, "width": 33, "heads": 3, "size": 7, "hidden": 50, "context": 40},
    {"alphabet": 300, "layers": 1, "width": 64, "heads": 2, "size": 32, "hidden": 130, "context": 9},
]


@pytest.mark.parametrize("extreme", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_route_answers_as_the_twin(tools, shape, extreme):
    frozen = tools.random_frozen(3, **shape, extreme=extreme)
    frozen.check("random")
    segment, restarts = tools.random_segment(frozen, 30, seed=4)
    expected = tools.stepped(Twin(frozen), segment, restarts)
    assert (expected.sum(1, dtype=np.int64) == TOTAL).all()
    for name, predictor in stepping(frozen).items():
        assert np.array_equal(tools.stepped(predictor, segment, restarts), expected), name
        assert np.array_equal(tools.scored(predictor, segment, restarts), expected), name


@settings(deadline=None, max_examples=12, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    context=st.integers(1, 40),
    lanes=st.integers(1, 9),
    width=st.integers(1, 40),
    heads=st.integers(1, 3),
    size=st.integers(1, 9),
)
def test_random_lanes_with_idling_and_restarts(seed, context, lanes, width, heads, size):
    from torch_toys import lane_calls, random_frozen

    frozen = random_frozen(seed, context=context, width=width, heads=heads, size=size)
    calls = lane_calls(frozen.alphabet, lanes, 25, seed)
    twin = Twin(frozen)
    expected_state = twin.start(lanes)
    expected = [twin.step(expected_state, call) for call in calls]
    for name, predictor in stepping(frozen).items():
        state = predictor.start(lanes)
        for call, rows in zip(calls, expected, strict=True):
            answer, active = predictor.step(state, call), call != IDLE
            assert np.array_equal(answer[active], rows[active]), name


def test_loops_are_offered_where_their_lanes_take_little_memory(tools):
    """They make room for the whole context: what a damaged or very large network has is not asked for."""
    small = tools.random_frozen(1, context=40)
    large = tools.random_frozen(1, layers=1, heads=1, size=4000, context=3000)
    made = [fastest(frozen, Device(), CpuArithmetic, DeviceArithmetic) for frozen in (small, large)]
    assert [hasattr(one, "compiled") for one in made] == [True, False]
    state = made[0].compiled().start(3)
    assert sum(one.nbytes for one in state) == 3 * CpuArithmetic(small).lane_bytes


@pytest.mark.parametrize("context", [1, 5, 100, 700])
def test_scoring_equals_stepping_over_passes_and_long_contexts(tools, context):
    """Longer than a pass, so that keys are carried over; long runs attend by matrix products."""
    frozen = tools.random_frozen(5, layers=1, width=16, heads=2, size=8, hidden=16, context=context)
    predictor = on_cpu(frozen)
    segment, restarts = tools.random_segment(frozen, 1300, seed=6, share=0.003)
    expected = tools.stepped(predictor, segment, restarts)
    assert np.array_equal(tools.scored(predictor, segment, restarts), expected)
    assert np.array_equal(tools.scored(on_cpu(frozen, float_product), segment, restarts), expected)
    assert np.array_equal(tools.scored(on_device(frozen, CPU), segment, restarts), expected)
    assert np.array_equal(tools.scored(predictor, segment), tools.stepped(predictor, segment))


def test_many_lanes_equal_one_lane_each(tools):
    """More lanes than a pass holds, and both routes for few and for many."""
    frozen = tools.random_frozen(7, context=20)
    predictor = on_cpu(frozen)
    texts = np.random.default_rng(8).integers(0, frozen.alphabet, (600, 30))
    state = predictor.start(600)
    rows = [predictor.step(state, np.full(600, -1)).copy()]
    rows += [predictor.step(state, texts[:, i]).copy() for i in range(29)]
    for lane in (0, 1, 511, 512, 599):
        assert np.array_equal(np.array(rows)[:, lane], tools.stepped(predictor, texts[lane]))


@pytest.mark.parametrize("lanes", [2, 7])
def test_take_copies_lanes_and_leaves_the_state_alone(tools, lanes):
    frozen = tools.random_frozen(9, context=24)
    for name, predictor in routes(frozen).items():
        calls = tools.lane_calls(frozen.alphabet, lanes, 40, 10)
        state = predictor.start(lanes)
        for call in calls[:20]:
            predictor.step(state, call)
        chosen = np.array([1, 0, 1, 1, lanes - 1, 0])
        taken = predictor.take(state, chosen)
        for call in calls[20:]:
            spread = call[chosen]
            copies = predictor.step(taken, spread).copy()
            originals = predictor.step(state, call)[chosen]
            assert np.array_equal(copies[spread != IDLE], originals[spread != IDLE]), name
    assert len(predictor.take(state, np.empty(0, np.int64)).positions) == 0


def test_two_threads_answer_as_one(tools):
    frozen = tools.random_frozen(11, alphabet=256, width=96, heads=3, size=32, hidden=384, context=64)
    segment, restarts = tools.random_segment(frozen, 700, seed=12)
    one = tools.scored(on_cpu(frozen), segment, restarts)
    torch.set_num_threads(2)
    assert np.array_equal(tools.scored(on_cpu(frozen), segment, restarts), one)
    assert np.array_equal(tools.scored(on_cpu(frozen, float_product), segment, restarts), one)


def test_a_large_alphabet_is_answered_in_bounded_blocks(tools):
    frozen = tools.random_frozen(13, alphabet=5000, layers=1)
    predictor = on_cpu(frozen)
    segment, _ = tools.random_segment(frozen, 520, seed=14)
    blocks = list(predictor.score(segment))
    assert max(len(block) for block in blocks) * 5000 <= 1 << 18
    rows = np.concatenate(blocks)
    assert (rows.sum(1, dtype=np.int64) == TOTAL).all()
    assert rows.min() >= 1
    assert np.array_equal(rows[:12], tools.stepped(Twin(frozen), segment[:12]))
    assert np.array_equal(rows, tools.scored(on_device(frozen, CPU), segment))


def test_an_empty_segment_has_no_rows(tools):
    frozen = tools.random_frozen(15)
    for predictor in routes(frozen).values():
        assert list(predictor.score(np.empty(0, np.uint8))) == []


@pytest.mark.parametrize("lanes", [1, 6])
def test_misuse_is_an_error_in_one_line(tools, lanes):
    for predictor in routes(tools.random_frozen(16)).values():
        state = predictor.start(lanes)
        with pytest.raises(CodingError, match="before it was restarted"):
            predictor.step(state, np.zeros(lanes, np.int64))
        state = predictor.start(lanes)
        predictor.step(state, np.full(lanes, -1))
        for wrong in (7, -3):
            with pytest.raises(CodingError, match="outside the alphabet of 7"):
                predictor.step(state, np.full(lanes, wrong))
        with pytest.raises(CodingError, match="outside the alphabet of 7"):
            list(predictor.score(np.array([1, 7])))


def test_saved_and_loaded_networks_are_the_same(tools, tmp_path):
    frozen = tools.random_frozen(17)
    frozen.save(tmp_path)
    loaded = Frozen.load(tmp_path, 7)
    for name, array in attrs.asdict(frozen).items():
        assert np.array_equal(array, getattr(loaded, name)), name


def test_damaged_or_foreign_networks_are_refused(tools, tmp_path):
    frozen = tools.random_frozen(18)
    frozen.save(tmp_path)
    with pytest.raises(ArtifactError, match="frozen for 7 symbols, wanted for 8"):
        Frozen.load(tmp_path, 8)
    for name, array in (
        ("qkv", np.full_like(frozen.qkv, -128)),
        ("down_shift", frozen.down_shift + 30),
        ("norms", frozen.norms * 0),
        ("bias", frozen.bias[0]),
        ("out", frozen.out.astype(np.int32)),
    ):
        attrs.evolve(frozen, **{name: array}).save(tmp_path)
        with pytest.raises(ArtifactError, match=r"frozen\.safetensors"):
            Frozen.load(tmp_path, 7)
    (tmp_path / "frozen.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(ArtifactError, match="not a readable safetensors file"):
        Frozen.load(tmp_path, 7)
