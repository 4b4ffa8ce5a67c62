"""Speed of the transformer against plain eager torch on the same network.

Run with `python tests/benchmarks/bench_transformer.py [--width 128 ...]`.

Four ratios, each from interleaved repeats on one thread, medians:

1. training, float phase: symbols a second over those of a plain loop (nn.Module, scaled_dot_product_attention
   with the same learned bias, cross_entropy, fused AdamW);
2. training, rounding phase: time of a step over that of the float phase;
3. scoring: time of the frozen network over that of the float forward pass and its softmax, on rows of one context;
4. stepping with keys and values kept: symbols a second of the frozen network over those of the float one,
   256 lanes and one.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stackc.api import Device, Text, TrainingTask
from stackc_torch.calibrate import calibrate
from stackc_torch.config import Transformer, TransformerTraining
from stackc_torch.cpu import CpuPredictor
from stackc_torch.freeze import freeze
from stackc_torch.network import Rows, initial_weights
from stackc_torch.training import Run


class Silent:
    def update(self, done: int, total: int, **figures: float) -> None: ...

    def log(self, step: int, **scalars: float) -> None: ...

    def say(self, text: str) -> None: ...


class Norm(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6)


class Block(nn.Module):
    """A pre-norm block as one writes it first."""

    def __init__(self, config: Transformer) -> None:
        super().__init__()
        self.config = config
        d, inner, hidden = config.width, config.attention_width, config.hidden
        self.norm = Norm()
        self.qkv = nn.Linear(d, 3 * inner, bias=False)
        self.out = nn.Linear(inner, d, bias=False)
        self.gate = nn.Linear(d, hidden, bias=False)
        self.up = nn.Linear(d, hidden, bias=False)
        self.down = nn.Linear(hidden, d, bias=False)
        self.bias = nn.Parameter(torch.zeros(config.heads, config.context))

    def forward(self, x: Tensor) -> Tensor:
        rows, length, _ = x.shape
        q, k, v = self.qkv(self.norm(x)).view(rows, length, 3, self.config.heads, -1).permute(2, 0, 3, 1, 4)
        at = torch.arange(length)
        distance = at[:, None] - at[None]
        mask = self.bias[:, distance.clamp(min=0)].masked_fill(distance < 0, float("-inf"))
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = x + self.out(mixed.transpose(1, 2).reshape(rows, length, -1))
        y = self.norm(x)
        return x + self.down(F.relu(self.gate(y)) * self.up(y))

    def step(self, x: Tensor, keys: Tensor, values: Tensor, at: int) -> Tensor:
        """x[L, d] at position `at`; keys and values [L, H, C, D] are added to."""
        q, k, v = self.qkv(self.norm(x)).view(len(x), 3, self.config.heads, -1).unbind(1)
        keys[:, :, at], values[:, :, at] = k, v
        mask = self.bias[:, : at + 1].flip(-1)[None, :, None]
        mixed = F.scaled_dot_product_attention(
            q[:, :, None], keys[:, :, : at + 1], values[:, :, : at + 1], attn_mask=mask
        )
        x = x + self.out(mixed[:, :, 0].flatten(1))
        y = self.norm(x)
        return x + self.down(F.relu(self.gate(y)) * self.up(y))


class Plain(nn.Module):
    """The same network in plain eager torch."""

    def __init__(self, config: Transformer, alphabet: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(alphabet + 1, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = Norm()
        self.head = nn.Linear(config.width, alphabet, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        x = self.embed(inputs)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))

    def step(self, inputs: Tensor, caches: list[tuple[Tensor, Tensor]], at: int) -> Tensor:
        x = self.embed(inputs)
        for block, (keys, values) in zip(self.blocks, caches, strict=True):
            x = block.step(x, keys, values, at)
        return torch.softmax(self.head(self.norm(x)), -1)


def interleaved(repeats: int, **parts: Callable[[], None]) -> dict[str, float]:
    """Median seconds of each part, run in turn."""
    times: dict[str, list[float]] = {name: [] for name in parts}
    for part in parts.values():
        part()
    for _ in range(repeats):
        for name, part in parts.items():
            start = time.perf_counter()
            part()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(taken) for name, taken in times.items()}


def text(alphabet: int) -> Text:
    symbols = np.random.default_rng(0).zipf(1.3, 200_000) % alphabet
    return Text(symbols=symbols.astype(np.uint16), offsets=np.array([0, len(symbols)]), source_bytes=len(symbols))


def training(config: Transformer, alphabet: int, batch: int, repeats: int) -> dict[str, float]:
    """Seconds a step: plain loop, float phase, rounding phase. Long rows of one context each."""
    runs = {}
    for name, rounding, precision in (("float", 0.0, "float32"), ("rounding", 1.0, "float32"), ("bf16", 0.0, "bf16")):
        settings = TransformerTraining(
            steps=10**6, batch=batch, rounding=rounding, warmup=1, decay="constant", precision=precision
        )
        folder = Path(tempfile.mkdtemp())
        runs[name] = Run(config, TrainingTask(
            alphabet=alphabet, segment=10_240, train=text(alphabet), valid=text(alphabet), seed=1, settings=settings,
            folder=folder, device=Device(), progress=Silent(),
        ), torch.device("cpu"))  # fmt: skip
    plain = Plain(config, alphabet)
    assert sum(p.numel() for p in plain.parameters()) == config.cost(alphabet, None).parameters
    optimiser = torch.optim.AdamW(plain.parameters(), lr=1e-3, fused=True)
    (rows,) = runs["float"].sampler.step(0, runs["float"].windows)[0]

    def eager() -> None:
        optimiser.zero_grad()
        loss = F.cross_entropy(plain(rows.inputs).flatten(0, 1), rows.targets.flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(plain.parameters(), 1.0)
        optimiser.step()

    def ours(run: Run) -> Callable[[], None]:
        def step() -> None:
            run.one_step()
            run.step += 1

        return step

    return interleaved(repeats, plain=eager, **{name: ours(run) for name, run in runs.items()})


def frozen_network(config: Transformer, alphabet: int) -> CpuPredictor:
    weights = initial_weights(config, alphabet, 1)
    symbols = torch.from_numpy(text(alphabet).symbols[: 16 * config.context].astype(np.int64)).view(16, -1)
    return CpuPredictor(
        freeze(weights, calibrate(weights, config, [Rows(inputs=symbols, targets=symbols, first=None)]), config)
    )


@torch.no_grad()
def scoring(config: Transformer, alphabet: int, symbols: int, repeats: int) -> dict[str, float]:
    """Seconds for rows of one context each: float forward with softmax, frozen score; and a whole segment's score."""
    predictor, plain = frozen_network(config, alphabet), Plain(config, alphabet)
    length = config.context
    segment = text(alphabet).symbols[: symbols // length * length]
    restarts = np.arange(len(segment)) % length == 0
    rows = torch.from_numpy(segment.astype(np.int64)).view(-1, length)
    together = max(1, 2048 // length)

    def floats() -> None:
        for start in range(0, len(rows), together):
            torch.softmax(plain(rows[start : start + together]), -1)

    def integers() -> None:
        for _ in predictor.score(segment, restarts):
            pass

    def sliding() -> None:
        for _ in predictor.score(segment):
            pass

    return interleaved(repeats, float=floats, frozen=integers, sliding=sliding)


@torch.no_grad()
def stepping(config: Transformer, alphabet: int, lanes: int, repeats: int) -> dict[str, float]:
    """Seconds to step `lanes` lanes through 32 positions."""
    predictor, plain = frozen_network(config, alphabet), Plain(config, alphabet)
    steps = min(32, config.context)
    symbols = np.random.default_rng(1).integers(0, alphabet, (steps, lanes))
    shape = (lanes, config.heads, config.context, config.head_size)

    def floats() -> None:
        caches = [(torch.empty(shape), torch.empty(shape)) for _ in range(config.layers)]
        for at in range(steps):
            plain.step(torch.from_numpy(symbols[at]), caches, at)

    def integers() -> None:
        state = predictor.start(lanes)
        predictor.step(state, np.full(lanes, -1))
        for at in range(steps - 1):
            predictor.step(state, symbols[at])

    return interleaved(repeats, float=floats, frozen=integers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (
        ("alphabet", 256),
        ("layers", 2),
        ("width", 96),
        ("heads", 3),
        ("context", 128),
        ("batch", 16),
        ("repeats", 7),
    ):
        parser.add_argument(f"--{name}", type=int, default=value)
    args = parser.parse_args()
    torch.set_num_threads(1)
    config = Transformer(layers=args.layers, width=args.width, heads=args.heads, context=args.context)
    print(f"{config.cost(args.alphabet, None).parameters:,} parameters, one thread, medians of {args.repeats}")
    step = training(config, args.alphabet, args.batch, args.repeats)
    symbols = args.batch * args.context
    print("training  " + "  ".join(f"{name} {symbols / taken:,.0f} symbols/s" for name, taken in step.items()))
    print(f"  float phase over plain loop: {step['plain'] / step['float']:.2f} x the symbols a second")
    print(f'  the same in bfloat16 (precision = "bf16"): {step["plain"] / step["bf16"]:.2f} x')
    print(f"  rounding phase over float phase: {step['rounding'] / step['float']:.2f} x the time")
    count = 10_240
    score = scoring(config, args.alphabet, count, args.repeats)
    print("scoring   " + "  ".join(f"{name} {count / taken:,.0f} symbols/s" for name, taken in score.items()))
    print(f"  frozen over float: {score['frozen'] / score['float']:.2f} x the time")
    for lanes in (256, 1):
        taken = stepping(config, args.alphabet, lanes, args.repeats)
        rates = {name: 32 * lanes / seconds for name, seconds in taken.items()}
        print(f"stepping {lanes} lanes  " + "  ".join(f"{name} {rate:,.0f} symbols/s" for name, rate in rates.items()))
        print(f"  frozen over float: {rates['frozen'] / rates['float']:.1f} x the symbols a second")


if __name__ == "__main__":
    main()
