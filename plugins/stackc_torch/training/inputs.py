"""Byte-aware inputs: the embedding of a symbol plus rows of one table, one for each hashed feature of its text.

The table is trained with the network and is gone afterwards: `TextInputs.folded` adds each symbol's rows to its
embedding, and the network that is frozen has one embedding, as any other. Outputs know nothing of texts.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from stackc.api import StackcError, SymbolTexts, TrainingTask
from stackc_torch.training.features import features
from stackc_torch.training.rows import Weights

NAME = "text_embed"
"""The table among the weights: float32[rows, d]."""

SEED = 0x7465787473
"""Added to the training seed, so that the other starting weights stay as they are without a table."""

GAIN = 8.0
"""What rows are multiplied by where they are added: AdamW moves all numbers alike, and these have to move fast, since
they begin small and what they say holds for many symbols. Measured: docs/results/log.md."""

SPREAD = 0.03
"""The standard deviation of the starting table: the sum of eleven rows, times `GAIN`, has 0.8."""

OWN = 0.3
"""What the starting embedding is multiplied by: a symbol's own row corrects what its text says."""


class TextInputs:
    """The features of an alphabet's texts.

    Args:
        texts: of the A symbols.
        rows: of the table.
        device: where training looks them up.
        gain: what rows are multiplied by where they are added.

    Attributes:
        rows, gain: see the arguments.
        features, offsets: int64[n], int64[A + 2]: the rows of symbol a are ``features[offsets[a]:offsets[a + 1]]``;
            symbol A, the empty context, has none.
    """

    def __init__(self, texts: SymbolTexts, rows: int, device: torch.device, gain: float = GAIN) -> None:
        found, offsets = features(texts, rows)
        self.rows, self.gain = rows, gain
        self.features = torch.from_numpy(found).to(device)
        self.offsets = torch.nn.functional.pad(torch.from_numpy(offsets), (0, 1), value=int(offsets[-1])).to(device)

    def shapes(self, width: int) -> dict[str, tuple[int, ...]]:
        """Name and shape of what is trained besides the network of this width."""
        return {NAME: (self.rows, width)}

    def table(self, width: int, seed: int) -> Tensor:
        """The starting table, a function of the seed alone (drawn on the CPU, in float32)."""
        generator = torch.Generator().manual_seed((seed + SEED) & 0x7FFFFFFFFFFFFFFF)
        return torch.randn(self.rows, width, generator=generator) * SPREAD

    def initial(self, weights: Weights, seed: int) -> Weights:
        """Starting weights from those of the network alone."""
        embed = weights["embed"]
        return {**weights, "embed": embed * OWN, NAME: self.table(embed.shape[1], seed)}

    def sums(self, table: Tensor, symbols: Tensor) -> Tensor:
        """The sums [n, d] of the rows of symbols [n], times the gain; differentiable."""
        offsets, features = self.offsets.to(symbols.device), self.features.to(symbols.device)
        counts = offsets[symbols + 1] - offsets[symbols]
        ends = counts.cumsum(0)
        starts = ends - counts
        total = int(ends[-1]) if len(symbols) else 0
        within = torch.arange(total, device=symbols.device) - torch.repeat_interleave(starts, counts)
        which = features[torch.repeat_interleave(offsets[symbols], counts) + within]
        return F.embedding_bag(which, table, starts, mode="sum") * self.gain

    def embedded(self, weights: Weights, inputs: Tensor) -> Tensor:
        """The rows with which inputs [B, T] enter the stream: [B, T, d]. Each symbol among them is summed once."""
        symbols, places = torch.unique(inputs, return_inverse=True)
        return (weights["embed"][symbols] + self.sums(weights[NAME], symbols))[places]

    @torch.no_grad()
    def folded(self, weights: Weights) -> Weights:
        """The same network without the table: an embedding of A + 1 rows that has the sums in it."""
        rest = {name: tensor for name, tensor in weights.items() if name != NAME}
        symbols = torch.arange(len(weights["embed"]), device=weights["embed"].device)
        return {**rest, "embed": weights["embed"] + self.sums(weights[NAME], symbols)}


def inputs_of(task: TrainingTask, device: torch.device, gain: float = GAIN) -> TextInputs | None:
    """The byte-aware inputs that a task's settings ask for, or None.

    Raises:
        StackcError: the task has no texts.
    """
    settings = task.settings
    if not settings.byte_aware:
        return None
    if task.texts is None:
        raise StackcError("train.byte_aware: the symbols have no texts; remove it")
    return TextInputs(task.texts, settings.text_rows, device, gain)
