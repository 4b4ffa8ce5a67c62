"""Compiled steps against calls for each step: python tests/benchmarks/compiled_steps.py [--networks] [TEXT ...]

A model with the coder `arithmetic`: the same level with the kernels of both parts, and with a model that hides its own.
`counted` in one lane and in 256, or with `--networks` a transformer and a recurrent network of 0.34 and of 1.1 million
parameters, not trained, in one lane to eight: in more than four `stackc` calls their step, and the loop is forced here.
Processor time in microseconds per symbol, interleaved, the least of the rounds.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from stackc.api import CompiledStep, Device, Symbols, Text, TrainingTask, Windowing
from stackc.coding.level import Level
from stackc.coding.model_trial import Quiet
from stackc.coding.spec import LevelSpec
from stackc_coders import ArithmeticConfig
from stackc_coders.arithmetic import ArithmeticCoder
from stackc_counted import Counted, CountedTraining
from stackc_counted.backend import CountedBackend, CountedPredictor

DOCS = Path(__file__).parents[2] / "docs"
SYMBOLS, FEW_SYMBOLS, ROUNDS = 20_000, 6_000, 3
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


def least(works: dict[str, Callable[[], Any]], symbols: int) -> dict[str, float]:
    """The least processor time of each, in microseconds per symbol."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(ROUNDS):
        for name, work in works.items():
            begun = time.process_time()
            work()
            taken[name].append((time.process_time() - begun) / symbols * 1e6)
    return {name: min(times) for name, times in taken.items()}


def compare(
    what: str, stepped: Any, looped: Any, windowing: Windowing, symbols: Symbols, lanes: int, documents: int = 1
) -> None:
    offsets = np.linspace(0, len(symbols), documents + 1).astype(np.int64)
    slow, fast = level(stepped, windowing, lanes), level(looped, windowing, lanes)
    coded = slow.encode(symbols, offsets)
    assert fast.encode(symbols, offsets).tokens.tolist() == coded.tokens.tolist()
    assert fast.decode(coded.tokens, coded.offsets).symbols.tolist() == symbols.tolist()
    found = least(
        {
            "stepped encode": lambda: slow.encode(symbols, offsets),
            "compiled encode": lambda: fast.encode(symbols, offsets),
            "stepped decode": lambda: slow.decode(coded.tokens, coded.offsets),
            "compiled decode": lambda: fast.decode(coded.tokens, coded.offsets),
        },
        len(symbols),
    )
    figures = "; ".join(f"{way} {microseconds:.2f}" for way, microseconds in found.items())
    ratios = [found[f"stepped {way}"] / found[f"compiled {way}"] for way in ("encode", "decode")]
    print(f"{what}, {lanes} lanes: {figures}; ratios {ratios[0]:.1f}, {ratios[1]:.1f}", flush=True)


def networks() -> dict[str, tuple[Any, Any]]:
    """Networks as they are before training: with calls for each step, and with a loop in any number of lanes."""
    import torch

    from stackc_torch.frozen.predictor import FrozenPredictor, KernelPredictor
    from stackc_torch.gru import cpu as gru
    from stackc_torch.gru.config import Gru
    from stackc_torch.gru.network import GruNetwork
    from stackc_torch.training.rows import Rows
    from stackc_torch.transformer import cpu as transformer
    from stackc_torch.transformer.architecture import TransformerNetwork
    from stackc_torch.transformer.config import Transformer

    class Looped(KernelPredictor):
        def compiled(self) -> CompiledStep:
            return attrs.evolve(super().compiled(), most_lanes=None)

    torch.set_num_threads(1)
    made: dict[str, tuple[Any, Any]] = {}
    for name, network, arithmetic in (
        ("transformer, 0.34M", TransformerNetwork(Transformer(layers=2, width=96, heads=3, context=64)), transformer),
        ("gru, 0.34M", GruNetwork(Gru(layers=1, width=96, state=256)), gru),
        ("transformer, 1.1M", TransformerNetwork(Transformer(layers=4, width=128, heads=4, context=64)), transformer),
        ("gru, 1.1M", GruNetwork(Gru(layers=2, width=128, state=340)), gru),
    ):
        weights = network.initial(256, 1)
        inputs = torch.randint(256, (8, 64), generator=torch.Generator().manual_seed(1))
        frozen = network.freeze(weights, network.calibrate(weights, [Rows(inputs=inputs, targets=inputs, first=None)]))
        integers: Any = arithmetic.CpuArithmetic(frozen)
        made[name] = FrozenPredictor(integers), Looped(integers)
    return made


def main(paths: list[Path], of_networks: bool) -> None:
    text = b"".join(path.read_bytes() for path in (paths or sorted(DOCS.rglob("*.md"))))
    if of_networks:
        symbols = np.frombuffer(text[:FEW_SYMBOLS], np.uint8)
        for name, (stepped, looped) in networks().items():
            for windows in ("24 bits", "whole segments"):
                for lanes in (1, 2, 4, 6, 8):
                    compare(f"{name}, {windows}", stepped, looped, WINDOWINGS[windows], symbols, lanes, documents=lanes)
        return
    model = trained(text[SYMBOLS:])
    symbols = np.frombuffer(text[:SYMBOLS], np.uint8)
    for windows, windowing in WINDOWINGS.items():
        for lanes in (1, 256):
            compare(windows, Stepped(model.config, *model.tries, model.base), model, windowing, symbols, lanes)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path, nargs="*")
    parser.add_argument("--networks", action="store_true")
    arguments = parser.parse_args()
    main(arguments.text, arguments.networks)
