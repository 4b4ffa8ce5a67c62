"""The sequence-to-sequence probe of Lester et al. (2024), small: can a transformer do what a level's decoder does?

Excerpts of 64 bytes are encoded as documents of their own. One small causal transformer reads an excerpt's tokens and
then predicts its bytes (`decompress`), or reads the bytes and predicts the tokens (`compress`), or predicts the bytes
alone (`bytes`, the line that reading must beat). Reported: the share of held-out symbols that it holds for the most
likely, given the right ones before.

    python tests/benchmarks/probe_decompression.py STACK TRAIN TEST --task decompress
"""

from __future__ import annotations

import argparse
import lzma
from pathlib import Path

import numpy as np
import torch
from torch import nn

import stackc
from stackc.api.offsets import offsets_of

LENGTH = 64
WIDTH, LAYERS, HEADS = 96, 3, 3


class Probe(nn.Module):
    """A causal transformer over `most` positions."""

    def __init__(self, alphabet: int, most: int) -> None:
        super().__init__()
        self.symbols, self.places = nn.Embedding(alphabet, WIDTH), nn.Embedding(most, WIDTH)
        block = nn.TransformerEncoderLayer(
            WIDTH, HEADS, 4 * WIDTH, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.body = nn.TransformerEncoder(block, LAYERS, norm=nn.LayerNorm(WIDTH), enable_nested_tensor=False)
        self.out = nn.Linear(WIDTH, alphabet)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(most))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        size = rows.shape[1]
        hidden = self.symbols(rows) + self.places.weight[:size]
        found: torch.Tensor = self.out(self.body(hidden, mask=self.mask[:size, :size], is_causal=True))
        return found


def rows_of(stack: stackc.Stack, data: bytes, task: str) -> tuple[np.ndarray, np.ndarray, int]:
    """int64[N, P] symbols, bool[N, P] which of them are to be predicted, and the alphabet.

    Tokens are 0 .. V - 1, bytes V .. V + 255, then the mark between both sides and the filling of short rows.
    """
    count = len(data) // LENGTH
    plain = np.frombuffer(data[: count * LENGTH], np.uint8)
    symbols, offsets = plain, offsets_of(np.full(count, LENGTH))
    for level in stack.levels:
        coded = level.encode(symbols, offsets)
        symbols, offsets = coded.tokens, coded.offsets
    tokens, vocabulary = symbols.astype(np.int64), stack.token_alphabet()
    mark, filling = vocabulary + 256, vocabulary + 257
    sizes = np.diff(offsets)
    most = int(sizes.max())
    side = np.full((count, most), filling)
    side[np.arange(most) < sizes[:, None]] = tokens
    text = plain.reshape(count, LENGTH).astype(np.int64) + vocabulary
    marks = np.full((count, 1), mark)
    if task == "decompress":
        rows = np.concatenate([side, marks, text], axis=1)
        return rows, np.arange(rows.shape[1])[None] > np.full((count, 1), most), vocabulary + 258
    if task == "compress":
        rows = np.concatenate([text, marks, side], axis=1)
        return rows, (np.arange(rows.shape[1])[None] > LENGTH) & (rows != filling), vocabulary + 258
    rows = np.concatenate([marks, text], axis=1)
    return rows, np.arange(rows.shape[1])[None] > np.zeros((count, 1), int), vocabulary + 258


def accuracy(model: Probe, rows: torch.Tensor, wanted: torch.Tensor) -> float:
    right = seen = 0
    with torch.no_grad():
        for first in range(0, len(rows), 64):
            some, asked = rows[first : first + 64], wanted[first : first + 64, 1:]
            best = model(some[:, :-1]).argmax(dim=-1)
            right += int(((best == some[:, 1:]) & asked).sum())
            seen += int(asked.sum())
    return right / seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stack", type=Path)
    parser.add_argument("train", type=Path, help="text, packed by xz")
    parser.add_argument("test", type=Path, help="the same")
    parser.add_argument("--task", choices=("decompress", "compress", "bytes"), default="decompress")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(1)
    stack = stackc.load(options.stack)
    made = [rows_of(stack, lzma.decompress(path.read_bytes()), options.task) for path in (options.train, options.test)]
    most = max(rows.shape[1] for rows, _, _ in made)
    alphabet = made[0][2]
    model = Probe(alphabet, most)
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=options.steps, pct_start=0.05)
    rows, wanted = (torch.from_numpy(array) for array in made[0][:2])
    drawn = np.random.default_rng(options.seed)
    for _ in range(options.steps):
        chosen = torch.from_numpy(drawn.integers(0, len(rows), options.batch))
        some, asked = rows[chosen], wanted[chosen][:, 1:]
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(some[:, :-1])
        loss = nn.functional.cross_entropy(logits.float()[asked], some[:, 1:][asked])
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    model.eval()
    held, asked = (torch.from_numpy(array[:2048]) for array in made[1][:2])
    share = accuracy(model, held, asked)
    told = f"{options.task}, {options.steps} steps of {options.batch}: {share:.1%} of held-out symbols right"
    print(f"{options.stack.name}: {told}, last loss {loss.item() / np.log(2):.3f} bits per symbol")


if __name__ == "__main__":
    main()
