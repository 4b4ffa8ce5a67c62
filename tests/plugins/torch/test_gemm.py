"""Exact matrix products, and what happens where the fast kernel is wrong."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch

from stackc_torch.frozen import gemm
from torch_toys import on_cpu


@pytest.fixture(params=[True, False], ids=["fast", "slow"])
def int8(request, monkeypatch):
    """A machine on which int8 products are faster than float32, and one on which they are slower."""
    monkeypatch.setattr(gemm, "int8_is_fast", lambda: request.param)


def _worst(inner):
    random = np.random.default_rng(inner)
    w = np.where(random.random((9, inner)) < 0.5, -127, 127).astype(np.int8)
    w[0], w[1] = 127, -127
    a = np.full((200, inner), 127, np.int8)
    a[10:] = np.where(random.random((190, inner)) < 0.5, -127, 127)
    return a, w


@pytest.mark.parametrize("rows", [1, 20, 200])
@pytest.mark.parametrize("inner", [1, 5, 96, 1040, 1041, 2500])
@pytest.mark.parametrize("product", [gemm.best_product, gemm.float_product])
def test_products_of_worst_case_operands_are_exact(int8, inner, rows, product):
    a, w = _worst(inner)
    out = torch.empty(rows, 9, dtype=torch.int32)
    product(w)(torch.from_numpy(a[:rows]), out)
    assert np.array_equal(out.numpy(), a[:rows].astype(np.int64) @ w.T.astype(np.int64))


@pytest.mark.parametrize("inner", [1, 5, 96, 1040, 1041, 2500])
def test_so_are_those_of_two_matrices_that_change(int8, inner):
    a, w = _worst(inner)
    for multiply in (gemm.best_multiply(inner), gemm.float_multiply):
        out = torch.empty(200, 9, dtype=torch.int32)
        multiply(torch.from_numpy(a), torch.from_numpy(w).T, out)
        assert np.array_equal(out.numpy(), a.astype(np.int64) @ w.T.astype(np.int64))


def test_a_callers_autocast_changes_nothing(int8):
    a, w = (torch.from_numpy(one) for one in _worst(96))
    expected = a.to(torch.int32) @ w.T.to(torch.int32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for product in (gemm.best_product, gemm.float_product):
            out = torch.empty(200, 9, dtype=torch.int32)
            product(w.numpy())(a, out)
            assert torch.equal(out, expected)
        for multiply in (gemm.best_multiply(96), gemm.float_multiply):
            out = torch.empty(200, 9, dtype=torch.int32)
            multiply(a, w.T, out)
            assert torch.equal(out, expected)


def test_how_products_are_made_decides_no_bit(int8, tools):
    frozen = tools.random_frozen(1, width=16, context=100)
    segment, restarts = tools.random_segment(frozen, 200, seed=2, share=0.01)
    alone = tools.scored(on_cpu(frozen, gemm.float_product), segment, restarts)
    assert np.array_equal(tools.scored(on_cpu(frozen), segment, restarts), alone)


@pytest.mark.parametrize(("waits", "fast"), [("_int_mm", False), ("matmul", True)])
def test_a_slow_kernel_is_noticed(monkeypatch, waits, fast):
    """Without instructions for it, torch's int8 product is a plain loop, and took up to 28 times as long as float32."""
    product = {"_int_mm": gemm.int8_product, "matmul": gemm.float_product}[waits]

    def waiting(weights):
        quick = product(weights)

        def slow(a, out):
            begun = time.thread_time()
            while time.thread_time() < begun + 0.02:
                pass
            quick(a, out)

        return slow

    monkeypatch.setattr(gemm, product.__name__, waiting)
    assert gemm.int8_is_fast.__wrapped__() is fast


def _saturating(a, b, *, out=None):
    """What machines without VNNI do: a + 128 is unsigned, and pairs of products add up in 16 bits, saturated."""
    products = (a.to(torch.int32) + 128)[:, :, None] * b.to(torch.int32)[None]
    if products.shape[1] % 2:
        products = torch.nn.functional.pad(products, (0, 0, 0, 1))
    pairs = products.unflatten(1, (-1, 2)).sum(2).clamp(-32_768, 32_767)
    result = (pairs.sum(1) - 128 * b.to(torch.int32).sum(0)).to(torch.int32)
    return result if out is None else out.copy_(result)


def _missing(a, b, *, out=None):
    raise RuntimeError("_int_mm not implemented")


@pytest.mark.parametrize("broken", [_saturating, _missing])
def test_a_wrong_int8_kernel_is_noticed_and_not_used(tools, monkeypatch, broken):
    frozen = tools.random_frozen(1, width=16, context=100)
    segment, restarts = tools.random_segment(frozen, 200, seed=2, share=0.01)
    expected = tools.scored(on_cpu(frozen), segment, restarts)
    gemm.int8_is_exact.cache_clear()
    monkeypatch.setattr(torch, "_int_mm", broken)
    try:
        assert not gemm.int8_is_exact(16, 16)
        assert np.array_equal(tools.scored(on_cpu(frozen), segment, restarts), expected)
    finally:
        gemm.int8_is_exact.cache_clear()
