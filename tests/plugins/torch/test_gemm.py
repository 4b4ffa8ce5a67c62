"""Exact matrix products, and what happens where the fast kernel is wrong."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stackc_torch.frozen import gemm
from torch_toys import on_cpu


@pytest.mark.parametrize("inner", [1, 5, 96, 1040, 1041, 2500])
@pytest.mark.parametrize("product", [gemm.best_product, gemm.float_product])
def test_products_of_worst_case_operands_are_exact(inner, product):
    random = np.random.default_rng(inner)
    w = np.where(random.random((9, inner)) < 0.5, -127, 127).astype(np.int8)
    w[0], w[1] = 127, -127
    a = np.full((20, inner), 127, np.int8)
    a[10:] = np.where(random.random((10, inner)) < 0.5, -127, 127)
    out = torch.empty(20, 9, dtype=torch.int32)
    product(w)(torch.from_numpy(a), out)
    assert np.array_equal(out.numpy(), a.astype(np.int64) @ w.T.astype(np.int64))


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
