"""The one place that sets threads, determinism and precision modes, each with its reason."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from stackc.api import Device, StackcError


def pick(device: Device) -> torch.device:
    """The torch device that `device` names.

    Raises:
        StackcError: it is not there.
    """
    if device.name == "cuda" and not torch.cuda.is_available():
        raise StackcError("device cuda: torch sees no CUDA device here; use device = cpu")
    return torch.device(device.name)


def use_threads(device: Device) -> None:
    """Let torch use the threads that `device` allows; the answers of a frozen network do not depend on it.

    Left alone, torch takes every core, and matrices of these sizes get slower when a core is shared.
    """
    torch.set_num_threads(device.threads)


@contextlib.contextmanager
def training_mode(device: Device) -> Iterator[torch.device]:
    """Settings under which a killed and resumed training ends in the same bytes (on CPU, same threads and build)."""
    target = pick(device)
    threads = torch.get_num_threads()
    tf32 = torch.backends.cuda.matmul.allow_tf32
    # The number of threads decides in which order a matrix product adds up.
    torch.set_num_threads(device.threads)
    # TF32 rounds operands to 10 bits: the float model would no longer be the one that is reported.
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield target
    finally:
        torch.set_num_threads(threads)
        torch.backends.cuda.matmul.allow_tf32 = tf32


@contextlib.contextmanager
def exact_products() -> Iterator[None]:
    """Float32 matrix products on CUDA hold integers below 2^24 exactly only with TF32 off."""
    tf32 = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = tf32
