"""Speed of the transformer, one thread: ratios to plain eager torch on the same network, from interleaved repeats.

Run with `python tests/benchmarks/bench_transformer.py [--width 128 ...] [--only training,scoring]`. The network is
first trained a little (`--steps`), so that windows and dictionaries have the lengths of real ones. Sections:

- training: symbols a second over those of a plain loop (nn.Module, scaled_dot_product_attention with the same
  learned bias, cross_entropy, fused AdamW), in float32 and bf16; the rounding phase's time over the float phase's;
- scoring: time over that of the float forward pass and its softmax, on rows of one context;
- stepping, keys and values kept: symbols a second over those of the float network, 256 lanes and one; and over those
  of scoring in contexts of the same length;
- encoding (alphabet 256): symbols a second of a level of W = 32 bits, context per window, in lanes, over those of a
  loop that codes one window at a time and runs its text so far through the network again for each symbol: the frozen
  network (whose tokens must be the same) and the float one; decoding likewise;
- compiling (alphabet 256): seconds to the dictionary of W = 16 bits.

Every ratio is the median over the repeats, each repeat one run of either side, with the quartiles.
"""

from __future__ import annotations

import argparse
import lzma
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
import torch
from plain_transformer import Plain, plain_of
from torch import nn
from torch.nn import functional as F

from stackc.api import Device, Frequencies, Text, TrainingTask, Window, Windowing, normalise
from stackc.coding.level import Level
from stackc.coding.spec import LevelSpec
from stackc.parts.registry import registry
from stackc_coders.compiler import compile_dictionary
from stackc_torch.training.config import TransformerTraining
from stackc_torch.training.networks import NetworkRun
from stackc_torch.training.rows import Weights
from stackc_torch.transformer.architecture import TransformerNetwork
from stackc_torch.transformer.config import Transformer
from stackc_torch.transformer.freeze import freeze
from torch_toys import on_cpu

DATA = Path(__file__).parents[2] / "recipes" / "data"
Times = dict[str, list[float]]


class Silent:
    def update(self, done: int, total: int, **figures: float) -> None: ...

    def log(self, step: int, **scalars: float) -> None: ...

    def say(self, text: str) -> None: ...


def interleaved(repeats: int, **parts: Callable[[], Any]) -> Times:
    """Seconds of each part in every repeat, run in turn after a run of each that does not count."""
    for part in parts.values():
        part()
    times: Times = {name: [] for name in parts}
    for _ in range(repeats):
        for name, part in parts.items():
            start = time.perf_counter()
            part()
            times[name].append(time.perf_counter() - start)
    return times


def spread(ratios: list[float]) -> str:
    """Median and quartiles."""
    low, middle, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def show(title: str, times: Times, over: str, under: str, factor: float = 1.0) -> None:
    """Print times[over] / times[under], repeat by repeat."""
    print(f"  {title}: {spread([factor * a / b for a, b in zip(times[over], times[under], strict=True)])}", flush=True)


def corpus(alphabet: int, file: str) -> Text:
    """Bytes of the small corpus, or symbols of some such distribution where the alphabet is another."""
    if alphabet == 256:
        symbols = np.frombuffer(lzma.decompress((DATA / file).read_bytes()), np.uint8)
    else:
        symbols = (np.random.default_rng(0).zipf(1.3, 400_000) % alphabet).astype(np.uint16)
    return Text(symbols=symbols, offsets=np.array([0, len(symbols)]), source_bytes=len(symbols))


class Subject:
    """A network trained a little, frozen, and the same in plain torch.

    Args:
        steps: of training, 512 symbols each.
    """

    def __init__(self, config: Transformer, alphabet: int, batch: int, repeats: int, steps: int) -> None:
        self.config, self.alphabet, self.batch, self.repeats = config, alphabet, batch, repeats
        self.text, self.test = corpus(alphabet, "train.txt.xz"), corpus(alphabet, "test.txt.xz").symbols
        run = self.run(steps=max(1, steps), batch=8, row=64, precision="bf16", rounding=0.0)
        for _ in range(steps):
            run.one_step()
            run.step += 1
        self.weights: Weights = run.weights
        self.frozen = freeze(run.weights, run.calibrated(), config)
        self.predictor = on_cpu(self.frozen)
        self.plain = plain_of(run.weights, config, alphabet)

    def run(self, **settings: Any) -> NetworkRun:
        return NetworkRun(TransformerNetwork(self.config), TrainingTask(
            alphabet=self.alphabet, segment=10_240, train=self.text, valid=self.text, seed=1,
            settings=TransformerTraining(**settings), folder=Path(tempfile.mkdtemp()), device=Device(),
            progress=Silent(),
        ), torch.device("cpu"))  # fmt: skip


