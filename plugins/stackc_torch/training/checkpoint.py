"""The trained float model on disk, in safetensors only: the weights by name and, as scale.NAME, the 8-bit scales."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import numpy as np
import torch

from stackc.api import ArtifactError, read_tensors, write_tensors
from stackc_torch.frozen.rules import Array
from stackc_torch.training.architecture import Architecture
from stackc_torch.training.rows import Weights

FLOAT = "float.safetensors"
_SCALE = "scale."


def scales_to_arrays(scales: Any) -> dict[str, Array]:
    """Scales as named arrays; empty if they are not chosen yet."""
    if scales is None:
        return {}
    return {_SCALE + name: tensor.cpu().numpy() for name, tensor in attrs.asdict(scales).items()}


def scales_from_arrays(arrays: dict[str, Array], architecture: Architecture) -> Any:
    """The reverse of `scales_to_arrays`; None if `arrays` has no scales."""
    names = [name for name in arrays if name.startswith(_SCALE)]
    found = {name.removeprefix(_SCALE): torch.from_numpy(np.array(arrays[name])) for name in names}
    return architecture.scales(**found) if found else None


def save_float(folder: Path, weights: Weights, scales: Any) -> None:
    """Write the trained model."""
    arrays = {name: tensor.detach().cpu().numpy() for name, tensor in weights.items()}
    write_tensors(folder / FLOAT, arrays | scales_to_arrays(scales), format="1")


def load_float_parts(folder: Path, architecture: Architecture, alphabet: int) -> tuple[Weights, Any]:
    """Read the trained model.

    Raises:
        ArtifactError: missing, damaged, or its sizes do not match its configuration and `alphabet`.
    """
    arrays = read_tensors(folder / FLOAT)
    scales = scales_from_arrays(arrays, architecture)
    shapes = architecture.config.shapes(alphabet)
    found = {name: array.shape for name, array in arrays.items() if not name.startswith(_SCALE)}
    if scales is None or found != shapes:
        raise ArtifactError(f"{folder / FLOAT}: not a trained model of this configuration; build the stack again")
    return {name: torch.from_numpy(np.array(arrays[name])) for name in shapes}, scales
