"""The tokenizer of transformers against its stack: python tests/benchmarks/hf_tokenizer.py STACK TEXT

Ratios of medians of interleaved repeats: pieces of 2,000 characters, against `Stack.encode` of each piece and
of all of them as one text, turned into lists.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

import stackc
from stackc.hf import StackTokenizer

REPEATS = 15


def main(folder: str, path: str) -> None:
    text = Path(path).read_bytes().decode(errors="ignore")
    pieces = [text[at : at + 2000] for at in range(0, len(text), 2000)]
    stack, tokenizer = stackc.load(folder), StackTokenizer.from_stack(folder)
    ways = {
        "tokenizer": lambda: tokenizer(pieces, return_attention_mask=False)["input_ids"],
        "each": lambda: [stack.encode(piece.encode()).tolist() for piece in pieces],
        "whole": lambda: stack.encode(text.encode()).tolist(),
    }
    assert ways["tokenizer"]() == ways["each"]()
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(REPEATS):
        for name, way in ways.items():
            begun = time.perf_counter()
            way()
            times[name].append(time.perf_counter() - begun)
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name in ("each", "whole"):
        print(f"{len(pieces)} texts, {len(text):,} characters: {medians['tokenizer'] / medians[name]:.2f} times {name}")


if __name__ == "__main__":
    main(*sys.argv[1:])
