"""The float model, to measure what freezing costs. It never codes: its answers differ between machines."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stackc.api import Symbols
from stackc_torch.training.architecture import normed
from stackc_torch.training.checkpoint import load_float_parts
from stackc_torch.training.rows import Weights
from stackc_torch.transformer.architecture import TransformerNetwork
from stackc_torch.transformer.config import Transformer
from stackc_torch.transformer.network import attention_bias, gated

PASS = 512


class FloatModel:
    """A trained network over whole segments, in passes of 512 positions with the keys and values of the last C - 1."""

    def __init__(self, config: Transformer, weights: Weights, alphabet: int) -> None:
        self.config = config
        self.weights = weights
        self.alphabet = alphabet

    @torch.no_grad()
    def bits(self, segment: Symbols, restarts: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[np.float64]:
        """What each symbol of a segment costs: float64[n], in bits. `restarts` as in `stackc.api.Predictor`."""
        count = len(segment)
        targets = torch.from_numpy(np.asarray(segment).astype(np.int64))
        starts = np.zeros(count, bool) if restarts is None else np.asarray(restarts, bool).copy()
        starts[:1] = True
        first = torch.from_numpy(np.maximum.accumulate(np.where(starts, np.arange(count), 0)))
        inputs = torch.cat([torch.full((1,), self.alphabet), targets[:-1]])[:count]
        inputs[torch.from_numpy(starts)] = self.alphabet
        past: list[Tensor | None] = [None] * self.config.layers
        out = []
        for start in range(0, count, PASS):
            part = slice(start, start + PASS)
            log_p = torch.log_softmax(self._logits(inputs[part], first[part], start, past), -1)
            out.append(-log_p.gather(1, targets[part, None])[:, 0].double().numpy() / math.log(2))
        return np.concatenate([np.empty(0), *out])

    def _logits(self, inputs: Tensor, first: Tensor, start: int, past: list[Tensor | None]) -> Tensor:
        """Logits [n, A] of positions `start` on; `past` holds [2, H, <= C - 1, D] a layer and moves on."""
        config, w = self.config, self.weights
        heads, size = config.heads, config.head_size
        x = w["embed"][inputs]
        queries = torch.arange(start, start + len(inputs))
        for layer in range(config.layers):
            qkv = normed(x, None) @ w[f"{layer}.qkv"].T
            q, *kv = qkv.view(-1, 3, heads, size).permute(1, 2, 0, 3)
            held = past[layer]
            both = torch.stack(kv) if held is None else torch.cat([held, torch.stack(kv)], 2)
            keys = torch.arange(start + len(inputs) - both.shape[2], start + len(inputs))
            added = attention_bias(w[f"{layer}.bias"], queries, keys, first[None])[0]
            weights = torch.softmax(q @ both[0].transpose(1, 2) / math.sqrt(size) + added, -1)
            mixed = (weights @ both[1]).transpose(0, 1).reshape(-1, heads * size)
            past[layer] = both[:, :, max(0, both.shape[2] - config.context + 1) :]
            x = x + mixed @ w[f"{layer}.out"].T
            x = x + gated(normed(x, None) @ w[f"{layer}.gate_up"].T, None) @ w[f"{layer}.down"].T
        return normed(x, None) @ w["head"].T


def load_float(folder: Path, alphabet: int, config: Transformer) -> FloatModel:
    """The float model that training left in `folder`. Raises `ArtifactError`."""
    weights, _ = load_float_parts(folder, TransformerNetwork(config), alphabet)
    return FloatModel(config, weights, alphabet)
