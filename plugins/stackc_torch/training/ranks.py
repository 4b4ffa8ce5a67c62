"""What several training processes send each other, by torch's process group; with one process nothing is sent."""

from __future__ import annotations

from typing import Any

import attrs
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


def of_rank_0(tensor: Tensor, ranks: int) -> Tensor:
    """Rank 0's tensor, on every rank, in place; the others give one of its shape and type."""
    if ranks > 1:
        dist.broadcast(tensor, 0)
    return tensor


def gathered_by_rank_0(tensor: Tensor, rank: int, ranks: int) -> list[Tensor]:
    """On rank 0 every rank's tensor, all of one shape, in rank order; on the others an empty one."""
    found = [torch.empty_like(tensor) for _ in range(ranks)] if rank == 0 else None
    dist.gather(tensor, found, 0)
    return found or [tensor[:0]]


def told_by_rank_0(value: int, ranks: int) -> int:
    """Rank 0's value, on every rank."""
    return int(of_rank_0(torch.tensor([int(value)]), ranks))


def check_same(value: int, task: TrainingTask) -> None:
    """Raise `ArtifactError` on a rank that found another training state in the folder than rank 0 did."""
    if told_by_rank_0(value, task.ranks) != value:
        raise ArtifactError(
            f"{task.folder}: rank {task.rank} finds another training there than rank 0; all ranks need one folder"
        )


def scales_of_rank_0(scales: Any, kind: type, ranks: int) -> Any:
    """Rank 0's scales, on every rank.

    Args:
        scales: on rank 0; None on the others.
        kind: their attrs class; every field is a float32 tensor, whose shape rank 0 sends first.
    """
    if ranks == 1:
        return scales
    found = {}
    for field in attrs.fields(kind):
        tensor = torch.empty(0) if scales is None else getattr(scales, field.name).float().contiguous()
        shape = of_rank_0(torch.tensor([*tensor.shape, *[-1] * (MOST_AXES - tensor.dim())]), ranks)
        if scales is None:
            tensor = torch.empty(shape[shape >= 0].tolist())
        found[field.name] = of_rank_0(tensor, ranks)
    return kind(**found)


def sum_gradients(parameters: list[torch.nn.Parameter], ranks: int) -> None:
    """Give every parameter the sum of all ranks' gradients; one that has none on any rank is left without.

    All travel in one tensor, so that the ranks' calls match whichever of the parameters their rows reach.
    """
    if ranks == 1:
        return
    pieces = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    reached = torch.tensor([float(p.grad is not None) for p in parameters])
    flat = torch.cat([*(piece.flatten() for piece in pieces), reached.to(parameters[0].device)])
    summed(flat, ranks)
    sums = flat[: -len(parameters)].split([parameter.numel() for parameter in parameters])
    for parameter, piece, count in zip(parameters, sums, flat[-len(parameters) :].tolist(), strict=True):
        parameter.grad = piece.view(parameter.shape) if count else None
