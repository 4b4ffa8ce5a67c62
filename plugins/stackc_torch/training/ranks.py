"""What several training processes tell each other, by torch's process group; in a world of one nothing is told."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist
from torch import Tensor

from stackc.api import ArtifactError, TrainingTask

MOST_AXES = 4
"""Axes that a scale has at most."""


def summed(tensor: Tensor, ranks: int) -> Tensor:
    """The sum of every rank's tensor, in place; the same bits on every rank."""
    if ranks > 1:
        dist.all_reduce(tensor)
    return tensor


def gathered_by_rank_0(tensor: Tensor, rank: int, ranks: int) -> list[Tensor]:
    """On rank 0 every rank's tensor, all of one shape, in rank order; none on the others."""
    found = [torch.empty_like(tensor) for _ in range(ranks)] if rank == 0 else None
    dist.gather(tensor, found, 0)
    return found or []


def told_by_rank_0(value: bool, ranks: int) -> bool:
    """Rank 0's value, on every rank."""
    told = torch.tensor([int(value)])
    if ranks > 1:
        dist.broadcast(told, 0)
    return bool(told)


def check_same(value: int, task: TrainingTask) -> None:
    """Raise `ArtifactError` on a rank that found another state of the training in the folder than rank 0 did."""
    told = torch.tensor([value])
    if task.ranks > 1:
        dist.broadcast(told, 0)
    if int(told) != value:
        raise ArtifactError(
            f"{task.folder}: rank {task.rank} finds another training there than rank 0; all ranks need one folder"
        )


def starts_of_rank_0(starts: npt.NDArray[np.bool_], ranks: int) -> npt.NDArray[np.bool_]:
    """Rank 0's array, on every rank."""
    if ranks == 1:
        return starts
    told = torch.from_numpy(starts.astype(np.uint8))
    dist.broadcast(told, 0)
    return told.numpy().astype(bool)


def scales_of_rank_0(scales: Any, kind: type, ranks: int) -> Any:
    """Rank 0's scales, on every rank.

    Args:
        scales: on rank 0; None on the others.
        kind: their attrs class; every field is a float32 tensor, whose shape rank 0 tells.
    """
    if ranks == 1:
        return scales
    told = {}
    for field in attrs.fields(kind):
        tensor = torch.empty(0) if scales is None else getattr(scales, field.name).float().contiguous()
        shape = torch.tensor([*tensor.shape, *[-1] * (MOST_AXES - tensor.dim())])
        dist.broadcast(shape, 0)
        if scales is None:
            tensor = torch.empty(shape[shape >= 0].tolist())
        dist.broadcast(tensor, 0)
        told[field.name] = tensor
    return kind(**told)
