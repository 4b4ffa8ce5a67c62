"""Designs of the coder `phrases` compared without training a network, against byte-level BPE.

    python tests/benchmarks/phrases_designs.py --fit english/train.txt --code english/test.txt

Every vocabulary is fitted to the first 24,000,000 bytes of the first text. Of the second text: bytes per token; the
entropy of the tokens' counts, in bits per byte; and the bits per byte of an interpolated Kneser-Ney trigram model
(one discount, 0.75) of the first 3,072,000 tokens and of all tokens of the fitted text. The model of equally many
tokens is what a budget of operations buys.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stackc.api import Text
from stackc.parts.registry import registry

FITTED, BUDGET, SEGMENT, DISCOUNT = 24_000_000, 3_072_000, 65_535, 0.75
PLAIN = {"share": 1.0, "surcharge": 0}
USED = {"objective": "use", "parse": "longest", "surcharge": 0}

DESIGNS: dict[str, tuple[str, dict[str, Any]]] = {
    "BPE": ("bpe", {}),
    "words, unigram, optimal": ("phrases", {**PLAIN, "words": 1}),
    "words, use, longest": ("phrases", {**USED, "words": 1}),
    "phrases, use, longest": ("phrases", {**USED, "share": 1.0}),
    "phrases, use, longest, share 0.1": ("phrases", USED),
    "phrases, unigram, longest": ("phrases", {"parse": "longest", **PLAIN}),
    "phrases, use, optimal": ("phrases", {"objective": "use", **PLAIN}),
    "phrases, unigram, optimal": ("phrases", PLAIN),
    "share 0.1": ("phrases", {"surcharge": 0}),
    "share 0.1, surcharge 3 (default)": ("phrases", {}),
    "share 0.1, surcharge 3, 2 words": ("phrases", {"words": 2}),
    "share 0.05, surcharge 8": ("phrases", {"share": 0.05, "surcharge": 8}),
    "share 0.1, surcharge 3, 20 rounds": ("phrases", {"rounds": 20}),
}


def trigram_bits(train: npt.NDArray[np.int64], test: npt.NDArray[np.int64], size: int) -> float:
    """Bits of a text under interpolated Kneser-Ney of order 3."""
    runs, counts = np.unique((train[:-2] * size + train[1:-1]) * size + train[2:], return_counts=True)
    pairs, first = np.unique(runs // size, return_index=True)
    kinds, totals = np.diff(np.append(first, len(runs))), np.add.reduceat(counts, first)
    before = np.bincount(runs % size**2, minlength=size**2).reshape(size, size)  # different symbols before each pair
    single = (before > 0).sum(0)
    low = (np.maximum(single - DISCOUNT, 0) + DISCOUNT * (single > 0).sum() / size) / single.sum()
    seen, follow = before.sum(1), (before > 0).sum(1)
    a, b, c = test[:-2], test[1:-1], test[2:]
    mid = (np.maximum(before[b, c] - DISCOUNT, 0) + DISCOUNT * follow[b] * low[c]) / np.maximum(seen[b], 1)
    mid = np.where(seen[b] > 0, mid, low[c])
    pair = np.minimum(np.searchsorted(pairs, a * size + b), len(pairs) - 1)
    run = np.minimum(np.searchsorted(runs, (a * size + b) * size + c), len(runs) - 1)
    count = np.where(runs[run] == (a * size + b) * size + c, counts[run], 0)
    high = (np.maximum(count - DISCOUNT, 0) + DISCOUNT * kinds[pair] * mid) / totals[pair]
    return float(-np.log2(np.where(pairs[pair] == a * size + b, high, mid)).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fit", type=Path, required=True)
    parser.add_argument("--code", type=Path, required=True)
    parser.add_argument("--vocabulary", type=int, default=4096)
    parser.add_argument("--only", nargs="*", default=list(DESIGNS), help="designs, by their names")
    given = parser.parse_args()
    fit, code = np.fromfile(given.fit, np.uint8, FITTED), np.fromfile(given.code, np.uint8)
    print(
        "| design | bytes/token | unigram | trigram, equal tokens | trigram, all | seconds |\n|---|---|---|---|---|---|"
    )
    for name in given.only:
        kind, fields = DESIGNS[name]
        part = registry().get("coder", kind)
        config = part.config(vocabulary=given.vocabulary, **fields)
        with tempfile.TemporaryDirectory() as folder:
            begun = time.process_time()
            text = Text(symbols=fit, offsets=np.array([0, len(fit)]), source_bytes=len(fit))
            part.factory(config).fit(text, 256, Path(folder))
            seconds = time.process_time() - begun
            coder = part.factory(config)
            coder.load(Path(folder))
        train, test = (
            coder.encode(data, np.append(np.arange(0, len(data), SEGMENT), len(data)))[0].astype(np.int64)
            for data in (fit, code)
        )
        uses = np.bincount(test)
        uses = uses[uses > 0]
        unigram = float((uses * np.log2(len(test) / uses)).sum()) / len(code)
        equal, every = (trigram_bits(some, test, given.vocabulary) / len(code) for some in (train[:BUDGET], train))
        figures = f"{len(code) / len(test):.3f} | {unigram:.3f} | {equal:.3f} | {every:.3f} | {seconds:.1f}"
        print(f"| {name} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
