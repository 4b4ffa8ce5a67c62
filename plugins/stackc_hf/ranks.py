"""What several training processes tell each other, by torch's process group; in a world of one nothing is told.

Everything is a sum over the ranks, which all of them wait for: none goes on before the last has come.
"""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor

from stackc.api import ArtifactError, TrainingTask


def summed(tensor: Tensor, ranks: int) -> Tensor:
    """The sum of every rank's tensor, in place; the same bits on every rank."""
    if ranks > 1:
        dist.all_reduce(tensor)
    return tensor


def of_rank_0(tensor: Tensor, task: TrainingTask) -> Tensor:
    """Rank 0's tensor, on every rank; the others give one of its shape and type, which is not changed."""
    return summed(tensor.clone() if task.rank == 0 else torch.zeros_like(tensor), task.ranks)


def check_same(value: int, task: TrainingTask) -> None:
    """Raise `ArtifactError` on a rank that found another state of the training in the folder than rank 0 did."""
    if int(of_rank_0(torch.tensor([value]), task)) != value:
        raise ArtifactError(
            f"{task.folder}: rank {task.rank} finds another training there than rank 0; all ranks need one folder"
        )


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
    reached, start = flat[-len(parameters) :].cpu(), 0
    for parameter, count in zip(parameters, reached.tolist(), strict=True):
        end = start + parameter.numel()
        parameter.grad = flat[start:end].view(parameter.shape) if count else None
        start = end
