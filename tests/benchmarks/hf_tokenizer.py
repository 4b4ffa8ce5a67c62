"""A stack's tokenizer and a fast BPE in transformers: python tests/benchmarks/hf_tokenizer.py STACK TEXT TRAIN [LEVEL]

Both code the lines of TEXT, in one batch and one by one; BPE is trained on TRAIN, with as many tokens. Processor
seconds, the least of interleaved repeats; one thread.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["TOKENIZERS_PARALLELISM"] = "false"
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from stackc.hf import StackTokenizer

REPEATS = 9
SINGLE = 500


def fast_bpe(train: str, vocabulary: int) -> PreTrainedTokenizerFast:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    letters = pre_tokenizers.ByteLevel.alphabet()
    made.train([train], trainers.BpeTrainer(vocab_size=vocabulary, show_progress=False, initial_alphabet=letters))
    return PreTrainedTokenizerFast(tokenizer_object=made)


def main(folder: str, path: str, train: str, level: str = "M1") -> None:
    lines = [line for line in Path(path).read_text(errors="ignore").splitlines() if line]
    own = StackTokenizer.from_stack(folder, level)
    fast = fast_bpe(train, own.vocab_size)
    size = sum(len(line.encode()) for line in lines)
    few = lines[:SINGLE]
    ways: dict[str, Callable[[], Any]] = {}
    for name, tokenizer in (("stack", own), ("fast BPE", fast)):
        ways[f"{name}, a batch"] = lambda tokenizer=tokenizer: tokenizer(lines)  # type: ignore[misc]
        ways[f"{name}, one by one"] = lambda tokenizer=tokenizer: [tokenizer(line) for line in few]  # type: ignore[misc]
    least = dict.fromkeys(ways, float("inf"))
    for _ in range(REPEATS):
        for name, way in ways.items():
            begun = time.process_time()
            way()
            least[name] = min(least[name], time.process_time() - begun)
    print(f"{len(lines)} lines, {size:,} bytes")
    for name, seconds in least.items():
        count = len(few) if name.endswith("one") else len(lines)
        print(f"{name}: {seconds / count * 1e6:.1f} us a line")
    for kind in ("a batch", "one by one"):
        print(f"{kind}: {least[f'fast BPE, {kind}'] / least[f'stack, {kind}']:.2f} times as fast as BPE")


if __name__ == "__main__":
    main(*sys.argv[1:])
