"""The model backends ``transformer`` and ``gru``: trained with torch in floats, frozen into integers that code.

Read in this order: `config` (what a recipe may set), `network` (the float model), `training`, `freeze`
(floats to integers), `twin` (the frozen model in plain Python: the definition of its bits), then the fast
routes `cpu` and `device`. `gru` holds what is the recurrent network's own; `architecture` is what both share.

Importing this package imports neither torch nor numba.
"""

from __future__ import annotations

from typing import Any

from stackc.api import Register, hookimpl, require
from stackc_torch.config import Transformer, TransformerTraining
from stackc_torch.gru.config import Gru

__all__ = ["Gru", "Transformer", "TransformerTraining", "stackc_register_models"]


def _transformer(config: Transformer) -> Any:
    require("torch", "torch", "transformer")
    from stackc_torch.backend import TransformerBackend

    return TransformerBackend(config)


def _gru(config: Gru) -> Any:
    require("torch", "torch", "gru")
    from stackc_torch.backend import GruBackend

    return GruBackend(config)


@hookimpl
def stackc_register_models(register: Register) -> None:
    register("transformer", _transformer, Transformer, "decoder trained in floats (torch), frozen into integers")
    register("gru", _gru, Gru, "recurrent network of constant state, trained in floats (torch), frozen into integers")
