"""The model backend ``mixing``: integer context mixing that learns from what it codes, and codes without rows."""

from __future__ import annotations

from typing import Any

from stackc.api import Device, ModelBackend, Register, hookimpl
from stackc_mixing.config import Mixing, MixingTraining

__all__ = ["Mixing", "MixingTraining"]


def _mixing(config: Any) -> ModelBackend:
    from stackc_mixing.backend import MixingBackend

    return MixingBackend(config)


def _self_test(device: Device) -> str:
    from stackc_mixing.self_test import examine

    return examine()


@hookimpl
def stackc_register_models(register: Register) -> None:
    register(
        "mixing",
        _mixing,
        Mixing,
        "context mixing, bit by bit: learns from the file that it compresses",
        self_test=_self_test,
    )
