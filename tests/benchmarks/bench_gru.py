"""Speed of the recurrent network beside the transformer's, one thread: symbols a second of one over the other's.

Run with `python tests/benchmarks/bench_gru.py [--state 256 ...]`. Two networks of about equal parameters, each trained
a little (`--steps`). Sections: training (rows of one context and of windows, as a level has them; float32, bf16 and
with the rounding in the loop), scoring (contexts of `--context` symbols, and one context throughout), stepping 256
lanes and one. Every ratio is the median over the repeats, each repeat one run of either side, with the quartiles.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
import torch
from bench_transformer import Silent, Times, corpus, every, interleaved, spread

from stackc.api import Device, Predictor, TrainingTask
from stackc_torch.gru.config import Gru
from stackc_torch.gru.network import GruNetwork
from stackc_torch.training.architecture import Architecture
from stackc_torch.training.config import TransformerTraining
from stackc_torch.training.networks import NetworkRun
from stackc_torch.transformer.architecture import TransformerNetwork
from stackc_torch.transformer.config import Transformer


def show(title: str, count: int, times: Times) -> None:
    """Print both speeds and their ratio, repeat by repeat."""
    gru, transformer = (count / statistics.median(times[name]) for name in ("gru", "transformer"))
    ratios = [b / a for a, b in zip(times["gru"], times["transformer"], strict=True)]
    print(
        f"{title:<36} gru {gru:9,.0f}  transformer {transformer:9,.0f}  gru / transformer {spread(ratios)}", flush=True
    )


def run(architecture: Architecture, alphabet: int, **settings: Any) -> NetworkRun:
    """A training that has not begun."""
    text = corpus(alphabet, "train.txt.xz")
    return NetworkRun(architecture, TrainingTask(
        alphabet=alphabet, segment=10_240, train=text, valid=text, seed=1, settings=TransformerTraining(**settings),
        folder=Path(tempfile.mkdtemp()), device=Device(), progress=Silent(),
        cut=lambda predictor, symbols: np.arange(0, len(symbols), 4),
    ), torch.device("cpu"))  # fmt: skip


def step_of(training: NetworkRun) -> Callable[[], None]:
    def step() -> None:
        training.one_step()
        training.step += 1

    return step


def training(networks: dict[str, Architecture], alphabet: int, batch: int, row: int, repeats: int) -> None:
    common = {"steps": 10**6, "batch": batch, "row": row, "warmup": 1, "decay": "constant", "recuts": 0}
    for title, settings in (
        ("long rows, float32", {"window_share": 0.0, "rounding": 0.0}),
        ("half windows, float32", {"rounding": 0.0}),
        ("half windows, bf16", {"rounding": 0.0, "precision": "bf16"}),
        ("half windows, float32, rounded", {"rounding": 1.0}),
    ):
        runs = {name: run(network, alphabet, **common, **settings) for name, network in networks.items()}
        times = interleaved(4 * repeats, **{name: step_of(one) for name, one in runs.items()})
        show(f"training, {title}", batch * row, times)


def coding(models: dict[str, Predictor], symbols: np.ndarray, context: int, repeats: int) -> None:
    segment = symbols[:10_240]
    for title, fresh in ((f"contexts of {context}", every(context, len(segment))), ("one context", None)):

        def score(model: Any, fresh: Any = fresh) -> None:
            for _ in model.score(segment, fresh):
                pass

        parts = {name: lambda model=model: score(model) for name, model in models.items()}
        show(f"scoring, {title}", len(segment), interleaved(repeats, **parts))
    for lanes in (256, 1):
        steps = 32 if lanes > 1 else 400
        calls = symbols[: lanes * steps].astype(np.int64).reshape(steps, lanes)

        def step(model: Predictor, calls: np.ndarray = calls) -> None:
            state = model.start(calls.shape[1])
            model.step(state, np.full(calls.shape[1], -1))
            for call in calls:
                model.step(state, call)

        parts = {name: lambda model=model: step(model) for name, model in models.items()}
        show(f"stepping, {lanes} lane{'s' * (lanes > 1)}", calls.size, interleaved(repeats, **parts))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes = {"alphabet": 256, "layers": 2, "width": 96, "heads": 3, "context": 64}
    for name, value in (sizes | {"gru_layers": 1, "state": 256, "batch": 8, "repeats": 7, "steps": 100}).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=value)
    parser.add_argument("--only", default="training,coding", help="sections to run")
    args = parser.parse_args()
    torch.set_num_threads(1)
    numba.set_num_threads(1)
    transformer = Transformer(layers=args.layers, width=args.width, heads=args.heads, context=args.context)
    gru = Gru(layers=args.gru_layers, width=args.width, state=args.state)
    networks = {"gru": GruNetwork(gru), "transformer": TransformerNetwork(transformer)}
    counts = {name: network.config.cost(args.alphabet, None).parameters for name, network in networks.items()}
    print(", ".join(f"{name} {count:,} parameters" for name, count in counts.items()), end=", one thread; symbols/s\n")
    if "training" in args.only:
        training(networks, args.alphabet, args.batch, args.context, args.repeats)
    if "coding" in args.only:
        models = {}
        for name, network in networks.items():
            trained = run(network, args.alphabet, steps=10**6, batch=8, row=args.context, rounding=0.0)
            for _ in range(args.steps):
                step_of(trained)()
            weights = trained.learner.whole()
            models[name] = trained.predictor(weights, trained.calibrated(weights))
        coding(models, corpus(args.alphabet, "test.txt.xz").symbols, args.context, args.repeats)


if __name__ == "__main__":
    main()
