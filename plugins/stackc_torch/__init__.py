"""The model backends ``transformer`` and ``gru``, trained in floats and frozen into integers that code, and ``hf``.

    frozen/        integer arithmetic that the networks share: it decides bits, and imports nothing of training/
    training/      floats, for any network
    transformer/   one network each: its configuration and float side, and its own frozen side (`arrays`, `twin`,
    gru/           `kernels`, `cpu`, `device`)
    hf/            causal language models of transformers, a separate plugin on the shared training

Importing this package imports neither torch nor numba.
"""

from __future__ import annotations

from typing import Any

from stackc.api import Device, Register, hookimpl, require
from stackc_torch.gru.config import Gru
from stackc_torch.training.config import TransformerTraining
from stackc_torch.transformer.config import Transformer

__all__ = ["Gru", "Transformer", "TransformerTraining", "stackc_register_models"]


def _transformer(config: Transformer) -> Any:
    require("torch", "torch", "transformer")
    from stackc_torch.backend import Backend
    from stackc_torch.transformer.architecture import TransformerNetwork

    return Backend(TransformerNetwork(config))


def _gru(config: Gru) -> Any:
    require("torch", "torch", "gru")
    from stackc_torch.backend import Backend
    from stackc_torch.gru.network import GruNetwork

    return Backend(GruNetwork(config))


def _test_transformer(device: Device) -> str:
    require("torch", "torch", "transformer")
    from stackc_torch.transformer.self_test import examine

    return examine(device)


def _test_gru(device: Device) -> str:
    require("torch", "torch", "gru")
    from stackc_torch.gru.self_test import examine

    return examine(device)


@hookimpl
def stackc_register_models(register: Register) -> None:
    register(
        "transformer", _transformer, Transformer, "decoder trained in floats (torch), frozen into integers",
        self_test=_test_transformer,
    )  # fmt: skip
    register(
        "gru", _gru, Gru, "recurrent network of constant state, trained in floats (torch), frozen into integers",
        self_test=_test_gru,
    )  # fmt: skip
