"""Symbols a second of hf models beside `transformer` of about their parameters: training steps, and coding in one lane.

    python tests/benchmarks/bench_hf.py [--rounds 5]

Rounds are interleaved, in one thread. A line says the median, the least and the most, and the median ratio to the
first line.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from stackc.api import RESTART, Device
from stackc.testing.training import sample_text, training_task
from stackc_torch.hf.backend import HfBackend
from stackc_torch.hf.config import Hf, HfTraining
from stackc_torch.hf.training import HfRun
from stackc_torch.training.config import TransformerTraining
from stackc_torch.training.networks import NetworkRun
from stackc_torch.transformer.config import Transformer
from torch_toys import transformer_backend

ALPHABET, CONTEXT, BATCH, LAYERS, WIDTH, HIDDEN = 256, 128, 8, 2, 96, 256
STEPS, CODED = 8, 200
SETTINGS = {
    "gpt2": f"n_layer={LAYERS} n_embd={WIDTH} n_head=3 n_positions={CONTEXT} tie_word_embeddings=false",
    "llama": f"num_hidden_layers={LAYERS} hidden_size={WIDTH} intermediate_size={HIDDEN} num_attention_heads=3",
}

Rates = dict[str, list[float]]


def backends() -> dict[str, tuple[Any, Any]]:
    """Each with its training settings."""
    common: dict[str, Any] = {"steps": STEPS, "batch": BATCH, "window_share": 0.0}
    own = transformer_backend(Transformer(layers=LAYERS, width=WIDTH, heads=3, mlp=HIDDEN, context=CONTEXT))
    found: dict[str, tuple[Any, Any]] = {"transformer": (own, TransformerTraining(**common, rounding=0.0))}
    for name, settings in SETTINGS.items():
        backend = HfBackend(Hf(model_type=name, settings=settings, context=CONTEXT))
        for precision in ("float32", "bf16"):
            found[f"{name} {precision}"] = backend, HfTraining(**common, precision=precision)
    return found


def timed(steps: list[float], inner: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A step that notes its seconds."""

    def step(run: Any) -> Any:
        start = time.perf_counter()
        found = inner(run)
        steps.append(time.perf_counter() - start)
        return found

    return step


def coding_seconds(predictor: Any) -> float:
    """Of one lane, from a restart."""
    state = predictor.start(1)
    predictor.step(state, np.array([RESTART]))
    start = time.perf_counter()
    for symbol in sample_text(ALPHABET, CODED).symbols.astype(np.int64):
        predictor.step(state, np.array([symbol]))
    return time.perf_counter() - start


def show(what: str, rates: Rates) -> None:
    print(f"{what}, symbols a second:")
    first = next(iter(rates.values()))
    for name, found in rates.items():
        ratio = statistics.median(a / b for a, b in zip(found, first, strict=True))
        print(f"  {name:14} {statistics.median(found):8,.0f} ({min(found):,.0f} to {max(found):,.0f})  x {ratio:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    steps: list[float] = []
    HfRun.one_step = timed(steps, HfRun.one_step)  # type: ignore[method-assign]
    NetworkRun.one_step = timed(steps, NetworkRun.one_step)  # type: ignore[method-assign]
    made, predictors = backends(), {}
    training: Rates = {name: [] for name in made}
    coding: Rates = {name: [] for name in made if not name.endswith("bf16")}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            for name, (backend, settings) in made.items():
                steps.clear()
                at = Path(folder) / f"{name} {number}"
                text = sample_text(ALPHABET, 50_000)
                backend.train(training_task(ALPHABET, settings, at, train=text, segment=len(text.symbols)))
                training[name].append(BATCH * CONTEXT / statistics.median(steps[1:]))
                if name in coding and not number:
                    frozen = at.with_name(f"{name} frozen")
                    backend.freeze(at, frozen, ALPHABET)
                    predictors[name] = backend.load(frozen, ALPHABET, Device())
            for name, predictor in predictors.items():
                coding[name].append(CODED / coding_seconds(predictor))
    for name, (backend, _) in made.items():
        config = backend.config if isinstance(backend, HfBackend) else backend.architecture.config
        print(f"{name}: {config.cost(ALPHABET, None).parameters:,} parameters")
    show("training", training)
    show("coding", coding)


if __name__ == "__main__":
    main()
