"""Small networks and texts for the transformer's tests."""

from __future__ import annotations

import numpy as np

from stackc.api import IDLE, RESTART, Device, SymbolTexts, Text, TrainingTask, offsets_of
from stackc_torch.backend import Backend
from stackc_torch.frozen.gemm import best_product
from stackc_torch.frozen.predictor import FrozenPredictor
from stackc_torch.frozen.rules import exponential_table
from stackc_torch.gru.config import Gru
from stackc_torch.gru.network import GruNetwork
from stackc_torch.training.config import TransformerTraining
from stackc_torch.transformer.architecture import TransformerNetwork
from stackc_torch.transformer.arrays import Frozen
from stackc_torch.transformer.config import Transformer
from stackc_torch.transformer.cpu import CpuArithmetic
from stackc_torch.transformer.device import DeviceArithmetic

WORDS = b"the of and to in that it was he for his with as her had on at by which from this is not be but all she have "


def transformer_backend(config: Transformer) -> Backend:
    """The backend ``transformer``."""
    return Backend(TransformerNetwork(config))


def gru_backend(config: Gru) -> Backend:
    """The backend ``gru``."""
    return Backend(GruNetwork(config))


def on_cpu(frozen: Frozen, product=best_product) -> FrozenPredictor:
    """A frozen transformer on CPU."""
    return FrozenPredictor(CpuArithmetic(frozen, product))


def on_device(frozen: Frozen, device) -> FrozenPredictor:
    """A frozen transformer by torch operations."""
    return FrozenPredictor(DeviceArithmetic(frozen, device))


class Quiet:
    """A `stackc.api.Progress` that keeps the last figures and the logged ones, and may end training as Ctrl-C does."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.stop_at = stop_at
        self.figures: dict[str, float] = {}
        self.logged: dict[int, dict[str, float]] = {}

    def update(self, done: int, total: int, **figures: float) -> None:
        self.figures = figures
        if self.stop_at is not None and done >= self.stop_at:
            raise KeyboardInterrupt

    def say(self, text: str) -> None:
        """Nothing is shown."""

    def log(self, step: int, **scalars: float) -> None:
        self.logged[step] = scalars


def counting(*shape: int, modulus: int, offset: int) -> np.ndarray:
    """Fixed integers -modulus // 2 ... without a random generator."""
    index = np.arange(int(np.prod(shape)), dtype=np.int64)
    return ((index * 7919 + 13 * index * index + offset) % modulus - modulus // 2).reshape(shape)


def random_frozen(
    seed: int,
    *,
    alphabet: int = 7,
    layers: int = 2,
    width: int = 12,
    heads: int = 2,
    size: int = 5,
    hidden: int = 9,
    context: int = 6,
    extreme: bool = False,
) -> Frozen:
    """Integers drawn at random; `extreme`: every operand at +-127 and the residual stream driven into saturation."""
    random = np.random.default_rng(seed)

    def matrix(*shape: int) -> np.ndarray:
        weights = random.integers(-127, 128, shape)
        return (np.where(weights < 0, -127, 127) if extreme else weights).astype(np.int8)

    def shift(low: int, high: int, *shape: int) -> np.ndarray:
        return random.integers(0 if extreme else low, 1 if extreme else high, shape).astype(np.int32)

    inner = heads * size
    return Frozen(
        embed=random.integers(-(1 << 14), 1 << 14, (alphabet + 1, width)).astype(np.int32) * (500 if extreme else 1),
        norms=random.integers(20 << 24, 127 << 24, 2 * layers + 1),
        qkv=matrix(layers, 3 * inner, width),
        qkv_shift=shift(3, 9, layers, 3 * inner),
        bias=random.integers(-3000, 3000, (layers, heads, context)).astype(np.int32) * (8000 if extreme else 1),
        score=random.integers(1, 20_000, (layers, heads)).astype(np.int32) * (800 if extreme else 1),
        out=matrix(layers, width, inner),
        out_shift=shift(4, 14, layers, width),
        gate_up=matrix(layers, 2 * hidden, width),
        gate_up_shift=shift(0, 8, layers, 2 * hidden),
        down=matrix(layers, width, hidden),
        down_shift=shift(4, 14, layers, width),
        head=matrix(alphabet, width),
        head_shift=shift(2, 8, alphabet),
        exponential=exponential_table(),
    )


def random_segment(frozen: Frozen, count: int, seed: int, share: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """Symbols and restarts."""
    random = np.random.default_rng(seed)
    return random.integers(0, frozen.alphabet, count), random.random(count) < share


def stepped(predictor, segment: np.ndarray, restarts: np.ndarray | None = None) -> np.ndarray:
    """The rows that one lane answers along a segment: uint32[n, A]."""
    state, rows = predictor.start(1), []
    for i in range(len(segment)):
        fresh = i == 0 or (restarts is not None and restarts[i])
        rows.append(predictor.step(state, np.array([RESTART if fresh else segment[i - 1]]))[0].copy())
    return np.array(rows)


def scored(predictor, segment: np.ndarray, restarts: np.ndarray | None = None) -> np.ndarray:
    """The rows of `score` in one array."""
    return np.concatenate([np.empty((0, predictor.alphabet), np.uint32), *predictor.score(segment, restarts)])


def lane_calls(alphabet: int, lanes: int, steps: int, seed: int) -> np.ndarray:
    """Random calls of `step`: int64[steps, lanes], the first all RESTART."""
    random = np.random.default_rng(seed)
    calls = random.integers(0, alphabet, (steps, lanes))
    kind = random.random((steps, lanes))
    calls[kind < 0.1] = RESTART
    calls[(kind > 0.1) & (kind < 0.3)] = IDLE
    calls[0] = RESTART
    return calls


def english(count: int, seed: int = 0) -> Text:
    """A text of frequent words in two documents; a model learns something of it within seconds."""
    words = WORDS.split()
    picked = np.random.default_rng(seed).zipf(1.5, count) % len(words)
    symbols = np.frombuffer(b" ".join(words[i] for i in picked)[:count], np.uint8)
    return Text(symbols=symbols, offsets=np.array([0, count // 3, count], np.int64), source_bytes=count)


def some_texts(alphabet: int = 256) -> SymbolTexts:
    """Texts of 0 to 6 bytes, several of them the same."""
    made = [b" the and"[symbol % 7 : symbol % 7 + symbol % 5] for symbol in range(alphabet)]
    return SymbolTexts(data=np.frombuffer(b"".join(made), np.uint8), offsets=offsets_of([len(text) for text in made]))


def task(folder, *, cut=None, progress=None, seed: int = 1, text: Text | None = None, **settings) -> TrainingTask:
    """A training on `english`; with byte-aware inputs, as if its bytes were symbols of `some_texts`."""
    return TrainingTask(
        alphabet=256,
        segment=1024,
        train=text or english(30_000),
        valid=english(3000, seed=9),
        seed=seed,
        settings=TransformerTraining(**settings),
        folder=folder,
        device=Device(),
        progress=progress or Quiet(),
        cut=cut,
        texts=some_texts() if settings.get("byte_aware") else None,
    )


SMALL = Transformer(layers=2, width=32, heads=2, mlp=64, context=24)
