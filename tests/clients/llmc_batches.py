"""The batches that llm.c's loader in Python reads: python tests/clients/llmc_batches.py CHECKOUT FILE BATCH LENGTH

Prints the ids of each batch, inputs and targets, until the loader begins anew.
"""

from __future__ import annotations

import json
import sys


def main(checkout: str, file: str, batch: str, length: str) -> None:
    sys.path.insert(0, checkout)
    from train_gpt2 import DistributedDataLoader  # type: ignore[import-not-found]

    size = int(batch) * int(length)
    loader = DistributedDataLoader(file, int(batch), int(length), 0, 1)
    made = []
    for _ in range((int(loader.ntok_total) - 1) // size):
        inputs, targets = loader.next_batch()
        made.append([inputs.flatten().tolist(), targets.flatten().tolist()])
    print(json.dumps(made))


if __name__ == "__main__":
    main(*sys.argv[1:])
