"""What freezing costs: bits a source byte of every transformer of a stack, as floats and as the integers that code.

python tests/benchmarks/frozen_cost.py runs/three_level recipes/data/test.txt.xz [BYTES]
"""

from __future__ import annotations

import lzma
import sys
import time
from pathlib import Path

import numpy as np
import torch

from float_model import load_float
from stackc.coding.documents import segments
from stackc.coding.scoring import total_bits
from stackc.stack.stack import Stack


def main(folder: str, file: str, size: int) -> None:
    torch.set_num_threads(1)
    stack = Stack(folder)
    data = (lzma.decompress(Path(file).read_bytes()) if file.endswith(".xz") else Path(file).read_bytes())[:size]
    symbols: np.ndarray = np.frombuffer(data, np.uint8)
    sections = [*stack.recipe.levels, stack.recipe.top]
    for section, level in zip(sections, [*stack.levels, None], strict=True):
        predictor = level.spec.predictor if level is not None else stack.top
        offsets = np.array([0, len(symbols)])
        floats = load_float(Path(folder) / section.name / "model", section.alphabet, section.model.config)
        total_bits(predictor, symbols[:2000], np.array([0, min(2000, len(symbols))]), 1000)  # compile
        float_bits, begun = 0.0, time.perf_counter()
        for first, last in segments(offsets, stack.recipe.corpus.segment):
            float_bits += float(floats.bits(symbols[first:last].astype(np.int64), None).sum())
        float_seconds, begun = time.perf_counter() - begun, time.perf_counter()
        frozen_bits = total_bits(predictor, symbols, offsets, stack.recipe.corpus.segment)
        frozen_seconds = time.perf_counter() - begun
        print(
            f"{section.name}: {len(symbols)} symbols, float {float_bits / len(data):.4f}, frozen "
            f"{frozen_bits / len(data):.4f} bits a byte, {(frozen_bits - float_bits) / len(data):+.4f}; "
            f"scoring {frozen_seconds:.2f} s against {float_seconds:.2f} s"
        )
        if level is not None:
            symbols = level.encode(symbols).tokens


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 1 << 62)
