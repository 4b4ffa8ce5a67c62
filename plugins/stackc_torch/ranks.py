"""What several training processes tell each other, by torch's process group; in a world of one nothing is told."""

from __future__ import annotations

import attrs
import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist
from torch import Tensor

from stackc.api import ArtifactError, TrainingTask
from stackc_torch.config import Transformer
from stackc_torch.network import Scales


def summed(tensor: Tensor, ranks: int) -> Tensor:
    """The sum of every rank's tensor, in place; the same bits on every rank."""
    if ranks > 1:
        dist.all_reduce(tensor)
    return tensor


def check_same(value: int, task: TrainingTask) -> None:
    """Raise `ArtifactError` on a rank that found another state of the training in the folder than rank 0 did."""
    if task.ranks == 1:
        return
    told = torch.tensor([value])
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


def scales_of_rank_0(scales: Scales | None, config: Transformer, ranks: int) -> Scales:
    """Rank 0's scales, on every rank; the others give None."""
    if scales is None:
        layers = config.layers
        scales = Scales(
            attention_in=torch.empty(layers),
            mlp_in=torch.empty(layers),
            head_in=torch.empty(1),
            q=torch.empty(layers, config.heads),
            k=torch.empty(layers, config.heads),
            v=torch.empty(layers, config.heads),
            hidden=torch.empty(layers, config.hidden),
        )
    if ranks == 1:
        return scales
    told = {name: tensor.float().contiguous() for name, tensor in attrs.asdict(scales).items()}
    for tensor in told.values():
        dist.broadcast(tensor, 0)
    return Scales(**told)