def training(it: Subject) -> None:
    """Steps of long rows, one context each."""
    runs = {
        name: it.run(steps=10**6, batch=it.batch, rounding=rounding, warmup=1, decay="constant", precision=precision)
        for name, rounding, precision in (
            ("float32", 0.0, "float32"), ("bf16", 0.0, "bf16"),
            ("rounded", 1.0, "float32"), ("rounded_bf16", 1.0, "bf16"),
        )
    }  # fmt: skip
    plain = Plain(it.config, it.alphabet)
    assert sum(p.numel() for p in plain.parameters()) == it.config.cost(it.alphabet, None).parameters
    optimiser = torch.optim.AdamW(plain.parameters(), lr=1e-3, fused=True)
    (rows,) = runs["float32"].sampler.step(0, runs["float32"].windows)[0]

    def eager() -> None:
        optimiser.zero_grad()
        loss = F.cross_entropy(plain(rows.inputs).flatten(0, 1), rows.targets.flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(plain.parameters(), 1.0)
        optimiser.step()

    def ours(run: NetworkRun) -> Callable[[], None]:
        def step() -> None:
            run.one_step()
            run.step += 1

        return step

    times = interleaved(4 * it.repeats, plain=eager, **{name: ours(run) for name, run in runs.items()})
    symbols = it.batch * it.config.context
    rates = (f"{name} {symbols / statistics.median(taken):,.0f}" for name, taken in times.items())
    print("training, symbols/s: " + "  ".join(rates))
    show("float32, symbols a second over the plain loop's", times, "plain", "float32")
    show("bf16, symbols a second over the plain float32 loop's", times, "plain", "bf16")
    show("rounding phase, time over the float phase's", times, "rounded", "float32")
    show("the same in bf16", times, "rounded_bf16", "bf16")


def probabilities(plain: Plain, rows: torch.Tensor) -> None:
    """The float forward pass, about 2,048 symbols at a time."""
    together = max(1, 2048 // rows.shape[1])
    for start in range(0, len(rows), together):
        torch.softmax(plain(rows[start : start + together]), -1)


def every(length: int, count: int) -> np.ndarray:
    return np.arange(count) % length == 0


@torch.no_grad()
def scoring(it: Subject) -> None:
    length = it.config.context
    segment = it.test[: max(1, 10_240 // length) * length]
    rows = torch.from_numpy(segment.astype(np.int64)).view(-1, length)
    times = interleaved(
        it.repeats,
        float=lambda: probabilities(it.plain, rows),
        frozen=lambda: list(map(len, it.predictor.score(segment, every(length, len(segment))))),
        sliding=lambda: list(map(len, it.predictor.score(segment))),
    )
    print(f"scoring: frozen {len(segment) / statistics.median(times['frozen']):,.0f} symbols/s")
    show("time over the float forward pass's, rows of one context", times, "frozen", "float")
    show("the same, one segment whose context slides", times, "sliding", "float")


@torch.no_grad()
def stepping(it: Subject, lanes: int) -> None:
    """Lanes through 32 positions, in step; and the same symbols scored."""
    steps = min(32, it.config.context)
    symbols = it.test[: steps * lanes].astype(np.int64).reshape(lanes, steps)
    shape = (lanes, it.config.heads, steps, it.config.head_size)

    def floats() -> None:
        caches = [(torch.empty(shape), torch.empty(shape)) for _ in range(it.config.layers)]
        for at in range(steps):
            it.plain.step(torch.from_numpy(symbols[:, at].copy()), caches, at)

    def integers() -> None:
        state = it.predictor.start(lanes)
        it.predictor.step(state, np.full(lanes, -1))
        for at in range(steps - 1):
            it.predictor.step(state, symbols[:, at].copy())

    def scored() -> None:
        for _ in it.predictor.score(symbols.reshape(-1), every(steps, symbols.size)):
            pass

    times = interleaved(it.repeats, float=floats, frozen=integers, scored=scored)
    print(f"stepping {lanes} lanes: frozen {steps * lanes / statistics.median(times['frozen']):,.0f} symbols/s")
    show("symbols a second over the float network's", times, "float", "frozen")
    if lanes > 1:
        show("symbols a second over scoring's, contexts of the same length", times, "scored", "frozen")


@torch.no_grad()
def encoding(it: Subject, count: int) -> None:
    """A level of windows of 32 bits, 256 lanes of segments, against a loop over a few hundred symbols."""
    part = registry().get("coder", "arithmetic")
    coder = part.factory(part.config())
    level = Level(
        LevelSpec(
            name="M1",
            alphabet=256,
            segment=2048,
            windowing=Windowing(bits=32, symbols=1024, restart="window"),
            coder=coder,
            flags=part.config(),
            token_bits=16,
            load_predictor=lambda: it.predictor,
        )
    )
    symbols = it.test[:count]
    some = symbols[:400]

    def integer_row(text: np.ndarray) -> Frequencies:
        return list(it.predictor.score(text))[-1][-1]

    def float_row(text: np.ndarray) -> Frequencies:
        inputs = torch.from_numpy(np.concatenate([[256], text[:-1].astype(np.int64)]))
        p = torch.softmax(it.plain(inputs[None])[0, -1], -1)
        return normalise((p * 2**24).long().numpy())

    def loop(row: Callable[[np.ndarray], Frequencies]) -> list[int]:
        """One window at a time; each symbol's frequencies from the window's whole text so far."""
        codes, window, first = [], coder.encoder(level.spec.window), 0
        for at in range(len(some)):
            if not window.add(row(some[first : at + 1]), int(some[at])):
                codes.append(window.close(False)[0])
                window, first = coder.encoder(level.spec.window), at
                window.add(row(some[first : at + 1]), int(some[at]))
        return [*codes, window.close(False)[0]]

    coded = level.encode(symbols)
    assert level.decode(coded.tokens).symbols.tolist() == symbols.tolist()
    codes = [int(high) << 16 | int(low) for high, low in coded.tokens.reshape(-1, 2)[: len(loop(integer_row)) - 1]]
    assert codes == loop(integer_row)[:-1], "the lanes and the loop must give the same tokens"
    times = interleaved(
        max(3, it.repeats // 2),
        encode=lambda: level.encode(symbols),
        decode=lambda: level.decode(coded.tokens),
        integers=lambda: loop(integer_row),
        floats=lambda: loop(float_row),
    )
    rates = {name: count / statistics.median(times[name]) for name in ("encode", "decode")}
    print("W = 32, context per window: " + "  ".join(f"{name} {rate:,.0f} symbols/s" for name, rate in rates.items()))
    factor = count / len(some)
    for name in ("encode", "decode"):
        show(f"{name}, symbols a second over the frozen loop's", times, "integers", name, factor)
        show(f"{name}, symbols a second over the float loop's", times, "floats", name, factor)


def compiling(it: Subject) -> None:
    window = Window(alphabet=256, bits=16, symbols=1024, token_bits=16)
    times = interleaved(3, compile=lambda: compile_dictionary(it.predictor, window, 256))
    print(f"compiling W = 16: {statistics.median(times['compile']):.1f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes = {"alphabet": 256, "layers": 2, "width": 96, "heads": 3, "mlp": 0, "context": 64, "batch": 8, "repeats": 7}
    for name, value in (sizes | {"steps": 300, "encode": 200_000}).items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--only", default="training,scoring,stepping,encoding,compiling", help="sections to run")
    args = parser.parse_args()
    torch.set_num_threads(1)
    numba.set_num_threads(1)
    sizes = {name: getattr(args, name) for name in ("layers", "width", "heads", "mlp", "context")}
    config = Transformer(**sizes)
    parameters = config.cost(args.alphabet, None).parameters
    print(f"{parameters:,} parameters, alphabet {args.alphabet:,}, one thread; medians (quartiles) of {args.repeats}")
    it = Subject(config, args.alphabet, args.batch, args.repeats, args.steps)
    only = args.only.split(",")
    if "training" in only:
        training(it)
    if "scoring" in only:
        scoring(it)
    if "stepping" in only:
        stepping(it, 256)
        stepping(it, 1)
    if args.alphabet == 256:
        if "encoding" in only:
            encoding(it, args.encode)
        if "compiling" in only:
            compiling(it)


if __name__ == "__main__":
    main()
