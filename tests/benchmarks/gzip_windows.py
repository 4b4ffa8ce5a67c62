"""A level of gzip against zlib: python tests/benchmarks/gzip_windows.py [TEXT]

Both code the same windows in one run: the level through `Level.encode` and `Level.decode`, zlib in a plain Python loop
that is given every window, and every stream, by itself. Processor time, interleaved, the least of the rounds.
"""

from __future__ import annotations

import itertools
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from stackc.api import Windowing
from stackc.coding.level import Level
from stackc.coding.spec import LevelSpec
from stackc_coders import GzipConfig
from stackc_coders.gzip_coder import GzipCoder

DOCS = Path(__file__).parents[2] / "docs"
SIZES, TOKEN_BITS = (64, 250, 1000, 10_240), (8, 12, 13, 16)
BYTES, ROUNDS = 400_000, 7


def least_seconds(works: dict[str, Callable[[], Any]]) -> dict[str, float]:
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(ROUNDS):
        for name, work in works.items():
            begun = time.process_time()
            work()
            taken[name].append(time.process_time() - begun)
    return {name: min(times) for name, times in taken.items()}


def speeds(text: bytes, size: int, token_bits: int) -> dict[str, float]:
    """Seconds of "zlib encodes", "level encodes", "zlib decodes", "level decodes", for windows of `size` bytes."""
    spec = LevelSpec(
        name="M1",
        alphabet=256,
        segment=10_240,
        windowing=Windowing(bits=None, symbols=size),
        coder=GzipCoder(),
        flags=GzipConfig(),
        token_bits=token_bits,
    )
    level, symbols = Level(spec), np.frombuffer(text, np.uint8)
    coded = level.encode(symbols)
    places = [*coded.starts.tolist(), len(text)]
    windows = [text[low:high] for low, high in itertools.pairwise(places)]
    streams = [zlib.compress(window) for window in windows]
    assert level.decode(coded.tokens).symbols.tobytes() == text
    return least_seconds(
        {
            "zlib encodes": lambda: [zlib.compress(window) for window in windows],
            "level encodes": lambda: level.encode(symbols),
            "zlib decodes": lambda: b"".join([zlib.decompress(stream) for stream in streams]),
            "level decodes": lambda: level.decode(coded.tokens),
        }
    )


def sample() -> bytes:
    return b"".join(path.read_bytes() for path in sorted(DOCS.rglob("*.md")))[:BYTES]


def main(*paths: str) -> None:
    text = Path(paths[0]).read_bytes()[:BYTES] if paths else sample()
    for size in SIZES:
        for token_bits in TOKEN_BITS:
            found = speeds(text, size, token_bits)
            figures = "; ".join(f"{name} {len(text) / 1e6 / taken:.1f} MB/s" for name, taken in found.items())
            ratios = [found[f"zlib {way}"] / found[f"level {way}"] for way in ("encodes", "decodes")]
            print(f"windows of {size}, tokens of {token_bits} bits: {figures}; ratios {ratios[0]:.2f}, {ratios[1]:.2f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
