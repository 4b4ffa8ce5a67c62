"""Attention of a run of positions that share most of their keys, by matrix products (CPU).

Attention weights have 14 bits: two halves of 7 bits, w = 128 high + low, each an operand of an int8 product. Positions
that attend alone get the same bits.
"""

from __future__ import annotations

import numpy as np
import torch

from stackc_torch.frozen.gemm import Multiply
from stackc_torch.frozen.rules import Array
from stackc_torch.transformer import kernels

BLOCK = 128
"""Positions taken together."""

Runs = list[tuple[int, int]]
"""Runs start .. end - 1 of positions."""


def dense_blocks(first: Array, last: Array) -> Runs:
    """Runs start .. end - 1 of positions that see at least a quarter of all their keys, so that products pay."""
    blocks = []
    for start in range(0, len(first), BLOCK):
        end = min(start + BLOCK, len(first))
        seen = int((last[start:end] - first[start:end]).sum()) + end - start
        span = int(last[end - 1] - first[start:end].min()) + 1
        if 4 * seen >= span * (end - start) and seen > 32 * (end - start):
            blocks.append((start, end))
    return blocks


def attend_block(
    q: Array, kv: Array, first: Array, last: Array, bias: Array, score: Array, table: Array, out: Array,
    multiply: Multiply,
) -> None:  # fmt: skip
    """The same as `kernels.attend_rows`, for one run of positions of one lane that has no ring.

    Args:
        q: int8[m, H, D]. kv: int8[S, 2, H, D], position p being stored in slot p.
        first, last: int64[m]. bias: int32[H, C]. score: int32[H]. table: the exponential.
        out: int8[m, HD].
        multiply: an exact product.
    """
    begin, end = int(first.min()), int(last[-1]) + 1
    rows, heads, size = q.shape
    seen = torch.from_numpy(kv[begin:end])
    queries = torch.from_numpy(q)
    scores = torch.empty(rows, end - begin, dtype=torch.int32)
    halves = torch.empty(2 * rows, end - begin, dtype=torch.int8)
    sums = torch.empty(2 * rows, size, dtype=torch.int32)
    totals = np.empty(rows, np.int64)
    planes = halves.numpy().reshape(2, rows, -1)
    for head in range(heads):
        multiply(queries[:, head], seen[:, 0, head].T, scores)
        kernels.weigh_block(scores.numpy(), first, last, begin, bias[head], score[head], table, planes, totals)
        multiply(halves, seen[:, 1, head], sums)
        kernels.mix_block(sums.numpy().reshape(2, rows, size), totals, out, head * size)
