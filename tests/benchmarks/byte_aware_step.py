"""What byte-aware inputs add to a training step: processor time with and without, interleaved in one process.

    python tests/benchmarks/byte_aware_step.py [rounds]

A transformer of 4 layers of width 128 and context 128 over 4,096 symbols of 3 bytes, 8 rows of 128 symbols a step, one
thread; a round is 5 steps of each kind. Prints the median of the ratios, for float32 and bf16.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from stackc.api import Device, SymbolTexts, Text, TrainingTask, offsets_of
from stackc_torch.frozen.numerics import training_mode
from stackc_torch.training.config import TransformerTraining
from stackc_torch.training.networks import NetworkRun
from stackc_torch.transformer.architecture import TransformerNetwork
from stackc_torch.transformer.config import Transformer

SIZE = 4096


class Silent:
    """A `Progress` that shows nothing."""

    def update(self, *_: Any, **__: Any) -> None: ...

    def log(self, *_: Any, **__: Any) -> None: ...

    def say(self, text: str) -> None:
        print(text)


def main(rounds: int) -> None:
    random = np.random.default_rng(0)
    symbols = (random.zipf(1.2, 200_000) % SIZE).astype(np.uint16)
    lengths = random.integers(1, 7, SIZE)
    texts = SymbolTexts(data=random.integers(97, 123, int(lengths.sum())).astype(np.uint8), offsets=offsets_of(lengths))
    text = Text(symbols=symbols, offsets=np.array([0, len(symbols)]), source_bytes=3 * len(symbols))
    config = Transformer(layers=4, width=128, heads=4, mlp=344, context=128)
    for precision in ("float32", "bf16"):
        with training_mode(Device()) as device, tempfile.TemporaryDirectory() as folder:
            runs = []
            for aware in (False, True):
                settings = TransformerTraining(steps=10_000, precision=precision, byte_aware=aware, rounding=0.0)
                task = TrainingTask(
                    alphabet=SIZE, segment=1024, train=text, valid=text, seed=1, settings=settings,
                    folder=Path(folder) / str(aware), device=Device(), progress=Silent(), texts=texts,
                )  # fmt: skip
                runs.append(NetworkRun(TransformerNetwork(config), task, device))
                runs[-1].one_step()
            ratios, seconds = [], [0.0, 0.0]
            for _ in range(rounds):
                taken = []
                for number, run in enumerate(runs):
                    begun = time.process_time()
                    for _ in range(5):
                        run.one_step()
                        run.step += 1
                    taken.append(time.process_time() - begun)
                    seconds[number] += taken[-1]
                ratios.append(taken[1] / taken[0])
        ms = [1000 * total / rounds / 5 for total in seconds]
        print(f"{precision}: {ms[0]:.1f} and {ms[1]:.1f} ms a step, ratio {statistics.median(ratios):.3f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
