"""Decoding by a dictionary: its texts end to end, and copying them. `stackc.coding.dictionary.twin` says it plainly."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.extending import intrinsic

from stackc.api.arrays import Int32, Int64
from stackc.api.kernels import kernel

Array = npt.NDArray[Any]

U = np.uint64  # in the kernels: indices without a sign need no look whether they count from the end
WIDE = 16
"""Bytes that one copy moves."""


@kernel
def lay_out(
    parent: Int32, symbol: Int32, canonical: Int32, first: Int32, children: Int32, length: Int32, texts: Array
) -> Int64:
    """Write the texts that nothing extends end to end into `texts`; every other text begins one of them.

    Returns:
        spans int64[N]: where each code's text starts and its length, both in bytes, as start << 20 | length.
    """
    size, width = len(parent), np.int64(texts.itemsize)
    spans = np.zeros(size, np.int64)
    at = np.int64(0)
    for code in range(1, size):
        if canonical[code] == code and first[code] == first[code + 1]:
            spans[code] = at * width << 20 | length[code] * width
            at += length[code]
            above = code
            for i in range(length[code]):
                texts[at - 1 - i] = symbol[above]
                above = parent[above]
    for code in range(size - 1, 0, -1):
        if first[code] < first[code + 1]:
            spans[code] = spans[children[first[code]]] >> 20 << 20 | length[code] * width
    for code in range(1, size):
        spans[code] = spans[canonical[code]]
    return spans


@intrinsic  # type: ignore[untyped-decorator]
def copy_wide(typing_context: Any, source: Any, source_at: Any, target: Any, target_at: Any) -> Any:
    """Copy `WIDE` bytes between two uint8 arrays at byte offsets of any alignment; the caller sees to the bounds."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        wide = ir.VectorType(ir.IntType(8), WIDE).as_pointer()
        pointers = []
        for array, place in ((0, 1), (2, 3)):
            made = context.make_array(signature.args[array])(context, builder, arguments[array])
            pointers.append(builder.bitcast(builder.gep(made.data, [arguments[place]]), wide))
        builder.store(builder.load(pointers[0], align=1), pointers[1], align=1)
        return context.get_dummy_value()

    return numba.types.void(source, numba.types.uint64, target, numba.types.uint64), generate


@kernel
def measure(codes: Array, low: int, high: int, length: Int32) -> int:
    """Symbols in the texts of codes[low:high]."""
    total = 0
    for i in range(low, high):
        total += length[codes[i]]
    return total


@kernel
def spell(codes: Array, low: int, high: int, spans: Int64, texts: Array, out: Array, at: int) -> None:
    """Write the texts of codes[low:high] from out[at] on; texts and out are seen as bytes.

    A copy of `WIDE` bytes runs over the end of a short text, and the next text is written over what was too much.
    The last `WIDE` bytes, after which someone else's may follow, are written one by one.
    """
    wide, mask = U(WIDE), U((1 << 20) - 1)
    edge, kept = high, U(0)
    while edge > low and kept < wide:
        edge -= 1
        kept += U(spans[codes[edge]]) & mask
    place = U(at)
    for i in range(U(low), U(edge)):
        span = U(spans[codes[i]])
        source, size = span >> U(20), span & mask
        copy_wide(texts, source, out, place)
        done = wide
        while done < size:
            copy_wide(texts, source + done, out, place + done)
            done += wide
        place += size
    for i in range(edge, high):
        span = U(spans[codes[i]])
        source, size = span >> U(20), span & mask
        for k in range(size):
            out[place + k] = texts[source + k]
        place += size


@kernel
def climb(codes: Array, low: int, high: int, length: Int32, parent: Int32, symbol: Int32, out: Array, at: int) -> None:
    """As `spell`, from parent to parent: for texts that are too long to be laid out. `at` counts symbols."""
    for i in range(low, high):
        code = np.int64(codes[i])
        at += length[code]
        place = at
        while code > 0:
            place -= 1
            out[place] = symbol[code]
            code = np.int64(parent[code])


@kernel
def ends_of(codes: Array, low: int, high: int, length: Int32, at: int, offsets: Int64, first: int, ends: Int64) -> None:
    """ends[d] of the documents d = first, … with low < offsets[d] <= high: where their texts end."""
    place = low
    for document in range(first, len(offsets)):
        if offsets[document] > high:
            return
        while place < offsets[document]:
            at += length[codes[place]]
            place += 1
        ends[document] = at
