"""The lengths of the prefix codes of `stackc_mixing.codes`, from samples of text, and the decisions that they take.

    python tests/benchmarks/code_lengths.py [--print] SHARE=FILE... [--on FILE...]

Each sample counts with its share, whatever its length. `--print` gives the lengths as that module has them; without it,
the decisions per byte of each file are printed, by the lengths that it has and by new ones.
"""

from __future__ import annotations

import argparse
import heapq
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stackc_mixing.codes import CLASSES, LENGTHS

LONGEST = 12
FLOOR, FLOOR_BYTES, FLOOR_NO_TEXT = 0.03, 0.10, 0.70
"""The share of all bytes equally: after text; after bytes of 0x80 and more (two classes); after others (the last)."""

CLASS_OF = np.array([next(i for i, them in enumerate(CLASSES) if byte in them) for byte in range(256)])


def counts(path: Path) -> npt.NDArray[np.float64]:
    """float64[classes, 256]: the share of each byte after each class."""
    data = np.frombuffer(path.read_bytes(), np.uint8)
    found = np.zeros((len(CLASSES), 256))
    np.add.at(found, (CLASS_OF[data[:-1]], data[1:]), 1)
    return found / found.sum()


def lengths(weights: npt.NDArray[np.int64]) -> list[int]:
    """Of a Huffman code of at most LONGEST bits: weights are halved until it is."""
    while True:
        found = [0] * len(weights)
        heap: list[tuple[int, int, tuple[int, ...]]] = [
            (int(weight), number, (number,)) for number, weight in enumerate(weights)
        ]
        heapq.heapify(heap)
        while len(heap) > 1:
            (a, _, left), (b, _, right) = heapq.heappop(heap), heapq.heappop(heap)
            for symbol in left + right:
                found[symbol] += 1
            heapq.heappush(heap, (a + b, 256 + len(heap), left + right))
        if max(found) <= LONGEST:
            return found
        weights = weights // 2 + 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("samples", nargs="*")
    parser.add_argument("--print", action="store_true")
    parser.add_argument("--on", nargs="*", type=Path, default=[])
    chosen = parser.parse_args()
    rows = [[int(digit, 16) for digit in row] for row in LENGTHS]
    tables = {"as it is": np.array(rows)}
    if chosen.samples:
        mixture = sum(
            float(share) * counts(Path(path)) for share, path in (one.split("=", 1) for one in chosen.samples)
        )
        assert isinstance(mixture, np.ndarray)
        floors = [FLOOR] * (len(CLASSES) - 3) + [FLOOR_BYTES] * 2 + [FLOOR_NO_TEXT]
        new = []
        for row, floor in zip(mixture, floors, strict=True):
            share = (1 - floor) * row / row.sum() + floor / 256
            new.append(lengths(np.round(1e6 * share).astype(np.int64)))
        tables["new"] = np.array(new)
    if chosen.print:
        print("\n".join("".join(f"{one:x}" for one in row) for row in tables[list(tables)[-1]]))
    for path in chosen.on:
        share = counts(path)
        print(path.name, *(f"{name}: {float((share * table).sum()):.3f}" for name, table in tables.items()), sep="  ")


if __name__ == "__main__":
    main()
