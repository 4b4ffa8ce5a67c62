"""The course of training: learning rate, when windows are cut again, when rounding begins."""

from __future__ import annotations

import math
from typing import Any

from stackc_torch.training.config import TransformerTraining


def learning_rate(settings: TransformerTraining, step: int, total: int) -> float:
    """The rate of step 0 .. total - 1."""
    # Steps until the peak: a count if the setting is 1 or more, else a share of all steps.
    steps = settings.warmup if settings.warmup >= 1 else settings.warmup * total
    warmup = min(math.ceil(steps), total)
    peak = settings.learning_rate
    if step < warmup:
        return peak * (step + 1) / warmup
    if settings.decay == "constant":
        return peak
    if settings.decay == "rsqrt":
        return peak * math.sqrt(max(1, warmup) / (step + 1))
    done = (step - warmup) / max(1, total - warmup)
    left = (1 + math.cos(math.pi * done)) / 2 if settings.decay == "cosine" else 1 - done
    return peak * (settings.final_rate + (1 - settings.final_rate) * left)


def triangle(peak: float, step: int, total: int) -> float:
    """The rate of step 0 .. total - 1: up through the first tenth of the steps, then down to 0."""
    warm = max(1, total // 10)
    return peak * min(1.0, (step + 1) / warm, (total - step) / max(1, total - warm))


def cuts_due(settings: Any, step: int, total: int) -> int:
    """How many times windows have to be cut before `step` begins: at even distances through training."""
    return sum(step >= total * (cut + 1) // (settings.recuts + 1) for cut in range(settings.recuts))


def rounds(settings: TransformerTraining, step: int, total: int) -> bool:
    """Whether `step` trains with the integer rounding in the loop."""
    return step >= total - math.ceil(total * settings.rounding)
