"""Compiled steps against calls for each step: python tests/benchmarks/compiled_steps.py [TEXT]

The model `counted` with the coder `arithmetic`, in one lane and in 256: the same level with the kernels of both parts,
and with a model that hides its own. Processor time in microseconds per symbol, interleaved, the least of the rounds.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from stackc.api import Device, Text, TrainingTask, Windowing
from stackc.coding.level import Level
from stackc.coding.model_trial import Quiet
from stackc.coding.spec import LevelSpec
from stackc_coders import ArithmeticConfig
from stackc_coders.arithmetic import ArithmeticCoder
from stackc_counted import Counted, CountedTraining
from stackc_counted.backend import CountedBackend, CountedPredictor

DOCS = Path(__file__).parents[2] / "docs"
SYMBOLS, ROUNDS = 20_000, 3
WINDOWINGS = {
    "24 bits": Windowing(bits=24, symbols=1024),
    "32 bits, one context per segment": Windowing(bits=32, symbols=1024, restart="segment"),
    "40 symbols": Windowing(bits=None, symbols=40),
    "whole segments": Windowing(bits=None, symbols=None),
}


class Stepped(CountedPredictor):
    """The model without its kernels."""

    @property
    def compiled(self) -> Any:  # type: ignore[override]
        raise AttributeError("compiled")


def trained(text: bytes) -> CountedPredictor:
    symbols = np.frombuffer(text, np.uint8)
    whole = Text(symbols=symbols, offsets=np.array([0, len(symbols)]), source_bytes=len(symbols))
    backend = CountedBackend(Counted())
    with tempfile.TemporaryDirectory() as folder:
        backend.train(
            TrainingTask(
                alphabet=256,
                segment=1 << 16,
                train=whole,
                valid=whole,
                seed=0,
                settings=CountedTraining(rounds=1),
                folder=Path(folder),
                device=Device(),
                progress=Quiet(),
                cut=lambda predictor, text, offsets=None: np.arange(0, len(text), 4),
            )
        )
        return backend.load(Path(folder), 256, Device())


def level(model: CountedPredictor, windowing: Windowing, lanes: int) -> Level:
    return Level(
        LevelSpec(
            name="M1",
            alphabet=256,
            segment=1 << 16,
            windowing=windowing,
            coder=ArithmeticCoder(),
            flags=ArithmeticConfig(),
            token_bits=8,
            load_predictor=lambda: model,
            lanes=lanes,
        )
    )


def least(works: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """The least processor time of each, in microseconds per symbol."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(ROUNDS):
        for name, work in works.items():
            begun = time.process_time()
            work()
            taken[name].append((time.process_time() - begun) / SYMBOLS * 1e6)
    return {name: min(times) for name, times in taken.items()}


def main(*paths: str) -> None:
    text = b"".join(path.read_bytes() for path in ([Path(p) for p in paths] or sorted(DOCS.rglob("*.md"))))
    model = trained(text[SYMBOLS:])
    stepped = Stepped(model.config, *model.tries, model.base)
    symbols = np.frombuffer(text[:SYMBOLS], np.uint8)
    for name, windowing in WINDOWINGS.items():
        for lanes in (1, 256):
            slow, fast = level(stepped, windowing, lanes), level(model, windowing, lanes)
            coded = slow.encode(symbols)
            assert fast.encode(symbols).tokens.tolist() == coded.tokens.tolist()
            assert fast.decode(coded.tokens).symbols.tolist() == symbols.tolist()
            found = least(
                {
                    "stepped encode": lambda slow=slow: slow.encode(symbols),
                    "compiled encode": lambda fast=fast: fast.encode(symbols),
                    "stepped decode": lambda slow=slow, coded=coded: slow.decode(coded.tokens),
                    "compiled decode": lambda fast=fast, coded=coded: fast.decode(coded.tokens),
                }
            )
            figures = "; ".join(f"{what} {microseconds:.2f}" for what, microseconds in found.items())
            ratios = [found[f"stepped {way}"] / found[f"compiled {way}"] for way in ("encode", "decode")]
            print(f"{name}, {lanes} lanes: {figures}; ratios {ratios[0]:.1f}, {ratios[1]:.1f}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
